//! Dead letters: what could not be decoded, scrubbed, with its reason and its place, in a file or a Kafka topic.
//!
//! They are for people who repair a gateway's log format. They never hold the pipeline up: what cannot be written is
//! counted and gone. After a crash, the rejects of the replayed records are written again, at the same place.

mod config;
mod file;
mod topic;

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokenwatch_model::{Clock, Timestamp};

pub use config::{DeadLettersConfig, DeadLettersSettings, DeadLettersTarget};

use crate::reject::{Reject, RejectReason};
use crate::source_error::SourceError;
use crate::source_metrics::DeadLettersMetrics;
use file::LetterFile;
use topic::LetterTopic;

/// Writes dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    sink: Sink,
    clock: Clock,
    metrics: DeadLettersMetrics,
    /// Whether the last write failed, so that an outage is logged once.
    failing: bool,
}

#[derive(Debug)]
enum Sink {
    Off,
    File(Arc<Mutex<LetterFile>>),
    Topic(LetterTopic),
}

/// One line.
#[derive(Debug, Serialize)]
struct Letter<'a> {
    at: Timestamp,
    reason: RejectReason,
    topic: &'a str,
    partition: i32,
    offset: i64,
    excerpt: &'a str,
}

impl DeadLetters {
    /// Opens the file, or a producer that connects in the background.
    pub fn open(
        settings: &DeadLettersSettings,
        clock: Clock,
        metrics: DeadLettersMetrics,
    ) -> Result<Self, SourceError> {
        let sink = match settings {
            DeadLettersSettings::Off => Sink::Off,
            DeadLettersSettings::File { path, bytes_limit } => Sink::File(Arc::new(Mutex::new(
                LetterFile::new(path.clone(), *bytes_limit),
            ))),
            DeadLettersSettings::Kafka { connection, topic } => {
                Sink::Topic(LetterTopic::new(connection, topic, metrics.clone())?)
            }
        };
        Ok(Self {
            sink,
            clock,
            metrics,
            failing: false,
        })
    }

    /// Writes what was rejected; what cannot be written is counted.
    pub async fn write(&mut self, rejects: &[Reject]) {
        if rejects.is_empty() || matches!(self.sink, Sink::Off) {
            return;
        }
        let at = self.clock.now();
        let mut lines = Vec::with_capacity(rejects.len());
        for reject in rejects {
            let letter = Letter {
                at,
                reason: reject.reason,
                topic: &reject.stream.topic,
                partition: reject.stream.partition,
                offset: reject.offset,
                excerpt: &reject.excerpt,
            };
            match serde_json::to_vec(&letter) {
                Ok(line) => lines.push(line),
                Err(_) => {
                    self.metrics.lost.inc();
                }
            }
        }
        match &self.sink {
            Sink::Off => {}
            Sink::Topic(topic) => topic.send(&lines),
            Sink::File(file) => {
                let file = Arc::clone(file);
                let count = lines.len() as u64;
                let written = tokio::task::spawn_blocking(move || {
                    file.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .append(&lines)
                })
                .await
                .unwrap_or_else(|error| Err(std::io::Error::other(error)));
                self.report_file(count, written);
            }
        }
    }

    fn report_file(&mut self, count: u64, written: std::io::Result<()>) {
        match written {
            Ok(()) => {
                self.metrics.written.inc_by(count);
                self.failing = false;
            }
            Err(error) => {
                self.metrics.lost.inc_by(count);
                if !self.failing {
                    tracing::warn!(%error, "dead letters cannot be written; they are only counted");
                }
                self.failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::StreamId;

    use super::*;

    fn reject(offset: i64) -> Reject {
        Reject {
            reason: RejectReason::InvalidJson,
            stream: StreamId {
                topic: "gateway.access".to_owned(),
                partition: 3,
            },
            offset,
            excerpt: "{\"cut".to_owned(),
        }
    }

    fn open(path: std::path::PathBuf, bytes_limit: u64) -> (DeadLetters, DeadLettersMetrics) {
        let metrics = DeadLettersMetrics::default();
        let settings = DeadLettersSettings::File { path, bytes_limit };
        let clock = Clock::fixed(Timestamp::from_secs(0));
        let letters = DeadLetters::open(&settings, clock, metrics.clone()).unwrap();
        (letters, metrics)
    }

    #[tokio::test]
    async fn a_letter_says_what_was_rejected_and_where_it_stood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters/dead.ndjson");
        let (mut letters, metrics) = open(path.clone(), 10_000);
        letters.write(&[reject(7)]).await;
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "{\"at\":\"1970-01-01T00:00:00.000Z\",\"reason\":\"invalid_json\",\"topic\":\"gateway.access\",\
             \"partition\":3,\"offset\":7,\"excerpt\":\"{\\\"cut\"}\n"
        );
        assert_eq!(metrics.written.get(), 1);
    }

    #[tokio::test]
    async fn the_file_is_rotated_once_and_never_outgrows_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.ndjson");
        let (mut letters, _) = open(path.clone(), 1_000);
        for offset in 0..100 {
            letters.write(&[reject(offset)]).await;
        }
        let sizes: Vec<_> = [path.clone(), path.with_extension("ndjson.1")]
            .iter()
            .map(|path| path.metadata().unwrap().len())
            .collect();
        assert!(sizes.iter().sum::<u64>() <= 1_000, "{sizes:?}");
        assert!(
            std::fs::read_to_string(path)
                .unwrap()
                .contains("\"offset\":99")
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn letters_that_cannot_be_written_are_counted_and_hold_nothing_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        std::fs::create_dir(&path).unwrap();
        let (mut letters, metrics) = open(path, 1_000);
        letters.write(&[reject(1), reject(2)]).await;
        assert_eq!((metrics.written.get(), metrics.lost.get()), (0, 2));
    }
}
