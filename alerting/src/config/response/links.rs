//! `[alerting.response.links]`: who gets links by which a response that waits is approved or vetoed.

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problems, ResponseLinkKey, SecretSource};

use super::secrets;

/// Shorter keys could be guessed.
const KEY_BYTES_LEAST: usize = 32;

/// `[alerting.response.links]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinksConfig {
    /// The environment variable that holds the key that signs them: at least 32 characters by chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// The file that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// The receivers that get links. Whoever reads their messages can approve and veto.
    pub receivers: Vec<String>,
}

/// `[alerting.response.links]`, checked.
#[derive(Clone, Debug)]
pub struct LinksSettings {
    /// What signs them.
    pub key: ResponseLinkKey,
    /// The receivers that get links, by their index.
    pub receivers: Vec<usize>,
}

pub(super) fn validate(
    config: &LinksConfig,
    receivers: &[&str],
    has_public_url: bool,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<LinksSettings> {
    const KEY: &str = "response.links";
    if !has_public_url {
        problems.add(KEY, "needs alerting.public_url, which the links lead to");
    }
    let mut places = Vec::new();
    for (index, name) in config.receivers.iter().enumerate() {
        match receivers.iter().position(|known| known == name) {
            Some(place) => places.push(place),
            None => problems.add(
                format!("{KEY}.receivers[{index}]"),
                format!("no receiver is called {name:?}"),
            ),
        }
    }
    let (env, file) = (config.key_env.as_deref(), config.key_file.as_deref());
    if env.is_none() && file.is_none() {
        problems.add(
            KEY,
            "needs a key: key_env = \"NAME\" or key_file = \"path\"",
        );
        return None;
    }
    let key = secrets::secret("response.links.key", env, file, secrets, problems)?;
    let text = key.expose_secret().trim();
    if text.len() < KEY_BYTES_LEAST {
        problems.add("response.links.key", "must have at least 32 characters");
        return None;
    }
    Some(LinksSettings {
        key: ResponseLinkKey::new(text.as_bytes()),
        receivers: places,
    })
}
