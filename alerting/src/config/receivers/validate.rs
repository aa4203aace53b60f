//! What has to hold of a receiver.

use secrecy::{ExposeSecret as _, SecretString};
use tokenwatch_model::{Problems, SecretSource};

use super::{
    ChannelSettings, ChatConfig, KafkaOptions, ReceiverConfig, ReceiverSettings, SmtpTls,
    SyslogSettings, SyslogTransport,
};
use crate::config::SecretUrl;
use crate::config::secrets::{self, UrlKeys};

/// Names go into ids, metrics and the ledger.
const NAME_LIMIT: usize = 64;
/// One mail goes to this many addresses at most; larger circles are mailing lists.
const ADDRESS_LIMIT: usize = 50;
/// Characters of `PagerDuty`'s routing keys.
const ROUTING_KEY_CHARS: usize = 32;
/// Characters of a topic's name, as brokers allow.
const TOPIC_CHARS: usize = 249;

/// The settings of `receiver`, if nothing is wrong with it.
pub(in crate::config) fn validate(
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
        ReceiverConfig::Slack(chat) => Some(ChannelSettings::Slack {
            url: chat_url(chat, key, secrets, problems)?,
            allow_private: chat.allow_private,
        }),
        ReceiverConfig::Webhook {
            url,
            url_env,
            url_file,
            secret_env,
            secret_file,
            format,
            allow_private,
            ..
        } => {
            let keys = UrlKeys::one_of(url, url_env, url_file);
            let url = secrets::url(key, keys, *allow_private, secrets, problems);
            let signing = secrets::signing_secrets(key, secret_env, secret_file, secrets, problems);
            Some(ChannelSettings::Webhook {
                url: url?,
                secrets: signing,
                format: *format,
                allow_private: *allow_private,
            })
        }
        ReceiverConfig::Teams(chat) => Some(ChannelSettings::Teams {
            url: chat_url(chat, key, secrets, problems)?,
            allow_private: chat.allow_private,
        }),
        ReceiverConfig::Pagerduty { .. }
        | ReceiverConfig::Opsgenie { .. }
        | ReceiverConfig::Alertmanager { .. } => hosted(receiver, key, secrets, problems),
        ReceiverConfig::Kafka { .. } => kafka(receiver, key, secrets, problems),
        ReceiverConfig::Syslog { .. } => syslog(receiver, key, problems),
    }
}

fn chat_url(
    chat: &ChatConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SecretUrl> {
    let keys = UrlKeys::one_of(&None, &chat.url_env, &chat.url_file);
    secrets::url(key, keys, chat.allow_private, secrets, problems)
}

/// A secret that is sent in a header or a body: printable, without what is around it.
fn printable(
    key: &str,
    env: Option<&str>,
    file: Option<&str>,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SecretString> {
    let value = secrets::secret(key, env, file, secrets, problems)?;
    let value = value.expose_secret().trim();
    if value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Some(value.into());
    }
    problems.add(key, "holds characters that no header may have");
    None
}

/// The same, which has to be there.
fn needed(
    key: &str,
    env: Option<&str>,
    file: Option<&str>,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SecretString> {
    if env.is_none() && file.is_none() {
        problems.add(
            key,
            "is needed: name its variable with _env or its file with _file",
        );
    }
    printable(key, env, file, secrets, problems)
}

/// What is reached at a URL that is no secret, with a key that is.
fn hosted(
    receiver: &ReceiverConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<ChannelSettings> {
    match receiver {
        ReceiverConfig::Pagerduty {
            routing_key_env: env,
            routing_key_file: file,
            url,
            allow_private,
            ..
        } => {
            let (env, file) = (env.as_deref(), file.as_deref());
            let url = secrets::url(key, UrlKeys::plain(url), *allow_private, secrets, problems);
            let key = format!("{key}.routing_key");
            let routing_key = needed(&key, env, file, secrets, problems)?;
            if routing_key.expose_secret().len() != ROUTING_KEY_CHARS {
                problems.add(key, format!("must have {ROUTING_KEY_CHARS} characters"));
            }
            Some(ChannelSettings::Pagerduty {
                url: url?,
                routing_key,
                allow_private: *allow_private,
            })
        }
        ReceiverConfig::Opsgenie {
            api_key_env: env,
            api_key_file: file,
            url,
            teams,
            allow_private,
            ..
        } => {
            let (env, file) = (env.as_deref(), file.as_deref());
            let url = secrets::url(key, UrlKeys::plain(url), *allow_private, secrets, problems);
            let api_key = needed(&format!("{key}.api_key"), env, file, secrets, problems);
            Some(ChannelSettings::Opsgenie {
                url: url?,
                api_key: api_key?,
                teams: teams.clone(),
                allow_private: *allow_private,
            })
        }
        ReceiverConfig::Alertmanager {
            url,
            authorization_env: env,
            authorization_file: file,
            allow_private,
            ..
        } => {
            let (env, file) = (env.as_deref(), file.as_deref());
            let place = format!("{}/api/v2/alerts", url.trim_end_matches('/'));
            let url = secrets::url(
                key,
                UrlKeys::plain(&place),
                *allow_private,
                secrets,
                problems,
            );
            let key = format!("{key}.authorization");
            Some(ChannelSettings::Alertmanager {
                url: url?,
                authorization: printable(&key, env, file, secrets, problems),
                allow_private: *allow_private,
            })
        }
        _ => None,
    }
}

fn kafka(
    receiver: &ReceiverConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<ChannelSettings> {
    let ReceiverConfig::Kafka {
        topic,
        options,
        options_env,
        options_file,
        format,
        ..
    } = receiver
    else {
        return None;
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if topic.is_empty() || topic.len() > TOPIC_CHARS || !topic.bytes().all(is_name) {
        let message =
            format!("must have 1 to {TOPIC_CHARS} letters, digits, dots, dashes or underscores");
        problems.add(format!("{key}.topic"), message);
    }
    let mut whole = options.clone();
    for (option, name) in options_env {
        let key = format!("{key}.options_env.{option}");
        let value = secrets::from_env(&key, name, secrets, problems);
        whole.extend(value.map(|value| (option.clone(), value.expose_secret().to_owned())));
    }
    for (option, path) in options_file {
        let key = format!("{key}.options_file.{option}");
        let value = secrets::from_file(&key, path, secrets, problems);
        whole.extend(value.map(|value| (option.clone(), value.expose_secret().trim().to_owned())));
    }
    if !whole.contains_key("bootstrap.servers") {
        let message = "names no brokers: options = { \"bootstrap.servers\" = \"kafka:9092\" }";
        problems.add(format!("{key}.options"), message);
    }
    for option in options.keys().filter(|option| is_secret(option)) {
        let message = format!(
            "{option} is a secret: name its variable in options_env or its file in options_file"
        );
        problems.add(format!("{key}.options"), message);
    }
    Some(ChannelSettings::Kafka {
        topic: topic.clone(),
        options: KafkaOptions(whole),
        format: *format,
    })
}

/// Whether an option of librdkafka holds a secret.
fn is_secret(option: &str) -> bool {
    option.ends_with("password") || option.ends_with("secret") || option == "ssl.key.pem"
}

fn syslog(
    receiver: &ReceiverConfig,
    key: &str,
    problems: &mut Problems,
) -> Option<ChannelSettings> {
    let ReceiverConfig::Syslog {
        host,
        port,
        transport,
        format,
        hostname,
        allow_private,
        ..
    } = receiver
    else {
        return None;
    };
    if host.is_empty() {
        problems.add(format!("{key}.host"), "must not be empty");
    }
    let is_printable = |byte: u8| (b'!'..=b'~').contains(&byte);
    if hostname.is_empty() || hostname.len() > 255 || !hostname.bytes().all(is_printable) {
        let message = "must have 1 to 255 printable characters and no spaces; \"-\" for none";
        problems.add(format!("{key}.hostname"), message);
    }
    let usual_port = match transport {
        SyslogTransport::Tls => 6514,
        SyslogTransport::Tcp => 601,
        SyslogTransport::Udp => 514,
    };
    Some(ChannelSettings::Syslog(SyslogSettings {
        host: host.clone(),
        port: port.unwrap_or(usual_port),
        transport: *transport,
        format: *format,
        hostname: hostname.clone(),
        allow_private: *allow_private,
    }))
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

fn mailbox(key: &str, text: &str, problems: &mut Problems) -> Option<lettre::message::Mailbox> {
    let mailbox = text.parse().ok();
    if mailbox.is_none() {
        problems.add(key, "is not an address like \"ops@example.com\"");
    }
    mailbox
}
