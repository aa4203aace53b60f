//! `[alerting.response]`: what is done about findings, by whom, and to whom it is never done.

mod links;
mod rules;
mod ssf;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Finding, Problems, ResponseAction, ResponseMode, SecretSource, Severity};

use super::secrets::{self, SecretUrl, UrlKeys};
use crate::response::{ResponseReason, ResponseRule};
use crate::signature::SigningSecret;
use crate::ssf::SsfSettings;

pub use links::{LinksConfig, LinksSettings};
pub use rules::{ResponseRuleConfig, RuleAction};
pub use ssf::SsfConfig;
pub use targets::{
    DenyListSettings, KongCredential, ResponderConfig, SsfEvent, SsfReceiver, SsfSubject,
    TargetKind, TargetSettings,
};

/// Each response in flight is a task; this many an hour bounds them.
const PER_HOUR_LIMIT: u32 = 1_000;
/// What a dry run without a target calls it.
const UNNAMED_TARGET: &str = "revoke";
/// Calls that are let in so long after a revocation are the gateway's way of hearing of it.
const LONGEST_GRACE: Duration = Duration::from_hours(1);

/// `[alerting.response]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseConfig {
    /// `off`, `dry_run` (journal what would be done) or `enforce`.
    pub mode: ResponseMode,
    /// At most this many responses in an hour; more are withheld.
    pub max_per_hour: u32,
    /// At most this many in an hour on the tokens of one owner (team, consumer); more are withheld.
    pub max_per_hour_per_owner: u32,
    /// A token that was revoked is not revoked again for another finding within this time.
    #[serde(with = "humantime_serde")]
    pub repeat_after: Duration,
    /// Tokens that are never revoked.
    pub protected: ProtectedTokens,
    /// How long after a response calls may still be let in; what comes later says that it did not work.
    #[serde(with = "humantime_serde")]
    pub effect_grace: Duration,
    /// How long the token's calls are watched after a response.
    #[serde(with = "humantime_serde")]
    pub watch_for: Duration,
    /// The webhook that revokes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetConfig>,
    /// More of those that are asked; one of either is needed to enforce.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ResponderConfig>,
    /// What is done about which finding: the first that matches decides. Without any, critical findings revoke.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<ResponseRuleConfig>,
    /// Links in messages by which a response that waits is approved or vetoed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<LinksConfig>,
    /// What signs security event tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssf: Option<SsfConfig>,
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
    /// Whether it takes `token.restore`, which takes back what it did.
    pub undo: bool,
}

/// `[alerting.response]`, checked.
#[derive(Clone, Debug)]
pub struct ResponseSettings {
    /// Whether responses are carried out.
    pub mode: ResponseMode,
    /// At most this many in an hour.
    pub max_per_hour: u32,
    /// At most this many in an hour on the tokens of one owner.
    pub max_per_hour_per_owner: u32,
    /// A token is revoked once in this time.
    pub repeat_after: Duration,
    /// Tokens that are never revoked.
    pub protected: ProtectedTokens,
    /// How long after a response calls may still be let in.
    pub effect_grace: Duration,
    /// How long calls are watched after a response.
    pub watch_for: Duration,
    /// Those that are asked. Without any, a dry run has one that does nothing.
    pub targets: Vec<TargetSettings>,
    /// What is done about which finding: the first that matches decides.
    pub rules: Vec<ResponseRule>,
    /// Links by which a response that waits is approved or vetoed.
    pub links: Option<LinksSettings>,
    /// What signs security event tokens, if any are sent.
    pub ssf: Option<Arc<SsfSettings>>,
}

impl Default for ResponseConfig {
    fn default() -> Self {
        Self {
            mode: ResponseMode::DryRun,
            max_per_hour: 20,
            max_per_hour_per_owner: 20,
            repeat_after: Duration::from_hours(24),
            protected: ProtectedTokens::default(),
            effect_grace: Duration::from_mins(5),
            watch_for: Duration::from_hours(1),
            target: None,
            targets: Vec::new(),
            rules: Vec::new(),
            links: None,
            ssf: None,
        }
    }
}

impl ResponseSettings {
    /// Whether anything may be done about `finding`, as far as it says itself.
    pub(crate) fn concerns(&self, finding: &Finding) -> bool {
        self.mode != ResponseMode::Off
            && finding.token.is_some()
            && self.rules.iter().any(|rule| rule.may_act_on(finding))
    }

    /// The gravest that may be done about `finding`, as far as it says itself.
    pub(crate) fn gravest(&self, finding: &Finding) -> Option<ResponseAction> {
        let rules = self.rules.iter().filter(|rule| rule.may_act_on(finding));
        rules.filter_map(|rule| rule.action).max()
    }

    /// Whether any rule asks from where tokens are used.
    pub(crate) fn restricts(&self) -> bool {
        let restrict = Some(ResponseAction::Restrict);
        self.rules.iter().any(|rule| rule.action == restrict)
    }

    /// The mildest severity that anything is done about.
    pub(crate) fn mildest(&self) -> Option<Severity> {
        let acting = self.rules.iter().filter(|rule| rule.action.is_some());
        let severities = acting.map(|rule| rule.matcher.severity.unwrap_or(Severity::Info));
        severities.min().filter(|_| self.mode != ResponseMode::Off)
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
    receivers: &[&str],
    has_public_url: bool,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> ResponseSettings {
    for (key, value) in [
        ("response.max_per_hour", config.max_per_hour),
        (
            "response.max_per_hour_per_owner",
            config.max_per_hour_per_owner,
        ),
    ] {
        if value == 0 || value > PER_HOUR_LIMIT {
            let message =
                format!("must be from 1 to {PER_HOUR_LIMIT}; to do nothing, set mode = \"off\"");
            problems.add(key, message);
        }
    }
    if config.effect_grace > LONGEST_GRACE || config.watch_for < config.effect_grace {
        let message = "must be at least effect_grace, which is an hour at most";
        problems.add("response.watch_for", message);
    }
    let has_target = config.target.is_some() || !config.targets.is_empty();
    if config.mode == ResponseMode::Enforce && !has_target {
        problems.add("response.target", "is needed when mode is \"enforce\"");
    }
    for (index, token) in config.protected.tokens.iter().enumerate() {
        if token.parse::<tokenwatch_model::TokenId>().is_err() {
            let key = format!("response.protected.tokens[{index}]");
            problems.add(key, "is not a token id: tok_ and 26 characters");
        }
    }
    let ssf = config.ssf.as_ref();
    let ssf = ssf
        .and_then(|ssf| ssf::validate(ssf, secrets, problems))
        .map(Arc::new);
    let targets = targets::validate(config, ssf.as_ref(), secrets, problems);
    let rules = rules::validate(&config.rules, &targets, problems);
    let links = config.links.as_ref();
    let links =
        links.map(|links| links::validate(links, receivers, has_public_url, secrets, problems));
    ResponseSettings {
        mode: config.mode,
        max_per_hour: config.max_per_hour,
        max_per_hour_per_owner: config.max_per_hour_per_owner,
        repeat_after: config.repeat_after,
        protected: config.protected.clone(),
        effect_grace: config.effect_grace,
        watch_for: config.watch_for,
        targets,
        rules,
        links: links.flatten(),
        ssf,
    }
}
