//! Who may push: keys are kept and compared as digests, in constant time.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A key that may push.
#[derive(Clone)]
pub struct PushKey {
    name: String,
    digest: [u8; 32],
}

impl PushKey {
    pub(super) fn new(name: &str, secret: &SecretString) -> Self {
        Self {
            name: name.to_owned(),
            digest: digest(secret.expose_secret().as_bytes()),
        }
    }

    pub(super) fn is_same_secret(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// Who uses it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for PushKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The key that a request carries, as `Authorization: Bearer …` or `X-API-Key: …`; all keys are compared every time.
pub(super) fn find_key<'a>(headers: &HeaderMap, keys: &'a [PushKey]) -> Option<&'a PushKey> {
    let digest = digest(presented_key(headers)?);
    keys.iter().fold(None, |found, key| {
        let same: bool = key.digest.ct_eq(&digest).into();
        if same { Some(key) } else { found }
    })
}

fn presented_key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, value: &str) -> Option<&'static str> {
        let keys = ["first", "second"]
            .map(|name| PushKey::new(name, &SecretString::from(format!("the key of {name}"))));
        let mut headers = HeaderMap::new();
        headers.insert(
            http::HeaderName::from_bytes(header.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
        find_key(&headers, &keys).map(|key| {
            if key.name() == "first" {
                "first"
            } else {
                "second"
            }
        })
    }

    #[test]
    fn a_key_is_known_by_either_header() {
        assert_eq!(check("x-api-key", "the key of first"), Some("first"));
        assert_eq!(
            check("authorization", "Bearer the key of second"),
            Some("second")
        );
        assert_eq!(
            check("authorization", "bearer the key of second"),
            Some("second")
        );
    }

    #[test]
    fn anything_else_is_nobody() {
        assert_eq!(check("x-api-key", "the key of firs"), None);
        assert_eq!(check("x-api-key", ""), None);
        assert_eq!(check("authorization", "Basic the key of first"), None);
        assert_eq!(check("authorization", "Bear"), None);
    }
}
