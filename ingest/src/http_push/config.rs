//! What is written under `[ingest.http_push]`, and what it means.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use glob::Pattern;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource};

use super::auth::PushKey;
use crate::batching::BatchLimits;
use crate::files::FilesSettings;
use crate::kafka::KafkaConnection;

/// A key that is shorter can be guessed.
const KEY_BYTES_MIN: usize = 16;
/// The spool is read more often than other files, so that pushed events are not late.
const SPOOL_POLL_INTERVAL: Duration = Duration::from_millis(25);
/// Segments that may be open for reading: as many as a full spool has by default.
const SPOOL_OPEN_FILES: usize = 128;

/// Where pushed events are made durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushTarget {
    /// On the local disk.
    #[default]
    Spool,
    /// In a Kafka topic, through the brokers of `[ingest.kafka]`.
    Kafka,
}

/// One key that may push: its name, and where its secret stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushKeyConfig {
    /// Who uses it.
    pub name: String,
    /// The environment variable that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// The file that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
}

/// `[ingest.http_push]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpPushConfig {
    /// Whether events may be pushed.
    pub enabled: bool,
    /// Where they are made durable.
    pub to: PushTarget,
    /// The topic, where that is Kafka.
    pub topic: String,
    /// The folder of the spool, below the data folder unless it is absolute.
    pub spool_dir: PathBuf,
    /// The largest spool; beyond it, requests are put off.
    pub spool_bytes_limit: ByteSize,
    /// The size at which the spool starts a new file.
    pub segment_bytes: ByteSize,
    /// The keys that may push.
    pub keys: Vec<PushKeyConfig>,
    /// The largest body as sent.
    pub body_bytes_limit: ByteSize,
    /// The largest body after decompression.
    pub inflated_bytes_limit: ByteSize,
    /// Most requests at a time; together with the sizes above, this bounds the memory.
    pub concurrent_requests_limit: usize,
    /// How long a body may take to arrive.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
}

/// A validated [`HttpPushConfig`].
#[derive(Clone, Debug)]
pub struct HttpPushSettings {
    /// Where events are made durable.
    pub sink: PushSinkSettings,
    /// The keys that may push.
    pub keys: Vec<PushKey>,
    /// The largest body as sent.
    pub body_bytes_limit: usize,
    /// The largest body after decompression.
    pub inflated_bytes_limit: usize,
    /// Most requests at a time.
    pub concurrent_requests_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
}

/// Where events are made durable.
#[derive(Clone, Debug)]
pub enum PushSinkSettings {
    /// On the local disk.
    Spool(SpoolSettings),
    /// In a topic.
    Kafka {
        /// The brokers.
        connection: KafkaConnection,
        /// The topic.
        topic: String,
    },
}

/// A validated spool.
#[derive(Clone, Debug)]
pub struct SpoolSettings {
    /// Its folder.
    pub dir: PathBuf,
    /// Its largest size.
    pub bytes_limit: u64,
    /// The size at which it starts a new file.
    pub segment_bytes: u64,
}

impl Default for HttpPushConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            to: PushTarget::default(),
            topic: String::new(),
            spool_dir: PathBuf::from("spool"),
            spool_bytes_limit: ByteSize::gib(1),
            segment_bytes: ByteSize::mib(8),
            keys: Vec::new(),
            // 16 requests of at most 16 MiB each, in two copies while they are split: 512 MiB at the very worst.
            body_bytes_limit: ByteSize::mib(4),
            inflated_bytes_limit: ByteSize::mib(16),
            concurrent_requests_limit: 16,
            body_timeout: Duration::from_secs(30),
        }
    }
}

impl HttpPushConfig {
    /// The settings, `None` if turned off, or every problem, with key paths below `prefix`.
    ///
    /// `data_dir` is where a relative spool lies; `kafka` is the connection of the Kafka source, if there is one.
    pub fn validate(
        &self,
        prefix: &str,
        data_dir: &std::path::Path,
        kafka: Option<&KafkaConnection>,
        secrets: &dyn SecretSource,
    ) -> Result<Option<HttpPushSettings>, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        if !self.enabled {
            return Ok(None);
        }
        let keys = self.validate_keys(&mut problems, secrets);
        let sizes = [
            ("segment_bytes", self.segment_bytes.as_u64()),
            ("body_bytes_limit", self.body_bytes_limit.as_u64()),
            ("inflated_bytes_limit", self.inflated_bytes_limit.as_u64()),
            (
                "concurrent_requests_limit",
                self.concurrent_requests_limit as u64,
            ),
        ];
        for (key, value) in sizes {
            if value == 0 {
                problems.add(key, "must be greater than zero");
            }
        }
        if self.spool_bytes_limit < self.inflated_bytes_limit {
            problems.add(
                "spool_bytes_limit",
                "must hold at least one request of inflated_bytes_limit",
            );
        }
        let sink = self.validate_sink(&mut problems, data_dir, kafka);
        let bytes = |size: ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
        match sink {
            Some(sink) if problems.is_empty() => Ok(Some(HttpPushSettings {
                sink,
                keys,
                body_bytes_limit: bytes(self.body_bytes_limit),
                inflated_bytes_limit: bytes(self.inflated_bytes_limit),
                concurrent_requests_limit: self.concurrent_requests_limit,
                body_timeout: self.body_timeout,
            })),
            _ => problems.into_result(|| None),
        }
    }

    fn validate_sink(
        &self,
        problems: &mut Problems,
        data_dir: &std::path::Path,
        kafka: Option<&KafkaConnection>,
    ) -> Option<PushSinkSettings> {
        match self.to {
            PushTarget::Spool => Some(PushSinkSettings::Spool(SpoolSettings {
                dir: data_dir.join(&self.spool_dir),
                bytes_limit: self.spool_bytes_limit.as_u64(),
                segment_bytes: self.segment_bytes.as_u64(),
            })),
            PushTarget::Kafka => {
                if self.topic.is_empty() {
                    problems.add("topic", "name the topic that events are pushed to");
                }
                let Some(connection) = kafka else {
                    problems.add("to", "is kafka, but ingest.kafka names no brokers");
                    return None;
                };
                Some(PushSinkSettings::Kafka {
                    connection: connection.clone(),
                    topic: self.topic.clone(),
                })
            }
        }
    }

    fn validate_keys(&self, problems: &mut Problems, secrets: &dyn SecretSource) -> Vec<PushKey> {
        if self.keys.is_empty() {
            problems.add(
                "keys",
                "at least one key is needed: anybody could push otherwise",
            );
        }
        let mut keys: Vec<PushKey> = Vec::with_capacity(self.keys.len());
        for (index, key) in self.keys.iter().enumerate() {
            let at = format!("keys[{index}]");
            if key.name.is_empty() {
                problems.add(format!("{at}.name"), "say who uses the key");
            }
            match key.read(secrets) {
                Ok(secret) if secret.expose_secret().len() < KEY_BYTES_MIN => {
                    problems.add(
                        at,
                        format!("the key is shorter than {KEY_BYTES_MIN} characters"),
                    );
                }
                Ok(secret) => {
                    let key = PushKey::new(&key.name, &secret);
                    if keys.iter().any(|other| other.is_same_secret(&key)) {
                        problems.add(at, "two names have the same key");
                    } else {
                        keys.push(key);
                    }
                }
                Err(message) => problems.add(at, message),
            }
        }
        keys
    }
}

impl PushKeyConfig {
    fn read(&self, secrets: &dyn SecretSource) -> Result<SecretString, String> {
        match (&self.key_env, &self.key_file) {
            (Some(variable), None) => secrets
                .env(variable)
                .ok_or_else(|| format!("the variable {variable} is not set")),
            (None, Some(file)) => secrets
                .file(file)
                .map_err(|error| format!("{file} cannot be read: {error}")),
            _ => Err("name either key_env or key_file".to_owned()),
        }
    }
}

impl SpoolSettings {
    /// The file source that reads the spool and deletes what is checkpointed.
    pub fn files(&self, line_bytes_limit: usize) -> FilesSettings {
        let dir = Pattern::escape(&self.dir.to_string_lossy());
        FilesSettings {
            paths: vec![format!("{dir}/{}", super::spool::SEGMENT_PATTERN)],
            exclude: Vec::new(),
            line_bytes_limit,
            open_files_limit: SPOOL_OPEN_FILES,
            poll_interval: SPOOL_POLL_INTERVAL,
            rotated_wait: Duration::ZERO,
            batch: BatchLimits {
                records: 20_000,
                bytes: 16 << 20,
                age: SPOOL_POLL_INTERVAL,
            },
            delete_after_checkpoint: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneSecret(&'static str);

    impl SecretSource for OneSecret {
        fn env(&self, _: &str) -> Option<SecretString> {
            Some(SecretString::from(self.0))
        }

        fn file(&self, _: &str) -> Result<SecretString, String> {
            Err("no such file".to_owned())
        }
    }

    fn problems_of(config: &HttpPushConfig, secret: &'static str) -> Vec<String> {
        config
            .validate("p", std::path::Path::new("/data"), None, &OneSecret(secret))
            .expect_err("has problems")
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn with_key(to: PushTarget) -> HttpPushConfig {
        HttpPushConfig {
            enabled: true,
            to,
            keys: vec![PushKeyConfig {
                name: "gateway".to_owned(),
                key_env: Some("KEY".to_owned()),
                key_file: None,
            }],
            ..HttpPushConfig::default()
        }
    }

    #[test]
    fn pushing_without_a_key_is_refused() {
        let config = HttpPushConfig {
            enabled: true,
            ..HttpPushConfig::default()
        };
        assert!(problems_of(&config, "")[0].starts_with("p.keys: at least one key"));
    }

    #[test]
    fn short_keys_are_refused_and_not_repeated() {
        let problems = problems_of(&with_key(PushTarget::Spool), "short");
        assert_eq!(
            problems,
            ["p.keys[0]: the key is shorter than 16 characters"]
        );
    }

    #[test]
    fn kafka_as_target_needs_brokers_and_a_topic() {
        let problems = problems_of(&with_key(PushTarget::Kafka), "long enough for a key");
        assert_eq!(
            problems,
            [
                "p.topic: name the topic that events are pushed to",
                "p.to: is kafka, but ingest.kafka names no brokers"
            ]
        );
    }
}
