//! `[[alerting.receivers]]`: whom messages go to, by `kind`.

mod settings;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use settings::{ChannelSettings, KafkaOptions, ReceiverSettings, SyslogSettings};
pub(super) use validate::validate;

/// One receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReceiverConfig {
    /// The process's own log and, if named, a file with one JSON object per line.
    Log {
        /// Its name, for routes and the ledger.
        name: String,
        /// Where lines are appended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
        /// Whether it is told when a finding closes.
        #[serde(default)]
        send_closed: bool,
    },
    /// Mail by SMTP.
    Email {
        /// Its name, for routes and the ledger.
        name: String,
        /// The SMTP server.
        host: String,
        /// Its port; absent: 587 for starttls, 465 for tls, 25 for none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// How the connection is encrypted.
        #[serde(default)]
        tls: SmtpTls,
        /// The user name, if the server wants one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        /// The environment variable that holds the password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_env: Option<String>,
        /// The file that holds the password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_file: Option<String>,
        /// The sender: `Tokenwatch <tokenwatch@example.com>`.
        from: String,
        /// The recipients.
        to: Vec<String>,
        /// Whether it is told when a finding closes.
        #[serde(default)]
        send_closed: bool,
    },
    /// A Slack incoming webhook, or what accepts the same.
    Slack(ChatConfig),
    /// A webhook signed by the Standard Webhooks scheme.
    Webhook {
        /// Its name, for routes and the ledger.
        name: String,
        /// Its URL, if it holds no secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// The environment variable that holds its URL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url_env: Option<String>,
        /// The file that holds its URL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url_file: Option<String>,
        /// Environment variables with signing secrets; all sign.
        #[serde(default)]
        secret_env: Vec<String>,
        /// Files with signing secrets; all sign.
        #[serde(default)]
        secret_file: Vec<String>,
        /// How findings are written.
        #[serde(default)]
        format: BodyFormat,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
        /// Whether it is told when a finding closes.
        #[serde(default)]
        send_closed: bool,
    },
    /// A Microsoft Teams workflow.
    Teams(ChatConfig),
    /// `PagerDuty`'s Events API, version 2.
    Pagerduty {
        /// Its name, for routes and the ledger.
        name: String,
        /// The environment variable that holds the integration's routing key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        routing_key_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        routing_key_file: Option<String>,
        /// Where events go.
        #[serde(default = "pagerduty_url")]
        url: String,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
        /// Whether it is told when a finding closes, which resolves its alert.
        #[serde(default = "yes")]
        send_closed: bool,
    },
    /// Opsgenie, or Jira Service Management.
    Opsgenie {
        /// Its name, for routes and the ledger.
        name: String,
        /// The environment variable that holds the integration's API key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        api_key_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        api_key_file: Option<String>,
        /// Where alerts go; in the EU `https://api.eu.opsgenie.com/v2/alerts`.
        #[serde(default = "opsgenie_url")]
        url: String,
        /// The teams that are to respond.
        #[serde(default)]
        teams: Vec<String>,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
        /// Whether it is told when a finding closes, which closes its alert.
        #[serde(default = "yes")]
        send_closed: bool,
    },
    /// An Alertmanager.
    Alertmanager {
        /// Its name, for routes and the ledger.
        name: String,
        /// Where it is: `https://alertmanager.example.com`.
        url: String,
        /// The environment variable that holds the `Authorization` header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorization_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorization_file: Option<String>,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
        /// Whether it is told when a finding closes, which resolves its alert.
        #[serde(default = "yes")]
        send_closed: bool,
    },
    /// A Kafka topic.
    Kafka {
        /// Its name, for routes and the ledger.
        name: String,
        /// The topic.
        topic: String,
        /// librdkafka's own settings; `bootstrap.servers` at least.
        #[serde(default)]
        options: BTreeMap<String, String>,
        /// Those that are secrets, by the environment variables that hold them.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        options_env: BTreeMap<String, String>,
        /// Those that are secrets, by the files that hold them.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        options_file: BTreeMap<String, String>,
        /// How findings are written.
        #[serde(default)]
        format: BodyFormat,
        /// Whether it is told when a finding closes.
        #[serde(default = "yes")]
        send_closed: bool,
    },
    /// A syslog collector.
    Syslog {
        /// Its name, for routes and the ledger.
        name: String,
        /// The collector.
        host: String,
        /// Its port; absent: 6514 for tls, 601 for tcp, 514 for udp.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// How it is reached.
        #[serde(default)]
        transport: SyslogTransport,
        /// How findings are written.
        #[serde(default)]
        format: SyslogFormat,
        /// What messages call this host.
        #[serde(default = "nameless")]
        hostname: String,
        /// Whether it may have a private address.
        #[serde(default)]
        allow_private: bool,
        /// Whether it is told when a finding closes.
        #[serde(default = "yes")]
        send_closed: bool,
    },
}

/// A chat that is reached at a URL alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatConfig {
    /// Its name, for routes and the ledger.
    pub name: String,
    /// The environment variable that holds its URL, which is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_env: Option<String>,
    /// The file that holds its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_file: Option<String>,
    /// Whether it may have a private address, and be reached by http.
    #[serde(default)]
    pub allow_private: bool,
    /// Whether it is told when a finding closes.
    #[serde(default)]
    pub send_closed: bool,
}

/// How findings are written for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// As the API gives them, with what happened and when.
    #[default]
    Tokenwatch,
    /// As OCSF events of class 2004, Detection Finding.
    Ocsf,
}

/// How a syslog collector is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyslogTransport {
    /// TCP with TLS.
    #[default]
    Tls,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// How findings are written for syslog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyslogFormat {
    /// A sentence, with structured data before it.
    #[default]
    Rfc5424,
    /// Common Event Format.
    Cef,
    /// OCSF events of class 2004, as JSON.
    Ocsf,
}

fn yes() -> bool {
    true
}

fn nameless() -> String {
    "-".to_owned()
}

fn pagerduty_url() -> String {
    "https://events.pagerduty.com/v2/enqueue".to_owned()
}

fn opsgenie_url() -> String {
    "https://api.opsgenie.com/v2/alerts".to_owned()
}

/// How a connection to an SMTP server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// Plain, then STARTTLS; refused if the server does not offer it.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not at all: for a relay on the same machine. Excludes passwords.
    None,
}

impl ReceiverConfig {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Log { name, .. }
            | Self::Email { name, .. }
            | Self::Slack(ChatConfig { name, .. })
            | Self::Webhook { name, .. }
            | Self::Teams(ChatConfig { name, .. })
            | Self::Pagerduty { name, .. }
            | Self::Opsgenie { name, .. }
            | Self::Alertmanager { name, .. }
            | Self::Kafka { name, .. }
            | Self::Syslog { name, .. } => name,
        }
    }

    pub(super) fn send_closed(&self) -> bool {
        match self {
            Self::Log { send_closed, .. }
            | Self::Email { send_closed, .. }
            | Self::Slack(ChatConfig { send_closed, .. })
            | Self::Webhook { send_closed, .. }
            | Self::Teams(ChatConfig { send_closed, .. })
            | Self::Pagerduty { send_closed, .. }
            | Self::Opsgenie { send_closed, .. }
            | Self::Alertmanager { send_closed, .. }
            | Self::Kafka { send_closed, .. }
            | Self::Syslog { send_closed, .. } => *send_closed,
        }
    }
}
