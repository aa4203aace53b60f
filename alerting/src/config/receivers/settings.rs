//! Receivers as they were checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use lettre::message::Mailbox;
use secrecy::SecretString;

use super::{BodyFormat, SmtpTls, SyslogFormat, SyslogTransport};
use crate::config::SecretUrl;
use crate::routing::ReceiverPolicy;
use crate::signature::SigningSecret;

/// A receiver, checked.
#[derive(Clone, Debug)]
pub struct ReceiverSettings {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is told when a finding closes.
    pub send_closed: bool,
    /// How it is reached.
    pub channel: ChannelSettings,
}

/// How a receiver is reached.
#[derive(Clone, Debug)]
pub enum ChannelSettings {
    /// The process's own log, and a file.
    Log {
        /// Where lines are appended.
        file: Option<PathBuf>,
    },
    /// Mail.
    Email {
        /// The SMTP server.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is encrypted.
        tls: SmtpTls,
        /// User name and password.
        credentials: Option<(String, SecretString)>,
        /// The sender.
        from: Mailbox,
        /// The recipients.
        to: Vec<Mailbox>,
    },
    /// A Slack incoming webhook.
    Slack {
        /// Where it is.
        url: SecretUrl,
        /// Whether its address may be a private one.
        allow_private: bool,
    },
    /// A signed webhook.
    Webhook {
        /// Where it is.
        url: SecretUrl,
        /// What requests are signed with.
        secrets: Vec<SigningSecret>,
        /// How findings are written.
        format: BodyFormat,
        /// Whether its address may be a private one.
        allow_private: bool,
    },
    /// A Microsoft Teams workflow.
    Teams {
        /// Where it is.
        url: SecretUrl,
        /// Whether its address may be a private one.
        allow_private: bool,
    },
    /// `PagerDuty`'s Events API, version 2.
    Pagerduty {
        /// Where it is.
        url: SecretUrl,
        /// Which integration.
        routing_key: SecretString,
        /// Whether its address may be a private one.
        allow_private: bool,
    },
    /// Opsgenie, or Jira Service Management.
    Opsgenie {
        /// Where alerts go.
        url: SecretUrl,
        /// Which integration.
        api_key: SecretString,
        /// The teams that are to respond.
        teams: Vec<String>,
        /// Whether its address may be a private one.
        allow_private: bool,
    },
    /// An Alertmanager.
    Alertmanager {
        /// Where alerts go.
        url: SecretUrl,
        /// The `Authorization` header.
        authorization: Option<SecretString>,
        /// Whether its address may be a private one.
        allow_private: bool,
    },
    /// A Kafka topic.
    Kafka {
        /// The topic.
        topic: String,
        /// librdkafka's own settings, secrets among them.
        options: KafkaOptions,
        /// How findings are written.
        format: BodyFormat,
    },
    /// A syslog collector.
    Syslog(SyslogSettings),
}

/// librdkafka's own settings; may hold passwords.
#[derive(Clone, Default)]
pub struct KafkaOptions(pub(crate) BTreeMap<String, String>);

/// A syslog collector, checked.
#[derive(Clone, Debug)]
pub struct SyslogSettings {
    /// The collector.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is reached.
    pub transport: SyslogTransport,
    /// How findings are written.
    pub format: SyslogFormat,
    /// What messages call this host.
    pub hostname: String,
    /// Whether its address may be a private one.
    pub allow_private: bool,
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl ReceiverSettings {
    /// What routing needs to know of it.
    pub(crate) fn policy(&self) -> ReceiverPolicy {
        ReceiverPolicy {
            name: Arc::clone(&self.name),
            send_closed: self.send_closed,
            is_for_people: self.channel.is_for_people(),
        }
    }
}

impl ChannelSettings {
    /// Whether people read it, rather than programs.
    fn is_for_people(&self) -> bool {
        match self {
            Self::Email { .. }
            | Self::Slack { .. }
            | Self::Teams { .. }
            | Self::Pagerduty { .. }
            | Self::Opsgenie { .. } => true,
            Self::Log { .. }
            | Self::Webhook { .. }
            | Self::Alertmanager { .. }
            | Self::Kafka { .. }
            | Self::Syslog(_) => false,
        }
    }
}
