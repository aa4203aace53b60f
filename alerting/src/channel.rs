//! The ways to reach a receiver, one file each, and what can come of an attempt.

mod email;
mod log;
mod slack;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelValue;
use tokenwatch_model::{Finding, Response, Severity, Timestamp};
use url::Url;

use crate::config::{ChannelSettings, ReceiverSettings};
use crate::error::AlertingError;
use crate::http::NoAnswer;
use crate::occasion::Occasion;

/// How a receiver is reached.
pub(crate) enum Channel {
    /// The process's own log, and a file.
    Log(log::LogChannel),
    /// Mail.
    Email(Box<email::EmailChannel>),
    /// A Slack incoming webhook.
    Slack(slack::SlackChannel),
    /// A signed webhook.
    Webhook(webhook::WebhookChannel),
    /// Answers from a script.
    #[cfg(test)]
    Script(script::ScriptChannel),
}

/// The channels by name, for metrics and the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
pub(crate) enum ChannelName {
    log,
    email,
    slack,
    webhook,
}

/// One message to one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// The notification's id, the same for every attempt and after every restart.
    pub id: String,
    /// What about the finding.
    pub occasion: Occasion,
    /// The severity that is announced.
    pub severity: Severity,
    /// The finding.
    pub finding: Arc<Finding>,
    /// What was done about it before anybody was told.
    pub response: Option<Response>,
    /// Whether an earlier attempt may have reached the receiver.
    pub repeated: bool,
}

/// What came of an attempt. Reasons are short names from a closed list, never another party's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The receiver took it.
    Accepted,
    /// It may work later.
    Retry {
        /// Why it did not work.
        reason: String,
        /// How long the receiver asked to be left alone.
        after: Option<Duration>,
    },
    /// It will not work however often it is tried.
    Rejected {
        /// Why.
        reason: String,
    },
    /// The receiver is gone for good, and so is this endpoint until it is configured anew.
    Gone,
}

impl Channel {
    /// Sets up what `receiver` needs; opens files, connects nowhere.
    pub(crate) fn new(
        receiver: &ReceiverSettings,
        public_url: Option<&Url>,
    ) -> Result<Self, AlertingError> {
        let http = |source| AlertingError::HttpClient {
            receiver: receiver.name.to_string(),
            source,
        };
        match &receiver.channel {
            ChannelSettings::Log { file } => {
                log::LogChannel::new(&receiver.name, file.as_deref()).map(Self::Log)
            }
            settings @ ChannelSettings::Email { .. } => {
                email::EmailChannel::new(settings, public_url)
                    .map(|channel| Self::Email(Box::new(channel)))
                    .map_err(|source| AlertingError::SmtpTransport {
                        receiver: receiver.name.to_string(),
                        source,
                    })
            }
            ChannelSettings::Slack { url, allow_private } => {
                slack::SlackChannel::new(url.clone(), *allow_private, public_url.cloned())
                    .map(Self::Slack)
                    .map_err(http)
            }
            ChannelSettings::Webhook {
                url,
                secrets,
                allow_private,
            } => webhook::WebhookChannel::new(url.clone(), secrets.clone(), *allow_private)
                .map(Self::Webhook)
                .map_err(http),
        }
    }

    /// One attempt to deliver `message`.
    pub(crate) async fn send(&mut self, message: &Outgoing, now: Timestamp) -> Delivery {
        match self {
            Self::Log(channel) => channel.send(message, now).await,
            Self::Email(channel) => channel.send(message).await,
            Self::Slack(channel) => channel.send(message, now).await,
            Self::Webhook(channel) => channel.send(message, now).await,
            #[cfg(test)]
            Self::Script(channel) => channel.send(message).await,
        }
    }

    /// The least time between two messages; Slack takes one a second.
    pub(crate) const fn pace(&self) -> Duration {
        match self {
            Self::Slack(_) => Duration::from_secs(1),
            _ => Duration::ZERO,
        }
    }

    /// Tells the endpoint from another one, where an endpoint can be gone for good.
    pub(crate) fn digest(&self) -> Option<String> {
        match self {
            Self::Webhook(channel) => Some(channel.digest()),
            #[cfg(test)]
            Self::Script(_) => Some("script".to_owned()),
            _ => None,
        }
    }

    pub(crate) const fn name(&self) -> ChannelName {
        match self {
            Self::Log(_) => ChannelName::log,
            Self::Email(_) => ChannelName::email,
            Self::Slack(_) => ChannelName::slack,
            Self::Webhook(_) => ChannelName::webhook,
            #[cfg(test)]
            Self::Script(_) => ChannelName::webhook,
        }
    }
}

impl ChannelName {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::log => "log",
            Self::email => "email",
            Self::slack => "slack",
            Self::webhook => "webhook",
        }
    }
}

impl Delivery {
    /// What a request without an answer means: an address that is refused stays refused, all else may pass.
    pub(crate) fn of_no_answer(no_answer: NoAnswer) -> Self {
        let reason = no_answer.name().to_owned();
        match no_answer {
            NoAnswer::BlockedAddress => Self::Rejected { reason },
            NoAnswer::Timeout | NoAnswer::Connect | NoAnswer::Broken => Self::Retry {
                reason,
                after: None,
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod script;
