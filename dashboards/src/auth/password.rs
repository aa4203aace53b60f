//! Passwords: argon2id with OWASP's parameters, off the event loop and a few at a time.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::problem::ApiError;

/// Hashes computed at a time: at 19 MiB and about 30 ms each, a flood of logins takes two cores and 38 MiB at most.
const CONCURRENCY_LIMIT: usize = 2;
/// How long a login waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// Random bits of a password that we make up ourselves.
const GENERATED_BYTES: usize = 15;

/// Checks passwords.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// What the password of an unknown user is checked against, so that it takes as long as that of a known one.
    decoy: Arc<str>,
}

/// The password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("hashing a password failed: {0}")]
pub(crate) struct HashError(argon2::password_hash::Error);

impl Passwords {
    pub(crate) fn new() -> Result<Self, HashError> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(CONCURRENCY_LIMIT)),
            decoy: hash_password(&generate_password())?.into(),
        })
    }

    /// Whether `password` is the one behind `hash`; without a hash the answer is no, after the same work.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| ApiError::Busy)?
            .map_err(|_| ApiError::Internal)?;
        let decoy = Arc::clone(&self.decoy);
        let matches = tokio::task::spawn_blocking(move || {
            // Held by the work, not by the request: a client that hangs up does not make room for another.
            let _turn = turn;
            let expected = hash.as_deref().unwrap_or(&decoy);
            let matches = argon2()
                .verify_password(password.expose_secret().as_bytes(), expected)
                .is_ok();
            matches && hash.is_some()
        });
        matches.await.map_err(|_| ApiError::Internal)
    }
}

/// The PHC string of `password`.
pub(crate) fn hash_password(password: &SecretString) -> Result<String, HashError> {
    argon2()
        .hash_password(password.expose_secret().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(HashError)
}

/// A random password of 24 characters (120 bits) that is easy to type.
pub(crate) fn generate_password() -> SecretString {
    let mut bytes = [0; GENERATED_BYTES];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    let text = data_encoding::BASE32_NOPAD.encode(&bytes);
    SecretString::from(text.to_ascii_lowercase())
}

/// OWASP's first choice with argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the parameters are within bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_is_accepted() {
        let passwords = Passwords::new().unwrap();
        let secret = SecretString::from("correct horse battery staple");
        let hash = hash_password(&secret).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verify = async |password: &str, hash: Option<&str>| {
            passwords
                .verify(SecretString::from(password), hash.map(str::to_owned))
                .await
                .unwrap()
        };
        assert!(verify(secret.expose_secret(), Some(&hash)).await);
        assert!(!verify("correct horse", Some(&hash)).await);
        assert!(!verify(secret.expose_secret(), None).await);
        assert!(!verify(secret.expose_secret(), Some("not a hash")).await);
    }

    #[test]
    fn generated_passwords_differ() {
        let (one, two) = (generate_password(), generate_password());
        assert_ne!(one.expose_secret(), two.expose_secret());
        assert_eq!(one.expose_secret().len(), 24);
    }
}
