//! URLs and signing secrets out of the environment and files.

use std::fmt;

use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokenwatch_model::{Problems, SecretSource};
use url::{Host, Url};

use crate::http::is_public;
use crate::signature::SigningSecret;

/// A URL that may itself be a secret, as Slack's webhooks are; shown nowhere.
#[derive(Clone)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Wraps a URL.
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// The URL, for the request alone.
    pub(crate) fn expose(&self) -> &Url {
        &self.0
    }

    /// Tells one URL from another without showing either: 64 bits of its hash.
    pub(crate) fn digest(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0.as_str())[..8])
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl(redacted)")
    }
}

/// The three ways to name a URL; exactly one is used.
#[derive(Clone, Copy)]
pub(super) struct UrlKeys<'c> {
    url: Option<&'c str>,
    url_env: Option<&'c str>,
    url_file: Option<&'c str>,
}

impl<'c> UrlKeys<'c> {
    /// As they were written.
    #[expect(clippy::ref_option, reason = "these are fields of a configuration")]
    pub(super) fn one_of(
        url: &'c Option<String>,
        url_env: &'c Option<String>,
        url_file: &'c Option<String>,
    ) -> Self {
        Self {
            url: url.as_deref(),
            url_env: url_env.as_deref(),
            url_file: url_file.as_deref(),
        }
    }

    /// A URL that is no secret.
    pub(super) fn plain(url: &'c str) -> Self {
        Self {
            url: Some(url),
            url_env: None,
            url_file: None,
        }
    }
}

/// The secret in the environment variable or the file that the configuration names under `key` + `_env` or `_file`.
pub(super) fn secret(
    key: &str,
    env: Option<&str>,
    file: Option<&str>,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SecretString> {
    match (env, file) {
        (Some(_), Some(_)) => {
            problems.add(key, format!("{key}_env and {key}_file exclude each other"));
            None
        }
        (Some(name), None) => from_env(&format!("{key}_env"), name, secrets, problems),
        (None, Some(path)) => from_file(&format!("{key}_file"), path, secrets, problems),
        (None, None) => None,
    }
}

/// The URL that one of the three keys below `key` names.
pub(super) fn url(
    key: &str,
    keys: UrlKeys<'_>,
    allow_private: bool,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SecretUrl> {
    let given = [keys.url, keys.url_env, keys.url_file];
    if given.iter().flatten().count() != 1 {
        problems.add(key, "needs exactly one of url, url_env and url_file");
        return None;
    }
    let key = format!("{key}.url");
    let text = match keys.url {
        Some(text) => text.to_owned(),
        None => secret(&key, keys.url_env, keys.url_file, secrets, problems)?
            .expose_secret()
            .to_owned(),
    };
    match check_url(&text, allow_private) {
        Ok(url) => Some(SecretUrl(url)),
        Err(message) => {
            problems.add(key, message);
            None
        }
    }
}

/// The signing secrets that `secret_env` and `secret_file` below `key` list; at least one.
pub(super) fn signing_secrets(
    key: &str,
    env: &[String],
    file: &[String],
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Vec<SigningSecret> {
    if env.is_empty() && file.is_empty() {
        let message = "needs a signing secret: secret_env = [\"NAME\"] or secret_file = [\"path\"]";
        problems.add(key, message);
    }
    let mut found = Vec::new();
    let mut take = |key: String, text: Option<SecretString>, problems: &mut Problems| match text
        .as_ref()
        .map(SigningSecret::parse)
    {
        Some(Ok(secret)) => found.push(secret),
        Some(Err(error)) => problems.add(key, error.to_string()),
        None => {}
    };
    for (index, name) in env.iter().enumerate() {
        let key = format!("{key}.secret_env[{index}]");
        let text = from_env(&key, name, secrets, problems);
        take(key, text, problems);
    }
    for (index, path) in file.iter().enumerate() {
        let key = format!("{key}.secret_file[{index}]");
        let text = from_file(&key, path, secrets, problems);
        take(key, text, problems);
    }
    found
}

/// The secret in an environment variable.
pub(super) fn from_env(
    key: &str,
    name: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SecretString> {
    let found = secrets
        .env(name)
        .filter(|text| !text.expose_secret().is_empty());
    if found.is_none() {
        let message = format!("the environment variable {name} is not set");
        problems.add(key, message);
    }
    found
}

/// The secret in a file.
pub(super) fn from_file(
    key: &str,
    path: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SecretString> {
    secrets
        .file(path)
        .map_err(|why| problems.add(key, format!("{path} cannot be read: {why}")))
        .ok()
}

/// Whether a URL may be a receiver's. The message never repeats the URL.
fn check_url(text: &str, allow_private: bool) -> Result<Url, &'static str> {
    let url = Url::parse(text.trim()).map_err(|_| "is not a URL")?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => return Err("must be https; http only with allow_private = true"),
        _ => return Err("must be an https URL"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    let public = match url.host() {
        Some(Host::Ipv4(ip)) => is_public(ip.into()),
        Some(Host::Ipv6(ip)) => is_public(ip.into()),
        Some(Host::Domain(_)) => true,
        None => return Err("names no host"),
    };
    if public || allow_private {
        Ok(url)
    } else {
        Err("names an address that is not public; allow it with allow_private = true")
    }
}
