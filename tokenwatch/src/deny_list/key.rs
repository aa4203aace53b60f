//! The keys by which machines are known.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// Digests of keys: they have one length, so that comparing takes one time.
#[derive(Clone)]
pub(super) struct Keys(Vec<[u8; 32]>);

impl Keys {
    pub(super) fn new(keys: &[SecretString]) -> Self {
        let digest = |key: &SecretString| Sha256::digest(key.expose_secret().trim()).into();
        Self(keys.iter().map(digest).collect())
    }

    /// Whether `given` is one of them. All are compared, whichever it is.
    pub(super) fn admit(&self, given: Option<&[u8]>) -> bool {
        let given: [u8; 32] = Sha256::digest(given.unwrap_or_default()).into();
        let fits = |found: Choice, key: &[u8; 32]| found | key.ct_eq(&given);
        self.0.iter().fold(Choice::from(0), fits).into()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
