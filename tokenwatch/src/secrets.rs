//! Secrets from the environment and from files, for the configuration's `*_env` and `*_file` keys.

use secrecy::SecretString;
use tokenwatch_model::SecretSource;

/// Reads this process's environment and the files that the configuration names.
#[derive(Debug)]
pub(crate) struct SystemSecrets;

impl SecretSource for SystemSecrets {
    fn env(&self, name: &str) -> Option<SecretString> {
        std::env::var(name).ok().map(SecretString::from)
    }

    fn file(&self, path: &str) -> Result<SecretString, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(SecretString::from(
            text.trim_end_matches(['\r', '\n']).to_owned(),
        ))
    }
}
