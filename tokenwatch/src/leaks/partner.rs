//! The signature of GitHub's secret scanning partner programme: ECDSA on P-256 over the raw body, under a current public key.
//!
//! Keys come from a configured address, are kept for a day, and are fetched again, once a minute at most, when a report
//! names a key that is not known: keys change. A key that is known and not current is refused. Nothing of the body is looked
//! at before its signature is good.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long keys are believed.
const KEYS_KEPT: Duration = Duration::from_hours(24);
/// How soon they are fetched again for a key that is not among them.
const KEYS_AGAIN: Duration = Duration::from_mins(1);
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Keys that are kept: GitHub has a handful.
const KEYS_LIMIT: usize = 64;
const ANSWER_BYTES: usize = 256 * 1_024;

/// Why a report is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the headers GITHUB-PUBLIC-KEY-IDENTIFIER and GITHUB-PUBLIC-KEY-SIGNATURE are missing")]
    Unsigned,
    #[error("the key is not one of the current keys")]
    Key,
    #[error("the signature is not one of this body under this key")]
    Signature,
    #[error("the public keys cannot be fetched: {0}")]
    Keys(String),
}

/// The public keys of the partner.
#[derive(Debug)]
pub(crate) struct PartnerKeys {
    url: String,
    client: reqwest::Client,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    fetched: Instant,
    keys: HashMap<String, Key>,
}

#[derive(Clone, Debug)]
struct Key {
    verifying: VerifyingKey,
    is_current: bool,
}

#[derive(Deserialize)]
struct Answer {
    public_keys: Vec<AnsweredKey>,
}

#[derive(Deserialize)]
struct AnsweredKey {
    key_identifier: String,
    key: String,
    is_current: bool,
}

impl PartnerKeys {
    pub(crate) fn new(url: String) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .user_agent("tokenwatch")
            .build()?;
        Ok(Self {
            url,
            client,
            known: Mutex::default(),
        })
    }

    /// Whether `body` was signed with the current key `identifier`.
    pub(crate) async fn check(
        &self,
        identifier: Option<&str>,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<(), Refused> {
        let (Some(identifier), Some(signature)) = (identifier, signature) else {
            return Err(Refused::Unsigned);
        };
        let key = self.key(identifier).await?;
        verify(&key, signature, body)
    }

    async fn key(&self, identifier: &str) -> Result<Key, Refused> {
        let mut known = self.known.lock().await;
        let age = known.as_ref().map(|known| known.fetched.elapsed());
        let is_there = known
            .as_ref()
            .is_some_and(|known| known.keys.contains_key(identifier));
        if age.is_none_or(|age| age >= KEYS_KEPT || (!is_there && age >= KEYS_AGAIN)) {
            *known = Some(Known {
                fetched: Instant::now(),
                keys: self.fetch().await.map_err(Refused::Keys)?,
            });
        }
        let key = known.as_ref().and_then(|known| known.keys.get(identifier));
        key.cloned().ok_or(Refused::Key)
    }

    async fn fetch(&self) -> Result<HashMap<String, Key>, String> {
        let told = |error: reqwest::Error| error.without_url().to_string();
        let response = self.client.get(&self.url).send().await.map_err(told)?;
        let response = response.error_for_status().map_err(told)?;
        let bytes = response.bytes().await.map_err(told)?;
        if bytes.len() > ANSWER_BYTES {
            return Err("the answer is too long".to_owned());
        }
        read_keys(&bytes)
    }
}

fn read_keys(answer: &[u8]) -> Result<HashMap<String, Key>, String> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let mut keys = HashMap::new();
    for answered in answer.public_keys.into_iter().take(KEYS_LIMIT) {
        let verifying = VerifyingKey::from_public_key_pem(&answered.key)
            .map_err(|_| format!("the key {} is none of P-256", answered.key_identifier))?;
        let is_current = answered.is_current;
        keys.insert(
            answered.key_identifier,
            Key {
                verifying,
                is_current,
            },
        );
    }
    Ok(keys)
}

fn verify(key: &Key, signature: &str, body: &[u8]) -> Result<(), Refused> {
    if !key.is_current {
        return Err(Refused::Key);
    }
    let der = STANDARD
        .decode(signature.trim())
        .map_err(|_| Refused::Signature)?;
    let signature = Signature::from_der(&der).map_err(|_| Refused::Signature)?;
    key.verifying
        .verify(body, &signature)
        .map_err(|_| Refused::Signature)
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::Signer as _;
    use p256::pkcs8::{EncodePublicKey as _, LineEnding};

    use super::*;

    const BODY: &[u8] =
        br#"[{"token":"some_token","type":"some_type","url":"","source":"commit"}]"#;

    fn signing(seed: u8) -> SigningKey {
        SigningKey::from_slice(&[seed; 32]).expect("a scalar")
    }

    fn answer(keys: &[(&str, u8, bool)]) -> String {
        let keys: Vec<_> = keys
            .iter()
            .map(|(name, seed, is_current)| {
                let public = p256::PublicKey::from(signing(*seed).verifying_key());
                let key = public.to_public_key_pem(LineEnding::LF);
                serde_json::json!({"key_identifier": name, "key": key.expect("a key"), "is_current": is_current})
            })
            .collect();
        serde_json::json!({ "public_keys": keys }).to_string()
    }

    fn signed(seed: u8, body: &[u8]) -> String {
        let signature: Signature = signing(seed).sign(body);
        STANDARD.encode(signature.to_der())
    }

    #[test]
    fn only_the_current_keys_signature_over_the_very_body_is_good() {
        let keys = read_keys(answer(&[("new", 1, true), ("old", 2, false)]).as_bytes());
        let keys = keys.expect("two keys");
        let check = |name: &str, signature: &str, body: &[u8]| verify(&keys[name], signature, body);
        assert_eq!(check("new", &signed(1, BODY), BODY), Ok(()));
        // Another key, a key that is not current any more, a changed body, no signature at all.
        assert_eq!(
            check("new", &signed(3, BODY), BODY),
            Err(Refused::Signature)
        );
        assert_eq!(check("old", &signed(2, BODY), BODY), Err(Refused::Key));
        let mut changed = BODY.to_vec();
        changed[12] ^= 1;
        assert_eq!(
            check("new", &signed(1, BODY), &changed),
            Err(Refused::Signature)
        );
        for forged in ["", "AAAA", "not base64"] {
            assert_eq!(
                check("new", forged, BODY),
                Err(Refused::Signature),
                "{forged}"
            );
        }
        let mut der = STANDARD.decode(signed(1, BODY)).expect("base64");
        *der.last_mut().expect("it has bytes") ^= 1;
        assert_eq!(
            check("new", &STANDARD.encode(der), BODY),
            Err(Refused::Signature)
        );
    }

    #[tokio::test]
    async fn a_report_without_signature_is_refused_before_keys_are_asked_for() {
        let keys = PartnerKeys::new("http://127.0.0.1:1/keys".to_owned()).expect("a client");
        assert_eq!(
            keys.check(None, Some("x"), BODY).await,
            Err(Refused::Unsigned)
        );
        assert_eq!(
            keys.check(Some("x"), None, BODY).await,
            Err(Refused::Unsigned)
        );
        let unreachable = keys.check(Some("x"), Some("x"), BODY).await;
        assert!(
            matches!(unreachable, Err(Refused::Keys(_))),
            "{unreachable:?}"
        );
    }

    #[test]
    fn what_is_no_list_of_keys_is_refused() {
        for answer in [
            "",
            "{}",
            r#"{"public_keys":[{"key_identifier":"a","key":"x","is_current":true}]}"#,
        ] {
            assert!(read_keys(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
