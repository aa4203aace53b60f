//! The tokens of a request that has not happened yet: a gateway asks about it before it lets it in.
//!
//! They are found and named by the code that reads logs ([`crate::credentials`], [`crate::identity`]), so a token has here the id
//! under which its calls were judged. Unlike a log's call, which has one token, a request has all that it carries: who adds a second
//! credential must not hide the first one behind it.

use std::borrow::Cow;
use std::net::IpAddr;

use smallvec::SmallVec;
use tokenwatch_model::{Format, Timestamp, TokenId};

use crate::address;
use crate::credentials::Credentials;
use crate::decoder_config::DecoderSettings;
use crate::identity::identify;
use crate::token_key::TokenKey;

/// Names the tokens of requests.
#[derive(Clone, Debug)]
pub struct RequestTokens {
    settings: DecoderSettings,
    key: TokenKey,
    format: Format,
}

/// What a gateway tells of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestFacts<'r> {
    /// Path and query, wherever they are told. A client may tell them, too, so that one must not hide another.
    pub targets: [Option<&'r [u8]>; 3],
    /// The gateway's name of the credential.
    pub credential_id: Option<&'r str>,
    /// The consumer that it names.
    pub consumer: Option<&'r str>,
}

/// The ids of a request's tokens.
pub type RequestIds = SmallVec<[TokenId; 4]>;

impl RequestTokens {
    /// What names tokens as a decoder with these settings does; the gateway's own names are those of `format`.
    pub fn new(settings: DecoderSettings, key: TokenKey, format: Format) -> Self {
        Self {
            settings,
            key,
            format,
        }
    }

    /// The ids of all tokens of a request; nothing if it carries more than are told apart.
    pub fn ids<'r>(
        &self,
        headers: impl Iterator<Item = (&'r str, &'r [u8])>,
        facts: RequestFacts<'r>,
        now: Timestamp,
    ) -> Option<RequestIds> {
        let names = &self.settings.names;
        let mut credentials = Credentials::default();
        for (name, value) in headers {
            // What is no UTF-8 becomes what it becomes in a log.
            credentials.header(names, name, String::from_utf8_lossy(value));
        }
        for target in facts.targets.into_iter().flatten() {
            credentials.query(names, &String::from_utf8_lossy(target));
        }
        if credentials.is_full() {
            return None;
        }
        let mut ids = RequestIds::new();
        let mut add = |mut credentials: Credentials<'r>| {
            let token = identify(
                &self.key,
                self.format,
                &mut credentials,
                &self.settings.identity,
                &self.settings.jwt,
                now,
            );
            let token = token.into_iter();
            for id in token
                .flat_map(|token| [Some(token.id), token.fingerprint])
                .flatten()
            {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        };
        if facts.credential_id.is_some() || facts.consumer.is_some() {
            let mut said = Credentials::default();
            said.credential_id = facts.credential_id.map(Cow::Borrowed);
            said.consumer = facts.consumer.map(Cow::Borrowed);
            add(said);
        }
        for one in credentials.apart() {
            add(one);
        }
        Some(ids)
    }

    /// The client that the gateway tells in a header: an address, or a list of proxies as in X-Forwarded-For.
    pub fn client(&self, told: &str) -> Option<IpAddr> {
        address::client(None, Some(told), &self.settings.trusted_proxies)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_329_600);

    fn key() -> TokenKey {
        TokenKey::from_bytes(&[7; 32])
    }

    fn ids(headers: &[(&str, &str)], facts: RequestFacts<'_>) -> Option<RequestIds> {
        let tokens = RequestTokens::new(DecoderSettings::default(), key(), Format::Kong);
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        tokens.ids(headers, facts, NOW)
    }

    fn id(secret: &str) -> TokenId {
        key().token_id(secret.as_bytes())
    }

    #[test]
    fn every_credential_of_a_request_is_named() {
        let facts = RequestFacts {
            targets: [
                Some(b"/"),
                None,
                Some(b"/v1/or\xffders?api_key=k-2&limit=1"),
            ],
            ..RequestFacts::default()
        };
        let headers = [
            ("x-api-key", "k-1, k-3"),
            ("authorization", "Bearer opaque"),
            ("cookie", "lang=en; session=s-1"),
            ("accept", "k-4"),
        ];
        let found = ids(&headers, facts).expect("few");
        let expected = ["k-1", "k-3", "opaque", "s-1", "k-2"];
        assert_eq!(found.len(), expected.len());
        for secret in expected {
            assert!(found.contains(&id(secret)), "{secret}");
        }
        assert_eq!(
            ids(&[("accept", "k-1")], RequestFacts::default()),
            Some(RequestIds::new())
        );
    }

    #[test]
    fn a_jwt_is_its_grant_and_itself_also_beside_the_gateways_name() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"iss":"i","sub":"s","azp":"c","jti":"1"}"#);
        let jwt = format!("eyJhbGciOiJSUzI1NiJ9.{claims}.sig");
        let facts = RequestFacts {
            credential_id: Some("5cbc"),
            consumer: Some("acme"),
            ..RequestFacts::default()
        };
        let bearer = format!("Bearer {jwt}");
        let found = ids(&[("authorization", &bearer)], facts).expect("few");
        let grant = key().name_id("grant", &["i", "s", "c"]);
        let credential = key().credential_id(Format::Kong, "5cbc");
        for expected in [grant, id(&jwt), credential] {
            assert!(found.contains(&expected), "{found:?}");
        }
    }

    #[test]
    fn a_consumer_alone_is_a_token() {
        let facts = RequestFacts {
            consumer: Some("acme"),
            ..RequestFacts::default()
        };
        let found = ids(&[], facts).expect("few");
        assert_eq!(
            found.as_slice(),
            [key().name_id("consumer", &["kong", "acme"])]
        );
    }

    #[test]
    fn a_request_that_hides_a_token_behind_many_is_not_named() {
        let cookies: Vec<String> = (0..40).map(|index| format!("sid=s-{index}")).collect();
        let cookies = cookies.join("; ");
        assert_eq!(
            ids(
                &[("cookie", &cookies), ("x-api-key", "k-1")],
                RequestFacts::default()
            ),
            None
        );
    }
}
