//! The ways to reach a receiver, one file each, and what can come of an attempt.
//!
//! A channel does two things: it renders a message into parts that each stay within what it can carry, which is pure,
//! and it sends one part. What is for people names every finding of a group in as few parts as possible; what is for
//! programs has a part per finding, with the id that it would have alone.

mod alertmanager;
mod chat;
mod email;
mod kafka;
mod log;
mod ocsf;
mod opsgenie;
mod pagerduty;
mod post;
mod slack;
mod syslog;
mod teams;
mod webhook;

use std::ops::Range;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelValue;
use tokenwatch_model::Timestamp;

use crate::config::{ChannelSettings, ReceiverSettings};
use crate::error::AlertingError;
use crate::http::NoAnswer;
use crate::layout::Layout;
use crate::message::Message;
use crate::outgoing::{Item, Outgoing};

/// How a receiver is reached.
pub(crate) enum Channel {
    /// The process's own log, and a file.
    Log(log::LogChannel),
    /// Mail.
    Email(Box<email::EmailChannel>),
    /// A Slack incoming webhook.
    Slack(chat::ChatChannel),
    /// A Microsoft Teams workflow.
    Teams(chat::ChatChannel),
    /// `PagerDuty`'s Events API, version 2.
    Pagerduty(pagerduty::PagerdutyChannel),
    /// Opsgenie, or Jira Service Management.
    Opsgenie(opsgenie::OpsgenieChannel),
    /// An Alertmanager.
    Alertmanager(alertmanager::AlertmanagerChannel),
    /// A signed webhook.
    Webhook(webhook::WebhookChannel),
    /// A Kafka topic.
    Kafka(kafka::KafkaChannel),
    /// A syslog collector.
    Syslog(syslog::SyslogChannel),
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
    teams,
    pagerduty,
    opsgenie,
    alertmanager,
    webhook,
    kafka,
    syslog,
}

/// What one request of a message carries.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What the receiver knows it by; the same for every attempt and after every restart.
    pub(crate) id: String,
    /// Which of the message's items it settles.
    pub(crate) items: Range<usize>,
    /// What is sent.
    pub(crate) payload: Payload,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// Bytes to the one place there is.
    Body(Vec<u8>),
    /// Bytes to a place below it.
    Below {
        /// What is appended to the URL's path, and a query.
        path: String,
        /// The bytes.
        body: Vec<u8>,
    },
    /// Bytes with a key by which they are kept in order.
    Keyed {
        /// The key.
        key: String,
        /// The bytes.
        body: Vec<u8>,
    },
    /// A mail.
    Mail(Box<Message>),
    /// A line of the process's log, and of a file.
    Log(Box<log::LogEntry>),
    /// For the script.
    #[cfg(test)]
    Script(Box<Outgoing>),
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
    pub(crate) fn new(receiver: &ReceiverSettings, layout: &Layout) -> Result<Self, AlertingError> {
        let http = |source| AlertingError::HttpClient {
            receiver: receiver.name.to_string(),
            source,
        };
        let layout = layout.clone();
        match &receiver.channel {
            ChannelSettings::Log { file } => {
                log::LogChannel::new(&receiver.name, file.as_deref()).map(Self::Log)
            }
            settings @ ChannelSettings::Email { .. } => email::EmailChannel::new(settings, layout)
                .map(|channel| Self::Email(Box::new(channel)))
                .map_err(|source| AlertingError::SmtpTransport {
                    receiver: receiver.name.to_string(),
                    source,
                }),
            ChannelSettings::Slack { url, allow_private } => {
                chat::ChatChannel::new(&slack::FORM, url.clone(), *allow_private, layout)
                    .map(Self::Slack)
                    .map_err(http)
            }
            ChannelSettings::Teams { url, allow_private } => {
                chat::ChatChannel::new(&teams::FORM, url.clone(), *allow_private, layout)
                    .map(Self::Teams)
                    .map_err(http)
            }
            settings @ ChannelSettings::Pagerduty { .. } => {
                pagerduty::PagerdutyChannel::new(settings, layout)
                    .map(Self::Pagerduty)
                    .map_err(http)
            }
            settings @ ChannelSettings::Opsgenie { .. } => {
                opsgenie::OpsgenieChannel::new(settings, layout)
                    .map(Self::Opsgenie)
                    .map_err(http)
            }
            settings @ ChannelSettings::Alertmanager { .. } => {
                alertmanager::AlertmanagerChannel::new(settings, layout)
                    .map(Self::Alertmanager)
                    .map_err(http)
            }
            ChannelSettings::Webhook {
                url,
                secrets,
                format,
                allow_private,
            } => {
                webhook::WebhookChannel::new(url.clone(), secrets.clone(), *format, *allow_private)
                    .map(Self::Webhook)
                    .map_err(http)
            }
            ChannelSettings::Kafka {
                topic,
                options,
                format,
            } => kafka::KafkaChannel::new(topic, &options.0, *format)
                .map(Self::Kafka)
                .map_err(|reason| AlertingError::Kafka {
                    receiver: receiver.name.to_string(),
                    reason,
                }),
            ChannelSettings::Syslog(settings) => syslog::SyslogChannel::new(settings.clone())
                .map(Self::Syslog)
                .map_err(|source| AlertingError::Tls {
                    receiver: receiver.name.to_string(),
                    source,
                }),
        }
    }

    /// `message` in parts that each stay within the channel's limits; every item is in one of them.
    pub(crate) fn render(&self, message: &Outgoing) -> Vec<Part> {
        match self {
            Self::Log(_) => log::LogChannel::render(message),
            Self::Email(channel) => channel.render(message),
            Self::Slack(channel) | Self::Teams(channel) => channel.render(message),
            Self::Pagerduty(channel) => channel.render(message),
            Self::Opsgenie(channel) => channel.render(message),
            Self::Alertmanager(channel) => channel.render(message),
            Self::Webhook(channel) => channel.render(message),
            Self::Kafka(channel) => channel.render(message),
            Self::Syslog(channel) => channel.render(message),
            #[cfg(test)]
            Self::Script(_) => script::ScriptChannel::render(message),
        }
    }

    /// One attempt to deliver `part`.
    pub(crate) async fn send(&mut self, part: &Part, now: Timestamp) -> Delivery {
        match self {
            Self::Log(channel) => channel.send(part, now).await,
            Self::Email(channel) => channel.send(part).await,
            Self::Slack(channel) | Self::Teams(channel) => channel.send(part, now).await,
            Self::Pagerduty(channel) => channel.send(part, now).await,
            Self::Opsgenie(channel) => channel.send(part, now).await,
            Self::Alertmanager(channel) => channel.send(part, now).await,
            Self::Webhook(channel) => channel.send(part, now).await,
            Self::Kafka(channel) => channel.send(part).await,
            Self::Syslog(channel) => channel.send(part, now).await,
            #[cfg(test)]
            Self::Script(channel) => channel.send(part).await,
        }
    }

    /// The least time between two requests: what the service behind the channel allows, as its makers say.
    pub(crate) const fn pace(&self) -> Duration {
        match self {
            // One message a second for each webhook.
            Self::Slack(_) => Duration::from_secs(1),
            // Four requests a second.
            Self::Teams(_) => Duration::from_millis(300),
            // About 120 events a minute for each integration key.
            Self::Pagerduty(_) => Duration::from_millis(500),
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
            Self::Teams(_) => ChannelName::teams,
            Self::Pagerduty(_) => ChannelName::pagerduty,
            Self::Opsgenie(_) => ChannelName::opsgenie,
            Self::Alertmanager(_) => ChannelName::alertmanager,
            Self::Webhook(_) => ChannelName::webhook,
            Self::Kafka(_) => ChannelName::kafka,
            Self::Syslog(_) => ChannelName::syslog,
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
            Self::teams => "teams",
            Self::pagerduty => "pagerduty",
            Self::opsgenie => "opsgenie",
            Self::alertmanager => "alertmanager",
            Self::webhook => "webhook",
            Self::kafka => "kafka",
            Self::syslog => "syslog",
        }
    }
}

impl Part {
    /// A part per item, each with the id that a message about it alone would have; a notice is one part.
    fn each(message: &Outgoing, payload: impl Fn(&str, Option<&Item>) -> Payload) -> Vec<Self> {
        if message.items.is_empty() {
            return vec![Self {
                id: message.id.clone(),
                items: 0..1,
                payload: payload(&message.id, None),
            }];
        }
        let items = message.items.iter().enumerate();
        items
            .map(|(index, item)| {
                let id = item.id(&message.receiver, message.step);
                Self {
                    payload: payload(&id, Some(item)),
                    items: index..index + 1,
                    id,
                }
            })
            .collect()
    }

    /// A part of several findings: known by the message's id if it is all of it, else also by where it begins.
    fn of_range(message: &Outgoing, items: Range<usize>, payload: Payload) -> Self {
        let all = items.start == 0 && items.end >= message.items.len();
        let id = if all {
            message.id.clone()
        } else {
            let first = message.items[items.start].finding.id.to_string();
            crate::occasion::stable_id("ntf_", &["part", &message.id, &first])
        };
        Self { id, items, payload }
    }
}

impl Payload {
    /// What is sent, as far as a person can read it: for previews.
    pub(crate) fn preview(&self) -> String {
        let text = |body: &[u8]| match serde_json::from_slice::<serde_json::Value>(body) {
            Ok(value) => format!("{value:#}"),
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        match self {
            Self::Body(body) | Self::Keyed { body, .. } => text(body),
            Self::Below { path, body } => format!("{path}\n{}", text(body)),
            Self::Mail(message) => email::text(message),
            Self::Log(entry) => entry.preview(),
            #[cfg(test)]
            Self::Script(message) => message.id.clone(),
        }
    }
}

impl Delivery {
    /// What a request without an answer means: an address that is refused stays refused, all else may pass.
    pub(crate) fn of_no_answer(no_answer: NoAnswer) -> Self {
        let reason = no_answer.name().to_owned();
        match no_answer {
            NoAnswer::BlockedAddress => Self::Rejected { reason },
            NoAnswer::Timeout | NoAnswer::Connect | NoAnswer::Tls | NoAnswer::Broken => {
                Self::Retry {
                    reason,
                    after: None,
                }
            }
        }
    }
}

#[cfg(test)]
mod limits;
#[cfg(test)]
pub(crate) mod script;
