//! Signatures of Standard Webhooks 1.0.0 over `id.timestamp.body`: HMAC-SHA-256 as `v1,` or Ed25519 as `v1a,`, and base64.
//!
//! With a secret, both sides know it; with a key, receivers know its public half alone, and none of them can sign.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// What secrets start with.
const PREFIX: &str = "whsec_";
/// The lengths that the specification allows, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What the private keys start with.
const KEY_PREFIX: &str = "whsk_";
/// What the public keys start with.
const PUBLIC_PREFIX: &str = "whpk_";

/// What messages are signed with: a secret that both sides know (`whsec_` and 24 to 64 bytes in base64), or a private
/// key (`whsk_` and 32 bytes in base64, or 64 with the public key behind them).
#[derive(Clone)]
pub struct SigningSecret(Kind);

#[derive(Clone)]
enum Kind {
    Shared(SecretSlice<u8>),
    Key(Box<SigningKey>),
}

/// Why a text is not a signing secret; says nothing about the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not start with `whsec_` or `whsk_`.
    #[error("a signing secret starts with whsec_, a signing key with whsk_")]
    Prefix,
    /// What follows is not base64.
    #[error("what follows whsec_ or whsk_ is not base64")]
    Encoding,
    /// It is too short to be safe, or too long.
    #[error("a signing secret has 24 to 64 bytes before base64, a signing key 32 or 64")]
    Length,
    /// The public half does not belong to the private one.
    #[error("the two halves of the signing key do not belong together")]
    Halves,
}

impl SigningSecret {
    /// Reads `whsec_…` or `whsk_…`.
    pub fn parse(text: &SecretString) -> Result<Self, SecretError> {
        let text = text.expose_secret().trim();
        let decode = |encoded: &str| STANDARD.decode(encoded).map_err(|_| SecretError::Encoding);
        if let Some(encoded) = text.strip_prefix(KEY_PREFIX) {
            return Self::key(&decode(encoded)?);
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let bytes = decode(encoded)?;
        if SECRET_BYTES.contains(&bytes.len()) {
            Ok(Self(Kind::Shared(bytes.into())))
        } else {
            Err(SecretError::Length)
        }
    }

    fn key(bytes: &[u8]) -> Result<Self, SecretError> {
        let (seed, public) = match bytes.len() {
            32 => (bytes, None),
            64 => (&bytes[..32], Some(&bytes[32..])),
            _ => return Err(SecretError::Length),
        };
        let seed = seed.try_into().map_err(|_| SecretError::Length)?;
        let key = SigningKey::from_bytes(&seed);
        if public.is_some_and(|public| public != key.verifying_key().as_bytes()) {
            return Err(SecretError::Halves);
        }
        Ok(Self(Kind::Key(Box::new(key))))
    }

    /// What receivers verify with, where it is no secret: `whpk_…`.
    pub fn public_key(&self) -> Option<String> {
        match &self.0 {
            Kind::Shared(_) => None,
            Kind::Key(key) => Some(format!(
                "{PUBLIC_PREFIX}{}",
                STANDARD.encode(key.verifying_key().as_bytes())
            )),
        }
    }

    fn sign(&self, message: &[u8]) -> String {
        match &self.0 {
            Kind::Shared(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret())
                    .expect("HMAC takes keys of any length");
                mac.update(message);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            }
            Kind::Key(key) => format!("v1a,{}", STANDARD.encode(key.sign(message).to_bytes())),
        }
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(redacted)")
    }
}

/// The value of `webhook-signature`: one signature per secret, separated by spaces, so that receivers can change
/// secrets one after the other.
///
/// # Panics
/// Never: HMAC takes keys of any length.
pub fn sign(secrets: &[SigningSecret], id: &str, unix_secs: i64, body: &[u8]) -> String {
    let mut message = format!("{id}.{unix_secs}.").into_bytes();
    message.extend_from_slice(body);
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(&message)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SigningSecret {
        SigningSecret::parse(&text.into()).expect("a valid secret")
    }

    // The signature was computed by the `standardwebhooks` package 1.1.0 of PyPI.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn signatures_are_those_of_the_reference_implementation() {
        assert_eq!(
            sign(&[secret(SECRET)], ID, 1_614_265_330, BODY),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn during_a_rotation_every_secret_signs() {
        let other = "whsec_plJ3nmyCDGBKInavdOK15jslplJ3nmyCDGBKInav";
        let both = sign(&[secret(SECRET), secret(other)], ID, 1_614_265_330, BODY);
        let one = sign(&[secret(SECRET)], ID, 1_614_265_330, BODY);
        let two = sign(&[secret(other)], ID, 1_614_265_330, BODY);
        assert_eq!(both, format!("{one} {two}"));
        assert_ne!(one, two);
    }

    #[test]
    fn the_timestamp_and_the_id_are_signed() {
        let secrets = [secret(SECRET)];
        let signature = sign(&secrets, ID, 1, BODY);
        assert_ne!(signature, sign(&secrets, ID, 2, BODY));
        assert_ne!(signature, sign(&secrets, "msg_other", 1, BODY));
    }

    #[test]
    fn secrets_that_are_not_safe_are_refused() {
        let parse = |text: &str| SigningSecret::parse(&text.into()).map(|_| ());
        assert_eq!(
            parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            Err(SecretError::Prefix)
        );
        assert_eq!(parse("whsec_%%%"), Err(SecretError::Encoding));
        assert_eq!(parse("whsec_c2hvcnQ="), Err(SecretError::Length));
    }

    // RFC 8032, section 7.1, test 1: its key, and the public half.
    const KEY: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn a_key_signs_as_rfc_8032_says_and_tells_its_public_half() {
        let key = secret(KEY);
        assert_eq!(key.public_key().as_deref(), Some(PUBLIC));
        assert_eq!(secret(SECRET).public_key(), None);
        // The RFC's message is empty.
        let signature = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==";
        assert_eq!(key.sign(b""), format!("v1a,{signature}"));
    }

    #[test]
    fn secrets_and_keys_sign_side_by_side() {
        let both = sign(&[secret(SECRET), secret(KEY)], ID, 1_614_265_330, BODY);
        let parts: Vec<&str> = both.split(' ').collect();
        assert_eq!(parts.len(), 2);
        assert!(parts[0].starts_with("v1,") && parts[1].starts_with("v1a,"));
    }

    #[test]
    fn keys_whose_halves_differ_are_refused() {
        let mut bytes = STANDARD.decode(&KEY["whsk_".len()..]).expect("base64");
        let public = STANDARD.decode(&PUBLIC["whpk_".len()..]).expect("base64");
        bytes.extend_from_slice(&public);
        let whole = format!("whsk_{}", STANDARD.encode(&bytes));
        assert_eq!(secret(&whole).public_key().as_deref(), Some(PUBLIC));
        bytes[63] ^= 1;
        let broken = format!("whsk_{}", STANDARD.encode(&bytes));
        assert_eq!(
            SigningSecret::parse(&broken.as_str().into()).map(|_| ()),
            Err(SecretError::Halves)
        );
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        assert_eq!(format!("{:?}", secret(SECRET)), "SigningSecret(redacted)");
    }
}
