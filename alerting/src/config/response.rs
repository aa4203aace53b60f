//! `[alerting.response]`: what is done about critical findings, and to whom it is never done.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Finding, Problems, ResponseMode, SecretSource};

use super::secrets::{self, SecretUrl, UrlKeys};
use crate::response::ResponseReason;
use crate::signature::SigningSecret;

/// Each response in flight is a task; this many an hour bounds them.
const PER_HOUR_LIMIT: u32 = 1_000;
/// What a dry run without a target calls it.
const UNNAMED_TARGET: &str = "revoke";

/// `[alerting.response]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseConfig {
    /// `off`, `dry_run` (journal what would be done) or `enforce`.
    pub mode: ResponseMode,
    /// At most this many responses in an hour; more are withheld.
    pub max_per_hour: u32,
    /// A token that was revoked is not revoked again for another finding within this time.
    #[serde(with = "humantime_serde")]
    pub repeat_after: Duration,
    /// Tokens that are never revoked.
    pub protected: ProtectedTokens,
    /// The webhook that revokes; needed to enforce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetConfig>,
}

/// `[alerting.response.protected]`: tokens that are never revoked, by any of their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectedTokens {
    /// `tok_…` ids.
    pub tokens: Vec<String>,
    /// Credential ids, as the gateway names them.
    pub credential_ids: Vec<String>,
    /// Consumers; all of their tokens are protected.
    pub consumers: Vec<String>,
}

/// `[alerting.response.target]`: a webhook signed like every other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetConfig {
    /// What the journal calls it. A finding is answered once per name.
    pub name: String,
    /// Its URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The environment variable that holds its URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_env: Option<String>,
    /// The file that holds its URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<String>,
    /// Environment variables with signing secrets; all sign.
    pub secret_env: Vec<String>,
    /// Files with signing secrets; all sign.
    pub secret_file: Vec<String>,
    /// Whether it may have a private, link-local or loopback address, and be reached by http.
    pub allow_private: bool,
}

/// `[alerting.response]`, checked.
#[derive(Clone, Debug)]
pub struct ResponseSettings {
    /// Whether responses are carried out.
    pub mode: ResponseMode,
    /// At most this many in an hour.
    pub max_per_hour: u32,
    /// A token is revoked once in this time.
    pub repeat_after: Duration,
    /// Tokens that are never revoked.
    pub protected: ProtectedTokens,
    /// What the journal calls the target.
    pub target_name: Arc<str>,
    /// The target; always there in mode `enforce`.
    pub target: Option<TargetSettings>,
}

/// The target, checked.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// Where it is.
    pub url: SecretUrl,
    /// What requests are signed with.
    pub secrets: Vec<SigningSecret>,
    /// Whether its address may be a private one.
    pub allow_private: bool,
}

impl Default for ResponseConfig {
    fn default() -> Self {
        Self {
            mode: ResponseMode::DryRun,
            max_per_hour: 20,
            repeat_after: Duration::from_hours(24),
            protected: ProtectedTokens::default(),
            target: None,
        }
    }
}

impl ProtectedTokens {
    /// By which of its names the finding's token is protected, if it is.
    pub(crate) fn protects(&self, finding: &Finding) -> Option<ResponseReason> {
        let token = finding.token.as_ref()?;
        let names = |list: &[String], name: Option<&String>| {
            name.is_some_and(|name| list.iter().any(|listed| listed == name))
        };
        if names(&self.tokens, Some(&token.id.to_string())) {
            Some(ResponseReason::ProtectedToken)
        } else if names(&self.credential_ids, token.credential_id.as_ref()) {
            Some(ResponseReason::ProtectedCredential)
        } else if names(&self.consumers, token.consumer.as_ref()) {
            Some(ResponseReason::ProtectedConsumer)
        } else {
            None
        }
    }
}

pub(super) fn validate(
    config: &ResponseConfig,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<ResponseSettings> {
    if config.max_per_hour == 0 || config.max_per_hour > PER_HOUR_LIMIT {
        let message =
            format!("must be from 1 to {PER_HOUR_LIMIT}; to do nothing, set mode = \"off\"");
        problems.add("response.max_per_hour", message);
    }
    if config.mode == ResponseMode::Enforce && config.target.is_none() {
        problems.add("response.target", "is needed when mode is \"enforce\"");
    }
    for (index, token) in config.protected.tokens.iter().enumerate() {
        if token.parse::<tokenwatch_model::TokenId>().is_err() {
            let key = format!("response.protected.tokens[{index}]");
            problems.add(key, "is not a token id: tok_ and 26 characters");
        }
    }
    let target = match &config.target {
        None => None,
        Some(target) => Some(validate_target(target, secrets, problems)?),
    };
    let named = config.target.as_ref().map(|target| target.name.as_str());
    Some(ResponseSettings {
        mode: config.mode,
        max_per_hour: config.max_per_hour,
        repeat_after: config.repeat_after,
        protected: config.protected.clone(),
        target_name: named.unwrap_or(UNNAMED_TARGET).into(),
        target,
    })
}

fn validate_target(
    target: &TargetConfig,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<TargetSettings> {
    const KEY: &str = "response.target";
    if target.name.is_empty() {
        problems.add("response.target.name", "must not be empty");
    }
    let keys = UrlKeys {
        url: target.url.as_deref(),
        url_env: target.url_env.as_deref(),
        url_file: target.url_file.as_deref(),
    };
    let url = secrets::url(KEY, keys, target.allow_private, secrets, problems);
    let (env, file) = (&target.secret_env, &target.secret_file);
    let signing = secrets::signing_secrets(KEY, env, file, secrets, problems);
    Some(TargetSettings {
        url: url?,
        secrets: signing,
        allow_private: target.allow_private,
    })
}
