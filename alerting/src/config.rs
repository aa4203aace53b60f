//! What is written under `[alerting]`, and what it means once it was checked.
//!
//! `AlertingConfig` is the text's shape; `validate` reads the secrets that it names and gives `AlertingSettings`, or
//! every problem at once. URLs of receivers are treated as secrets: Slack's is one, and others carry tokens too.

mod receivers;
mod response;
mod routes;
mod secrets;
mod templates;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource, Severity};
use url::Url;

pub use receivers::{
    BodyFormat, ChannelSettings, ChatConfig, KafkaOptions, ReceiverConfig, ReceiverSettings,
    SmtpTls, SyslogFormat, SyslogSettings, SyslogTransport,
};
pub use response::{
    DenyListSettings, KongCredential, LinksConfig, LinksSettings, ProtectedTokens, ResponderConfig,
    ResponseConfig, ResponseRuleConfig, ResponseSettings, RuleAction, SsfConfig, SsfEvent,
    SsfReceiver, SsfSubject, TargetConfig, TargetKind, TargetSettings,
};
pub use routes::{DigestConfig, EscalationConfig, RouteConfig};
pub use secrets::SecretUrl;
pub use templates::TemplateConfig;
pub use windows::WindowConfig;

use crate::layout::Layout;
use crate::routing::Routing;

/// More receivers than any team has; bounds queues and tasks.
const RECEIVER_LIMIT: usize = 64;
/// A delivery is tried this often at most, first attempt included.
const ATTEMPT_LIMIT: usize = 12;
/// No single wait between attempts is longer.
const LONGEST_DELAY: Duration = Duration::from_hours(24);

/// `[alerting]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertingConfig {
    /// Where people reach the console; messages link to findings below it. Empty: no links.
    pub public_url: String,
    /// Findings whose last event is older are recorded as muted and not announced.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// How often findings are compared with the ledger, besides at start and after an overflow.
    #[serde(with = "humantime_serde")]
    pub reconcile_every: Duration,
    /// How long a stopping process goes on sending what is due.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
    /// Waits before the second, third, … attempt; one attempt more than there are waits.
    pub retry_delays: Vec<String>,
    /// This instance's name where several share a store: one of them announces at a time. Empty: there is one.
    pub instance: String,
    /// How long an instance that is gone is waited for before another takes over.
    #[serde(with = "humantime_serde")]
    pub takeover_after: Duration,
    /// How long before its end a silence is told of; `0s`: never.
    #[serde(with = "humantime_serde")]
    pub silence_warning: Duration,
    /// The receivers that are told of receivers that cannot be reached and of silences that end.
    pub notices_to: Vec<String>,
    /// Whom messages go to.
    pub receivers: Vec<ReceiverConfig>,
    /// Operators' own wording.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateConfig>,
    /// Named times, for routes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowConfig>,
    /// Which findings go to whom.
    pub routes: Vec<RouteConfig>,
    /// What is done about critical findings.
    pub response: ResponseConfig,
}

/// `[alerting]`, checked.
#[derive(Clone, Debug)]
pub struct AlertingSettings {
    /// Where people reach the console.
    pub public_url: Option<Url>,
    /// Findings whose last event is older are not announced.
    pub max_age: Duration,
    /// How often findings are compared with the ledger.
    pub reconcile_every: Duration,
    /// How long a stopping process goes on sending.
    pub drain_timeout: Duration,
    /// Waits between attempts.
    pub retry_delays: Vec<Duration>,
    /// Whom messages go to, in the order of [`Routing::receivers`].
    pub receivers: Vec<ReceiverSettings>,
    /// What messages look like, for each receiver.
    pub(crate) layouts: Vec<Layout>,
    /// Which findings go to whom.
    pub routing: Arc<Routing>,
    /// This instance's name where several share a store.
    pub instance: Option<String>,
    /// How long an instance that is gone is waited for.
    pub takeover_after: Duration,
    /// How long before its end a silence is told of.
    pub silence_warning: Duration,
    /// Indices of the receivers that are told of receivers that cannot be reached and of silences that end.
    pub notices_to: Vec<usize>,
    /// What is done about critical findings.
    pub response: ResponseSettings,
}

impl Default for AlertingConfig {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            max_age: Duration::from_hours(24),
            reconcile_every: Duration::from_mins(10),
            drain_timeout: Duration::from_secs(5),
            // Standard Webhooks' schedule with half a minute put in after the first 5 s: a page that waits 5 minutes
            // because a receiver restarted is late. 17.6 hours in sum, within the 24 that a finding stays news.
            retry_delays: ["5s", "30s", "5m", "30m", "2h", "5h", "10h"]
                .map(str::to_owned)
                .into(),
            instance: String::new(),
            takeover_after: Duration::from_secs(15),
            silence_warning: Duration::from_hours(1),
            notices_to: Vec::new(),
            templates: Vec::new(),
            windows: Vec::new(),
            receivers: vec![ReceiverConfig::Log {
                name: "log".to_owned(),
                file: None,
                send_closed: true,
            }],
            routes: vec![RouteConfig {
                severity: Some(Severity::Low),
                receivers: vec!["log".to_owned()],
                ..RouteConfig::default()
            }],
            response: ResponseConfig::default(),
        }
    }
}

impl AlertingConfig {
    /// Checks everything and reads the secrets that it names.
    pub fn validate(
        &self,
        prefix: &str,
        secrets: &dyn SecretSource,
    ) -> Result<AlertingSettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        let public_url = self.public_url(&mut problems);
        let retry_delays = self.retry_delays(&mut problems);
        for (key, value, least) in [
            ("max_age", self.max_age, 60),
            ("reconcile_every", self.reconcile_every, 1),
            ("takeover_after", self.takeover_after, 3),
        ] {
            if value < Duration::from_secs(least) {
                problems.add(key, format!("must be at least {least}s"));
            }
        }
        let receivers = self.receivers(secrets, &mut problems);
        let names: Vec<&str> = self.receivers.iter().map(ReceiverConfig::name).collect();
        let windows = windows::validate(&self.windows, &mut problems);
        let mut routing = routes::validate(&self.routes, &names, windows, &mut problems);
        routing.receivers = receivers.iter().map(ReceiverSettings::policy).collect();
        let mut notices_to = Vec::new();
        for (index, name) in self.notices_to.iter().enumerate() {
            if let Some(receiver) = names.iter().position(|known| known == name) {
                notices_to.push(receiver);
            } else {
                let key = format!("notices_to[{index}]");
                problems.add(key, format!("no receiver is called {name:?}"));
            }
        }
        let layouts =
            templates::validate(&self.templates, &names, public_url.as_ref(), &mut problems);
        let response = response::validate(
            &self.response,
            &names,
            public_url.is_some(),
            secrets,
            &mut problems,
        );
        problems.into_result(|| AlertingSettings {
            public_url,
            max_age: self.max_age,
            reconcile_every: self.reconcile_every,
            drain_timeout: self.drain_timeout,
            retry_delays,
            routing: Arc::new(routing),
            instance: (!self.instance.is_empty()).then(|| self.instance.clone()),
            takeover_after: self.takeover_after,
            silence_warning: self.silence_warning,
            notices_to,
            receivers,
            layouts,
            response,
        })
    }

    fn public_url(&self, problems: &mut Problems) -> Option<Url> {
        if self.public_url.is_empty() {
            return None;
        }
        match Url::parse(&self.public_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => {
                Some(url)
            }
            _ => {
                problems.add(
                    "public_url",
                    "must be an http or https URL without a query, like \"https://tokenwatch.example.com\"",
                );
                None
            }
        }
    }

    fn retry_delays(&self, problems: &mut Problems) -> Vec<Duration> {
        if self.retry_delays.len() >= ATTEMPT_LIMIT {
            let message = format!("has at most {} waits", ATTEMPT_LIMIT - 1);
            problems.add("retry_delays", message);
        }
        let mut delays = Vec::new();
        for (index, text) in self.retry_delays.iter().enumerate() {
            match humantime::parse_duration(text) {
                Ok(delay) if delay <= LONGEST_DELAY => delays.push(delay),
                _ => problems.add(
                    format!("retry_delays[{index}]"),
                    "must be a duration up to a day, like \"30s\"",
                ),
            }
        }
        delays
    }

    fn receivers(
        &self,
        secrets: &dyn SecretSource,
        problems: &mut Problems,
    ) -> Vec<ReceiverSettings> {
        if self.receivers.len() > RECEIVER_LIMIT {
            problems.add("receivers", format!("has at most {RECEIVER_LIMIT} entries"));
        }
        let mut settings = Vec::new();
        for (index, receiver) in self.receivers.iter().enumerate() {
            let key = format!("receivers[{index}]");
            if self.receivers[..index]
                .iter()
                .any(|other| other.name() == receiver.name())
            {
                let message = format!("{:?} is the name of another receiver", receiver.name());
                problems.add(format!("{key}.name"), message);
            }
            settings.extend(receivers::validate(receiver, &key, secrets, problems));
        }
        settings
    }
}

#[cfg(test)]
mod tests;
