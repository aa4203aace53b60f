//! `[ingest]`: the key, decoding, geography and the sources.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource};

use crate::dead_letters::{DeadLettersConfig, DeadLettersSettings};
use crate::decoder_config::{DecoderConfig, DecoderSettings};
use crate::files::{FilesConfig, FilesSettings};
use crate::geo::GeoConfig;
use crate::http_push::{HttpPushConfig, HttpPushSettings};
use crate::kafka::{KafkaConfig, KafkaSettings};

/// Ingest, as written in the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// Where relative paths of the key, the spool and the dead letters begin.
    pub data_dir: PathBuf,
    /// The deployment key, which makes token ids; created at first start. Losing it renames every token.
    pub key_file: PathBuf,
    /// How records become events.
    pub decoder: DecoderConfig,
    /// Where addresses are.
    pub geo: GeoConfig,
    /// The Kafka source.
    pub kafka: KafkaConfig,
    /// The file source.
    pub files: FilesConfig,
    /// The HTTP source.
    pub http_push: HttpPushConfig,
    /// Where records go that cannot be decoded.
    pub dead_letters: DeadLettersConfig,
}

/// Ingest, validated. A source that is off is `None`.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// The deployment key.
    pub key_file: PathBuf,
    /// How records become events.
    pub decoder: DecoderSettings,
    /// Where addresses are.
    pub geo: GeoConfig,
    /// The Kafka source.
    pub kafka: Option<KafkaSettings>,
    /// The file source.
    pub files: Option<FilesSettings>,
    /// The HTTP source.
    pub http_push: Option<HttpPushSettings>,
    /// Where records go that cannot be decoded.
    pub dead_letters: DeadLettersSettings,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            key_file: PathBuf::from("token.key"),
            decoder: DecoderConfig::default(),
            geo: GeoConfig::default(),
            kafka: KafkaConfig::default(),
            files: FilesConfig::default(),
            http_push: HttpPushConfig::default(),
            dead_letters: DeadLettersConfig::default(),
        }
    }
}

impl IngestConfig {
    /// The settings, or everything that is wrong in any part, with key paths below `prefix`.
    pub fn validate(
        &self,
        prefix: &str,
        secrets: &dyn SecretSource,
    ) -> Result<IngestSettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        let below = |key: &str| {
            if prefix.is_empty() {
                key.to_owned()
            } else {
                format!("{prefix}.{key}")
            }
        };
        if self.key_file == Path::new("") {
            problems.add("key_file", "name the file of the deployment key");
        }
        let mut part = |found: Vec<Problem>| problems.extend(found);
        let decoder = self.decoder.validate(&below("decoder")).map_err(&mut part);
        let kafka = self
            .kafka
            .validate(&below("kafka"), secrets)
            .map_err(&mut part);
        let connection = kafka
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(|kafka| &kafka.connection);
        let files = self.files.validate(&below("files")).map_err(&mut part);
        let http_push = self
            .http_push
            .validate(&below("http_push"), &self.data_dir, connection, secrets)
            .map_err(&mut part);
        let dead_letters = self
            .dead_letters
            .validate(&below("dead_letters"), &self.data_dir, connection)
            .map_err(&mut part);
        match (decoder, kafka, files, http_push, dead_letters) {
            (Ok(decoder), Ok(kafka), Ok(files), Ok(http_push), Ok(dead_letters)) => problems
                .into_result(|| IngestSettings {
                    key_file: self.data_dir.join(&self.key_file),
                    decoder,
                    geo: self.geo.clone(),
                    kafka,
                    files,
                    http_push,
                    dead_letters,
                }),
            _ => Err(problems.into_result(|| ()).err().unwrap_or_default()),
        }
    }
}
