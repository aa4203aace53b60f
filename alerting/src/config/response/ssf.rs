//! `[alerting.response.ssf]`: who we are to receivers of security event tokens, and what signs them.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problems, SecretSource};
use url::Url;

use super::secrets;
use crate::ssf::{SsfKey, SsfSettings};

/// Published keys: the one that signs, the one before it, the next.
const KEYS_LIMIT: usize = 4;

/// `[alerting.response.ssf]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SsfConfig {
    /// The URL under which receivers find our keys: https, without a path.
    pub issuer: String,
    /// Environment variables with private keys in PEM; the first signs, all are published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_env: Vec<String>,
    /// Files with such keys, behind those.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_file: Vec<String>,
}

/// The settings; nothing if anything is wrong with them.
pub(super) fn validate(
    config: &SsfConfig,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SsfSettings> {
    let issuer = config.issuer.trim_end_matches('/');
    if !is_issuer(issuer) {
        let message = "must be an https URL without a path, such as https://tokenwatch.example.com";
        problems.add("response.ssf.issuer", message);
    }
    let count = config.key_env.len() + config.key_file.len();
    if !(1..=KEYS_LIMIT).contains(&count) {
        let message = format!("needs key_env or key_file, with {KEYS_LIMIT} keys at most");
        problems.add("response.ssf", message);
    }
    let mut keys = Vec::new();
    let mut take = |key: String, pem: Option<SecretString>, problems: &mut Problems| match pem
        .as_ref()
        .map(SsfKey::parse)
    {
        Some(Ok(parsed)) => keys.push(parsed),
        Some(Err(error)) => problems.add(key, error.to_string()),
        None => {}
    };
    for (index, name) in config.key_env.iter().enumerate() {
        let key = format!("response.ssf.key_env[{index}]");
        let pem = secrets::from_env(&key, name, secrets, problems);
        take(key, pem, problems);
    }
    for (index, path) in config.key_file.iter().enumerate() {
        let key = format!("response.ssf.key_file[{index}]");
        let pem = secrets::from_file(&key, path, secrets, problems);
        take(key, pem, problems);
    }
    (keys.len() == count).then(|| SsfSettings {
        issuer: issuer.to_owned(),
        keys,
    })
}

fn is_issuer(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let rest = [url.query(), url.fragment(), url.password()];
        url.scheme() == "https"
            && url.path() == "/"
            && url.username().is_empty()
            && rest.iter().all(Option::is_none)
    })
}
