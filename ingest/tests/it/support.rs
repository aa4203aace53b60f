//! A pipeline for tests: answers assignments from given positions and keeps what it is handed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use secrecy::SecretString;
use tokenwatch_ingest::{RecordBatch, SourceEvent};
use tokenwatch_model::{SecretSource, StreamId};
use tokio::sync::{mpsc, oneshot};

/// Longer than anything here takes on a slow machine; only a failing test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A pipeline that is driven by the test.
pub(crate) struct Pipeline {
    pub(crate) rx: mpsc::Receiver<SourceEvent>,
    /// Where streams go on.
    pub(crate) positions: HashMap<StreamId, i64>,
    /// Offsets and texts that arrived, per stream.
    pub(crate) received: BTreeMap<StreamId, Vec<(i64, String)>>,
    /// Streams assigned now.
    pub(crate) assigned: Vec<StreamId>,
}

/// An event that the test answers itself.
pub(crate) enum Asked {
    Batch,
    Assigned,
    Revoked(Vec<StreamId>, oneshot::Sender<()>),
}

impl Pipeline {
    pub(crate) fn new(queue: usize) -> (mpsc::Sender<SourceEvent>, Self) {
        let (tx, rx) = mpsc::channel(queue);
        let pipeline = Self {
            rx,
            positions: HashMap::new(),
            received: BTreeMap::new(),
            assigned: Vec::new(),
        };
        (tx, pipeline)
    }

    /// Takes the next event; answers assignments, leaves revocations to the test.
    pub(crate) async fn next(&mut self) -> Asked {
        let event = tokio::time::timeout(PATIENCE, self.rx.recv())
            .await
            .expect("an event in time")
            .expect("the source runs");
        match event {
            SourceEvent::Batch(batch) => {
                self.keep(&batch);
                Asked::Batch
            }
            SourceEvent::Assigned { streams, positions } => {
                let known = streams
                    .iter()
                    .filter_map(|id| Some((id.clone(), *self.positions.get(id)?)))
                    .collect();
                self.assigned.extend(streams);
                positions.send(known).expect("the source waits");
                Asked::Assigned
            }
            SourceEvent::Revoked { streams, done } => {
                self.assigned.retain(|id| !streams.contains(id));
                Asked::Revoked(streams, done)
            }
        }
    }

    /// Goes on until `enough`, answering everything.
    pub(crate) async fn run_until(&mut self, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            if let Asked::Revoked(_, done) = self.next().await {
                // The source may have stopped waiting.
                done.send(()).ok();
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.received.values().map(Vec::len).sum()
    }

    fn keep(&mut self, batch: &RecordBatch) {
        for index in 0..batch.records.len() {
            let record = batch.raw(index);
            let text = String::from_utf8_lossy(record.bytes).into_owned();
            let lines = self.received.entry(record.stream.clone()).or_default();
            lines.push((record.offset, text));
            self.positions
                .insert(record.stream.clone(), batch.records[index].next_offset);
        }
    }
}

pub(crate) struct NoSecrets;

impl SecretSource for NoSecrets {
    fn env(&self, _: &str) -> Option<SecretString> {
        Some(SecretString::from("correct horse battery staple"))
    }

    fn file(&self, _: &str) -> Result<SecretString, String> {
        Err("no such file".to_owned())
    }
}

pub(crate) fn stream(topic: &str, partition: i32) -> StreamId {
    StreamId {
        topic: topic.to_owned(),
        partition,
    }
}
