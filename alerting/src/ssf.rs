//! Security event tokens (RFC 8417) as the OpenID Shared Signals Framework 1.0 wants them: who signs them, and with which keys.
//!
//! Keys are P-256 (ES256) or RSA of 2,048 bits and more (RS256, which the CAEP interoperability profile asks for), as PEM. The first
//! signs, all are published, so that a key can be changed: publish the new one behind the old one, make it the first once receivers
//! have had time to read it, and drop the old one later. Streams are configured on both sides by hand; there is no API for them, and
//! the published configuration claims none.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::sign::Signer;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The framework's path for the public keys.
pub const JWKS_PATH: &str = "/ssf/jwks.json";
/// The path of the transmitter's configuration, for an issuer without a path of its own.
pub const CONFIGURATION_PATH: &str = "/.well-known/ssf-configuration";
/// A coordinate on P-256.
const COORDINATE_BYTES: i32 = 32;
/// RFC 7518, section 3.3, asks for as much.
const RSA_BYTES_MIN: u32 = 256;

/// Who signs security event tokens.
#[derive(Clone, Debug)]
pub struct SsfSettings {
    /// Who we are to receivers: an https URL without a path, below which keys and configuration are found.
    pub issuer: String,
    /// The first signs; all are published.
    pub keys: Vec<SsfKey>,
}

/// A key that signs.
#[derive(Clone)]
pub struct SsfKey {
    key: PKey<Private>,
    algorithm: Algorithm,
    /// The public half.
    jwk: Value,
    /// Its name: the thumbprint of the public half (RFC 7638).
    id: String,
}

#[derive(Clone, Copy)]
enum Algorithm {
    Es256,
    Rs256,
}

/// Why a text is not a key that can sign; says nothing about the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SsfKeyError {
    /// It is no private key.
    #[error("is not a private key in PEM without a passphrase")]
    Unreadable,
    /// It is of another kind.
    #[error("must be a key on P-256 or an RSA key")]
    Kind,
    /// It can be broken.
    #[error("an RSA key must have 2048 bits or more")]
    Short,
}

impl SsfSettings {
    /// The public keys, as a JWK set.
    pub fn jwks(&self) -> Value {
        let keys: Vec<&Value> = self.keys.iter().map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    /// What receivers may know of us: no more than there is.
    pub fn configuration(&self) -> Value {
        json!({
            "spec_version": "1_0",
            "issuer": self.issuer,
            "jwks_uri": format!("{}{JWKS_PATH}", self.issuer),
            "delivery_methods_supported": ["urn:ietf:rfc:8935"],
        })
    }

    /// A security event token with these claims, signed by the first key.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let key = self.keys.first()?;
        let header = json!({"alg": key.algorithm.name(), "kid": key.id, "typ": "secevent+jwt"});
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = key.sign(message.as_bytes()).ok()?;
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl SsfKey {
    /// Reads a private key in PEM.
    pub fn parse(pem: &SecretString) -> Result<Self, SsfKeyError> {
        let pem = pem.expose_secret().trim().as_bytes();
        // Without an answer of ours the library would ask for a passphrase on the terminal.
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0));
        let key = key.map_err(|_| SsfKeyError::Unreadable)?;
        let algorithm = algorithm_of(&key)?;
        let public = match algorithm {
            Algorithm::Es256 => point_of(&key),
            Algorithm::Rs256 => modulus_of(&key),
        };
        let mut jwk = public.map_err(|_| SsfKeyError::Unreadable)?;
        // The members that make the thumbprint, in the order of their names.
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(jwk.to_string()));
        jwk["kid"] = json!(id);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(algorithm.name());
        Ok(Self {
            key,
            algorithm,
            jwk,
            id,
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key)?;
        let signature = signer.sign_oneshot_to_vec(message)?;
        match self.algorithm {
            Algorithm::Rs256 => Ok(signature),
            Algorithm::Es256 => {
                // RFC 7518, section 3.4: both numbers at their full length, not the library's DER.
                let signature = EcdsaSig::from_der(&signature)?;
                let mut bytes = signature.r().to_vec_padded(COORDINATE_BYTES)?;
                bytes.extend(signature.s().to_vec_padded(COORDINATE_BYTES)?);
                Ok(bytes)
            }
        }
    }
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Debug for SsfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SsfKey({})", self.id)
    }
}

fn algorithm_of(key: &PKey<Private>) -> Result<Algorithm, SsfKeyError> {
    match key.id() {
        Id::RSA => {
            let size = key.rsa().map_err(|_| SsfKeyError::Unreadable)?.size();
            if size < RSA_BYTES_MIN {
                return Err(SsfKeyError::Short);
            }
            Ok(Algorithm::Rs256)
        }
        Id::EC => {
            let curve = key.ec_key().map_err(|_| SsfKeyError::Unreadable)?;
            if curve.group().curve_name() != Some(Nid::X9_62_PRIME256V1) {
                return Err(SsfKeyError::Kind);
            }
            Ok(Algorithm::Es256)
        }
        _ => Err(SsfKeyError::Kind),
    }
}

fn point_of(key: &PKey<Private>) -> Result<Value, ErrorStack> {
    let key = key.ec_key()?;
    let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
    let mut context = BigNumContext::new()?;
    key.public_key()
        .affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
    let encoded = |number: &BigNum| {
        let bytes = number.to_vec_padded(COORDINATE_BYTES)?;
        Ok::<_, ErrorStack>(URL_SAFE_NO_PAD.encode(bytes))
    };
    Ok(json!({"crv": "P-256", "kty": "EC", "x": encoded(&x)?, "y": encoded(&y)?}))
}

fn modulus_of(key: &PKey<Private>) -> Result<Value, ErrorStack> {
    let key = key.rsa()?;
    let (e, n) = (key.e().to_vec(), key.n().to_vec());
    Ok(json!({"e": URL_SAFE_NO_PAD.encode(e), "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n)}))
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::rsa::Rsa;
    use openssl::symm::Cipher;

    use super::*;

    fn pem(key: &PKey<Private>) -> SecretString {
        let pem = key.private_key_to_pem_pkcs8().expect("PEM");
        String::from_utf8(pem).expect("ASCII").into()
    }

    fn rsa(bits: u32) -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(bits).expect("a key")).expect("a key")
    }

    fn curve(name: Nid) -> PKey<Private> {
        let group = EcGroup::from_curve_name(name).expect("a curve");
        PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
    }

    // Made by OpenSSL's command line; the coordinates are those that it prints, the thumbprint was computed in Python.
    const EXAMPLE: &str = include_str!("testing/ssf_key.pem");

    #[test]
    fn a_key_is_published_by_its_coordinates_and_named_by_its_thumbprint() {
        let key = SsfKey::parse(&EXAMPLE.into()).expect("a key");
        let expected = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
            "x": "48UZsLgIxehZWkmQjRQKLuMyY8zD1fJ1xqUHrZJVtTQ",
            "y": "HET3jGHYCTymvFKj7tNMR9OFcoBAiRgSfMJbagWCUog",
            "kid": "muY4G2hcxZHkOavGu9cfQgDrLukdcEmEWDbCdCq5G3o",
        });
        assert_eq!(key.jwk, expected);
    }

    #[test]
    fn keys_that_cannot_sign_are_refused() {
        let refused = |key: &SecretString| SsfKey::parse(key).map(|_| ()).expect_err("refused");
        assert_eq!(refused(&"secret".into()), SsfKeyError::Unreadable);
        assert_eq!(refused(&pem(&rsa(1_024))), SsfKeyError::Short);
        assert_eq!(refused(&pem(&curve(Nid::SECP384R1))), SsfKeyError::Kind);
        let ed25519 = PKey::generate_ed25519().expect("a key");
        assert_eq!(refused(&pem(&ed25519)), SsfKeyError::Kind);
        let locked = curve(Nid::X9_62_PRIME256V1)
            .private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"secret")
            .expect("PEM");
        let locked = String::from_utf8(locked).expect("ASCII").into();
        assert_eq!(refused(&locked), SsfKeyError::Unreadable);
    }

    #[test]
    fn public_halves_alone_are_published() {
        let keys = [rsa(2_048), curve(Nid::X9_62_PRIME256V1)];
        let keys = keys
            .iter()
            .map(|key| SsfKey::parse(&pem(key)).expect("a key"));
        let settings = SsfSettings {
            issuer: "https://tokenwatch.example.com".to_owned(),
            keys: keys.collect(),
        };
        let jwks = settings.jwks();
        let members = |index: usize| {
            let key = jwks["keys"][index].as_object().expect("an object");
            let mut members: Vec<_> = key.keys().cloned().collect();
            members.sort();
            members
        };
        assert_eq!(members(0), ["alg", "e", "kid", "kty", "n", "use"]);
        assert_eq!(members(1), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    }
}
