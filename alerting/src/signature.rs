//! Signatures of Standard Webhooks 1.0.0: HMAC-SHA-256 over `id.timestamp.body`, as `v1,` and base64.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// What secrets start with.
const PREFIX: &str = "whsec_";
/// The lengths that the specification allows, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that both sides know: `whsec_` and 24 to 64 bytes in base64.
#[derive(Clone)]
pub struct SigningSecret(SecretSlice<u8>);

/// Why a text is not a signing secret; says nothing about the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not start with `whsec_`.
    #[error("a signing secret starts with whsec_")]
    Prefix,
    /// What follows is not base64.
    #[error("what follows whsec_ is not base64")]
    Encoding,
    /// It is too short to be safe, or too long.
    #[error("a signing secret has 24 to 64 bytes before base64")]
    Length,
}

impl SigningSecret {
    /// Reads `whsec_…`.
    pub fn parse(text: &SecretString) -> Result<Self, SecretError> {
        let encoded = text
            .expose_secret()
            .trim()
            .strip_prefix(PREFIX)
            .ok_or(SecretError::Prefix)?;
        let bytes = STANDARD
            .decode(encoded)
            .map_err(|_| SecretError::Encoding)?;
        if SECRET_BYTES.contains(&bytes.len()) {
            Ok(Self(bytes.into()))
        } else {
            Err(SecretError::Length)
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
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.0.expose_secret())
                .expect("HMAC takes keys of any length");
            mac.update(format!("{id}.{unix_secs}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        })
        .collect();
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

    #[test]
    fn debug_does_not_show_the_secret() {
        assert_eq!(format!("{:?}", secret(SECRET)), "SigningSecret(redacted)");
    }
}
