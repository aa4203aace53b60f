//! What is written under `[alerting]`, and what it means once it was checked.
//!
//! `AlertingConfig` is the text's shape; `validate` reads the secrets that it names and gives `AlertingSettings`, or
//! every problem at once. URLs of receivers are treated as secrets: Slack's is one, and others carry tokens too.

mod receivers;
mod response;
mod routes;
mod secrets;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource, Severity};
use url::Url;

pub use receivers::{ChannelSettings, ReceiverConfig, ReceiverSettings, SmtpTls};
pub use response::{
    ProtectedTokens, ResponseConfig, ResponseSettings, TargetConfig, TargetSettings,
};
pub use routes::{Matcher, RouteConfig};
pub use secrets::SecretUrl;

use crate::decision::{ReceiverPolicy, Routing};

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
    /// Whom messages go to.
    pub receivers: Vec<ReceiverConfig>,
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
    /// Which findings go to whom.
    pub routing: Routing,
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
            receivers: vec![ReceiverConfig::Log {
                name: "log".to_owned(),
                file: None,
                send_closed: true,
            }],
            routes: vec![RouteConfig {
                severity: Severity::Low,
                receivers: vec!["log".to_owned()],
                ..RouteConfig::default()
            }],
            response: ResponseConfig::default(),
        }
    }
}

impl AlertingConfig {
    /// Checks everything and reads the secrets that it names.
    ///
    /// # Panics
    /// Never: where there are no problems, there are settings.
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
        ] {
            if value < Duration::from_secs(least) {
                problems.add(key, format!("must be at least {least}s"));
            }
        }
        let receivers = self.receivers(secrets, &mut problems);
        let routes = routes::validate(&self.routes, &self.receivers, &mut problems);
        let response = response::validate(&self.response, secrets, &mut problems);
        problems.into_result(|| AlertingSettings {
            public_url,
            max_age: self.max_age,
            reconcile_every: self.reconcile_every,
            drain_timeout: self.drain_timeout,
            retry_delays,
            routing: Routing {
                routes,
                receivers: receivers
                    .iter()
                    .map(|receiver| ReceiverPolicy {
                        name: receiver.name.clone(),
                        send_closed: receiver.send_closed,
                    })
                    .collect(),
            },
            receivers,
            response: response.expect("without problems there are settings"),
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
