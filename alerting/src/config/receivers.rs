//! `[[alerting.receivers]]`: whom messages go to, by `kind`.

use std::path::PathBuf;
use std::sync::Arc;

use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problems, SecretSource};

use super::secrets::{self, SecretUrl, UrlKeys};
use crate::signature::SigningSecret;

/// Names go into ids, metrics and the ledger.
const NAME_LIMIT: usize = 64;
/// One mail goes to this many addresses at most; larger circles are mailing lists.
const ADDRESS_LIMIT: usize = 50;

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
    Slack {
        /// Its name, for routes and the ledger.
        name: String,
        /// The environment variable that holds its URL, which is a secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url_env: Option<String>,
        /// The file that holds its URL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url_file: Option<String>,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
        /// Whether it is told when a finding closes.
        #[serde(default)]
        send_closed: bool,
    },
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
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
        /// Whether it is told when a finding closes.
        #[serde(default)]
        send_closed: bool,
    },
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
        /// Whether its address may be a private one.
        allow_private: bool,
    },
}

impl ReceiverConfig {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Log { name, .. }
            | Self::Email { name, .. }
            | Self::Slack { name, .. }
            | Self::Webhook { name, .. } => name,
        }
    }

    fn send_closed(&self) -> bool {
        match self {
            Self::Log { send_closed, .. }
            | Self::Email { send_closed, .. }
            | Self::Slack { send_closed, .. }
            | Self::Webhook { send_closed, .. } => *send_closed,
        }
    }
}

pub(super) fn validate(
    receiver: &ReceiverConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<ReceiverSettings> {
    let name = receiver.name();
    if name.is_empty() || name.len() > NAME_LIMIT || name.chars().any(char::is_control) {
        let message = format!("must have 1 to {NAME_LIMIT} characters");
        problems.add(format!("{key}.name"), message);
    }
    Some(ReceiverSettings {
        name: name.into(),
        send_closed: receiver.send_closed(),
        channel: channel(receiver, key, secrets, problems)?,
    })
}

fn channel(
    receiver: &ReceiverConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<ChannelSettings> {
    match receiver {
        ReceiverConfig::Log { file, .. } => Some(ChannelSettings::Log { file: file.clone() }),
        ReceiverConfig::Email { .. } => email(receiver, key, secrets, problems),
        ReceiverConfig::Slack {
            url_env,
            url_file,
            allow_private,
            ..
        } => {
            let keys = UrlKeys {
                url: None,
                url_env: url_env.as_deref(),
                url_file: url_file.as_deref(),
            };
            Some(ChannelSettings::Slack {
                url: secrets::url(key, keys, *allow_private, secrets, problems)?,
                allow_private: *allow_private,
            })
        }
        ReceiverConfig::Webhook {
            url,
            url_env,
            url_file,
            secret_env,
            secret_file,
            allow_private,
            ..
        } => {
            let keys = UrlKeys {
                url: url.as_deref(),
                url_env: url_env.as_deref(),
                url_file: url_file.as_deref(),
            };
            let url = secrets::url(key, keys, *allow_private, secrets, problems);
            let signing = secrets::signing_secrets(key, secret_env, secret_file, secrets, problems);
            Some(ChannelSettings::Webhook {
                url: url?,
                secrets: signing,
                allow_private: *allow_private,
            })
        }
    }
}

fn email(
    receiver: &ReceiverConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<ChannelSettings> {
    let ReceiverConfig::Email {
        host,
        port,
        tls,
        username,
        password_env,
        password_file,
        from,
        to,
        ..
    } = receiver
    else {
        return None;
    };
    if host.is_empty() {
        problems.add(format!("{key}.host"), "must not be empty");
    }
    let (env, file) = (password_env.as_deref(), password_file.as_deref());
    let password = secrets::secret(&format!("{key}.password"), env, file, secrets, problems);
    let has_password = env.is_some() || file.is_some();
    if username.is_some() != has_password {
        let message = "and password_env or password_file belong together";
        problems.add(format!("{key}.username"), message);
    }
    if has_password && *tls == SmtpTls::None {
        let message = "a password is only sent over an encrypted connection";
        problems.add(format!("{key}.tls"), message);
    }
    if to.is_empty() || to.len() > ADDRESS_LIMIT {
        let message = format!("must have 1 to {ADDRESS_LIMIT} addresses");
        problems.add(format!("{key}.to"), message);
    }
    let from = mailbox(&format!("{key}.from"), from, problems);
    let to = to
        .iter()
        .enumerate()
        .filter_map(|(index, address)| mailbox(&format!("{key}.to[{index}]"), address, problems))
        .collect();
    let usual_port = match tls {
        SmtpTls::Starttls => 587,
        SmtpTls::Tls => 465,
        SmtpTls::None => 25,
    };
    Some(ChannelSettings::Email {
        host: host.clone(),
        port: port.unwrap_or(usual_port),
        tls: *tls,
        credentials: username.clone().zip(password),
        from: from?,
        to,
    })
}

fn mailbox(key: &str, text: &str, problems: &mut Problems) -> Option<Mailbox> {
    let mailbox = text.parse().ok();
    if mailbox.is_none() {
        problems.add(key, "is not an address like \"ops@example.com\"");
    }
    mailbox
}
