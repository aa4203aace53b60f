//! What is written under `[ingest.dead_letters]`, and what it means.

use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems};

use crate::kafka::KafkaConnection;

/// Where dead letters go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLettersTarget {
    /// Nowhere; rejects are still counted.
    Off,
    /// To a file.
    #[default]
    File,
    /// To a Kafka topic, through the brokers of `[ingest.kafka]`.
    Kafka,
}

/// `[ingest.dead_letters]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLettersConfig {
    /// Where they go.
    pub to: DeadLettersTarget,
    /// The file, below the data folder unless it is absolute.
    pub path: PathBuf,
    /// The size of the file and its predecessor together.
    pub bytes_limit: ByteSize,
    /// The topic, where they go to Kafka.
    pub topic: String,
}

/// A validated [`DeadLettersConfig`].
#[derive(Clone, Debug)]
pub enum DeadLettersSettings {
    /// Nowhere.
    Off,
    /// To a file.
    File {
        /// Its path.
        path: PathBuf,
        /// Its size and its predecessor's.
        bytes_limit: u64,
    },
    /// To a topic.
    Kafka {
        /// The brokers.
        connection: KafkaConnection,
        /// The topic.
        topic: String,
    },
}

impl Default for DeadLettersConfig {
    fn default() -> Self {
        Self {
            to: DeadLettersTarget::default(),
            path: PathBuf::from("dead-letters.ndjson"),
            bytes_limit: ByteSize::mib(64),
            topic: "tokenwatch.dead-letters".to_owned(),
        }
    }
}

impl DeadLettersConfig {
    /// The settings, or every problem, with key paths below `prefix`.
    pub fn validate(
        &self,
        prefix: &str,
        data_dir: &Path,
        kafka: Option<&KafkaConnection>,
    ) -> Result<DeadLettersSettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        let settings = match (self.to, kafka) {
            (DeadLettersTarget::Off, _) => DeadLettersSettings::Off,
            (DeadLettersTarget::File, _) => DeadLettersSettings::File {
                path: data_dir.join(&self.path),
                bytes_limit: self.bytes_limit.as_u64(),
            },
            (DeadLettersTarget::Kafka, Some(connection)) => {
                if self.topic.is_empty() {
                    problems.add("topic", "name the topic of dead letters");
                }
                DeadLettersSettings::Kafka {
                    connection: connection.clone(),
                    topic: self.topic.clone(),
                }
            }
            (DeadLettersTarget::Kafka, None) => {
                problems.add("to", "is kafka, but ingest.kafka names no brokers");
                DeadLettersSettings::Off
            }
        };
        problems.into_result(|| settings)
    }
}
