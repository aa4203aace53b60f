//! What is written under `[ingest.kafka]`, and what it means.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource};

use crate::batching::BatchLimits;

/// Settings of librdkafka that the source owns, each with what to do instead.
const OWNED_OPTIONS: &[(&str, &str)] = &[
    ("bootstrap.servers", "write `brokers` instead"),
    ("metadata.broker.list", "write `brokers` instead"),
    ("group.id", "write `group` instead"),
    ("group.protocol", "the classic protocol is used"),
    (
        "partition.assignment.strategy",
        "assignment is cooperative-sticky",
    ),
    ("enable.auto.commit", "positions are kept in checkpoints"),
    (
        "enable.auto.offset.store",
        "positions are kept in checkpoints",
    ),
    ("auto.commit.enable", "positions are kept in checkpoints"),
    ("auto.offset.reset", "write `start_from` instead"),
    (
        "enable.partition.eof",
        "the end of a partition means nothing here",
    ),
    ("statistics.interval.ms", "statistics are read every second"),
    ("log.queue", "logs are read by the source"),
    ("enable.idempotence", "producers are always idempotent"),
    ("acks", "producers always wait for all replicas"),
    (
        "request.required.acks",
        "producers always wait for all replicas",
    ),
];

/// Settings that hold secrets and so may not stand in the file.
const SECRET_OPTIONS: &[&str] = &[
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "ssl.key.pem",
    "ssl.key.password",
    "ssl.keystore.password",
];

/// Where a partition starts that has no position yet, or whose position the broker has deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartFrom {
    /// At the oldest record that the broker has.
    #[default]
    Earliest,
    /// At records appended from now on.
    Latest,
}

/// A value of a librdkafka setting, as TOML writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Anything else.
    Text(String),
}

/// `[ingest.kafka]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaConfig {
    /// Brokers to start from, `host:port`; empty turns the source off.
    pub brokers: Vec<String>,
    /// Topics; one that starts with `^` is a regular expression over topic names.
    pub topics: Vec<String>,
    /// The consumer group; instances of one deployment share it.
    pub group: String,
    /// Where partitions without a position start.
    pub start_from: StartFrom,
    /// Most records in a batch.
    pub batch_records: usize,
    /// Most bytes in a batch.
    pub batch_bytes: ByteSize,
    /// Longest wait for a batch to fill.
    #[serde(with = "humantime_serde")]
    pub batch_age: Duration,
    /// How long a revoked partition waits for the checkpoint.
    #[serde(with = "humantime_serde")]
    pub revoke_timeout: Duration,
    /// Settings of librdkafka, by their names there.
    pub options: BTreeMap<String, OptionValue>,
    /// Settings whose values stand in environment variables: setting to variable.
    pub options_env: BTreeMap<String, String>,
    /// Settings whose values stand in files: setting to path.
    pub options_file: BTreeMap<String, String>,
}

/// A validated connection to brokers: what consumers and producers have in common.
#[derive(Clone, Debug)]
pub struct KafkaConnection {
    pub(crate) brokers: String,
    pub(crate) options: Vec<(String, SecretString)>,
}

/// A validated [`KafkaConfig`].
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// The connection.
    pub connection: KafkaConnection,
    /// The topics.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// Where partitions without a position start.
    pub start_from: StartFrom,
    /// When a batch is handed over.
    pub batch: BatchLimits,
    /// How long a revoked partition waits for the checkpoint.
    pub revoke_timeout: Duration,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topics: Vec::new(),
            group: "tokenwatch".to_owned(),
            start_from: StartFrom::default(),
            batch_records: 20_000,
            batch_bytes: ByteSize::mib(16),
            batch_age: Duration::from_millis(200),
            revoke_timeout: Duration::from_secs(30),
            options: BTreeMap::new(),
            options_env: BTreeMap::new(),
            options_file: BTreeMap::new(),
        }
    }
}

impl KafkaConfig {
    /// The settings, `None` if no broker is named, or every problem, with key paths below `prefix`.
    pub fn validate(
        &self,
        prefix: &str,
        secrets: &dyn SecretSource,
    ) -> Result<Option<KafkaSettings>, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        if self.brokers.is_empty() {
            if !self.topics.is_empty() {
                problems.add(
                    "brokers",
                    "topics are named, but no broker to read them from",
                );
            }
            return problems.into_result(|| None);
        }
        if self.topics.is_empty() {
            problems.add("topics", "name at least one topic");
        }
        if self.group.is_empty() {
            problems.add("group", "a consumer group needs a name");
        }
        if self.batch_records == 0 {
            problems.add("batch_records", "must be at least 1");
        }
        if self.batch_bytes.as_u64() == 0 {
            problems.add("batch_bytes", "must be at least 1 byte");
        }
        let options = self.validate_options(&mut problems, secrets);
        problems.into_result(|| {
            Some(KafkaSettings {
                connection: KafkaConnection {
                    brokers: self.brokers.join(","),
                    options,
                },
                topics: self.topics.clone(),
                group: self.group.clone(),
                start_from: self.start_from,
                batch: BatchLimits {
                    records: self.batch_records,
                    bytes: usize::try_from(self.batch_bytes.as_u64()).unwrap_or(usize::MAX),
                    age: self.batch_age,
                },
                revoke_timeout: self.revoke_timeout,
            })
        })
    }

    fn validate_options(
        &self,
        problems: &mut Problems,
        secrets: &dyn SecretSource,
    ) -> Vec<(String, SecretString)> {
        let mut options = Vec::new();
        let mut take = |problems: &mut Problems, path: String, name: &str, value: SecretString| {
            match check_option(name, &value) {
                Ok(()) => options.push((name.to_owned(), value)),
                Err(message) => problems.add(path, message),
            }
        };
        for (name, value) in &self.options {
            let path = format!("options.\"{name}\"");
            if SECRET_OPTIONS.contains(&name.as_str()) {
                problems.add(
                    path,
                    "is a secret: name its variable in options_env or its file in options_file",
                );
                continue;
            }
            take(problems, path, name, SecretString::from(value.to_text()));
        }
        for (name, variable) in &self.options_env {
            let path = format!("options_env.\"{name}\"");
            match secrets.env(variable) {
                Some(value) => take(problems, path, name, value),
                None => problems.add(path, format!("the variable {variable} is not set")),
            }
        }
        for (name, file) in &self.options_file {
            let path = format!("options_file.\"{name}\"");
            match secrets.file(file) {
                Ok(value) => take(problems, path, name, value),
                Err(error) => problems.add(path, format!("{file} cannot be read: {error}")),
            }
        }
        options
    }
}

impl OptionValue {
    fn to_text(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Asks librdkafka whether it knows the setting and takes the value; the value is never part of the message.
fn check_option(name: &str, value: &SecretString) -> Result<(), String> {
    if let Some((_, instead)) = OWNED_OPTIONS.iter().find(|(owned, _)| *owned == name) {
        return Err(format!("cannot be set: {instead}"));
    }
    let mut config = ClientConfig::new();
    config.set(name, value.expose_secret());
    match config.create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN,
            ..,
        )) => Err("librdkafka has no such setting".to_owned()),
        Err(_) => Err("librdkafka does not take this value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoSecrets;

    impl SecretSource for NoSecrets {
        fn env(&self, name: &str) -> Option<SecretString> {
            (name == "KAFKA_PASSWORD").then(|| SecretString::from("hunter2"))
        }

        fn file(&self, _: &str) -> Result<SecretString, String> {
            Err("no such file".to_owned())
        }
    }

    fn problems_of(config: &KafkaConfig) -> Vec<String> {
        config
            .validate("ingest.kafka", &NoSecrets)
            .expect_err("has problems")
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn with_option(name: &str, value: &str) -> KafkaConfig {
        KafkaConfig {
            brokers: vec!["localhost:9092".to_owned()],
            topics: vec!["t".to_owned()],
            options: [(name.to_owned(), OptionValue::Text(value.to_owned()))].into(),
            ..KafkaConfig::default()
        }
    }

    #[test]
    fn no_broker_turns_the_source_off() {
        assert!(
            KafkaConfig::default()
                .validate("", &NoSecrets)
                .is_ok_and(|s| s.is_none())
        );
    }

    #[test]
    fn owned_options_are_refused_with_the_key_to_use() {
        assert_eq!(
            problems_of(&with_option("group.id", "x")),
            ["ingest.kafka.options.\"group.id\": cannot be set: write `group` instead"]
        );
    }

    #[test]
    fn unknown_options_and_bad_values_are_refused() {
        assert_eq!(
            problems_of(&with_option("no.such.thing", "x")),
            ["ingest.kafka.options.\"no.such.thing\": librdkafka has no such setting"]
        );
        assert_eq!(
            problems_of(&with_option("security.protocol", "smoke signals")),
            ["ingest.kafka.options.\"security.protocol\": librdkafka does not take this value"]
        );
    }

    #[test]
    fn secrets_in_the_file_are_refused_and_never_repeated() {
        let problems = problems_of(&with_option("sasl.password", "hunter2"));
        assert!(problems[0].contains("options_env"));
        assert!(!problems[0].contains("hunter2"));
    }

    #[test]
    fn secrets_come_from_the_environment_and_are_not_shown() {
        let mut config = with_option("security.protocol", "SASL_SSL");
        config.options_env = [("sasl.password".to_owned(), "KAFKA_PASSWORD".to_owned())].into();
        let settings = config.validate("", &NoSecrets).expect("valid").expect("on");
        assert_eq!(settings.connection.options.len(), 2);
        assert!(!format!("{settings:?}").contains("hunter2"));
        config.options_env = [("sasl.password".to_owned(), "MISSING".to_owned())].into();
        assert!(problems_of(&config)[0].contains("MISSING is not set"));
    }
}
