//! `[leaks]`: who may report tokens that were found exposed.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource};

/// `[leaks]`, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LeaksConfig {
    /// The environment variable with the bearer token of `POST /api/v1/leaks`; empty: there is no such path.
    pub(crate) token_env: String,
    /// The file with that token.
    pub(crate) token_file: String,
    /// Where GitHub's public keys are; empty: `POST /api/v1/leaks/github` is not there.
    pub(crate) github_keys_url: String,
}

/// `[leaks]`, validated.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaksSettings {
    pub(crate) bearer: Option<SecretString>,
    pub(crate) github_keys_url: Option<String>,
}

impl LeaksConfig {
    /// The settings, or everything that is wrong, with key paths below `prefix`.
    pub(crate) fn validate(
        &self,
        prefix: &str,
        secrets: &dyn SecretSource,
    ) -> Result<LeaksSettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        let mut bearer = None;
        if !self.token_env.is_empty() {
            bearer = secrets.env(&self.token_env);
            if bearer.is_none() {
                problems.add("token_env", format!("{} is not set", self.token_env));
            }
        } else if !self.token_file.is_empty() {
            match secrets.file(&self.token_file) {
                Ok(secret) => bearer = Some(secret),
                Err(message) => problems.add("token_file", message),
            }
        }
        let url = &self.github_keys_url;
        let is_local = url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:");
        if !url.is_empty() && !url.starts_with("https://") && !is_local {
            problems.add(
                "github_keys_url",
                "must begin with https://: who can change the keys can forge reports",
            );
        }
        problems.into_result(|| LeaksSettings {
            bearer,
            github_keys_url: (!url.is_empty()).then(|| url.clone()),
        })
    }
}
