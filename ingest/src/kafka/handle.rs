//! What others see of the Kafka source and tell it while it runs: state, lag, committed positions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenwatch_model::{Clock, Position, StreamId, Timestamp};
use tokio::sync::watch;

/// Whether brokers can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KafkaState {
    /// No connection was tried yet.
    #[default]
    Starting,
    /// At least one broker answers.
    Up,
    /// No broker answers.
    Down {
        /// What librdkafka says of it.
        detail: String,
    },
}

/// How far one partition is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// The partition.
    pub stream: StreamId,
    /// Records that the broker has and the pipeline was not handed yet.
    pub records: i64,
    /// Age of the newest record handed over, if there are newer ones; else 0.
    pub seconds: i64,
}

/// A handle to the running Kafka source.
#[derive(Clone, Debug)]
pub struct KafkaHandle(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    state: watch::Sender<KafkaState>,
    clock: Clock,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// librdkafka's newest complaint: the reason of an outage, if there is one.
    last_error: String,
    /// The last error that was logged.
    last_reported: String,
    partitions: HashMap<StreamId, Progress>,
    /// The newest committed position per stream that the polling thread has not taken yet.
    committed: HashMap<StreamId, i64>,
}

#[derive(Debug, Default)]
struct Progress {
    high: Option<i64>,
    next_offset: Option<i64>,
    appended_at: Option<Timestamp>,
}

/// The end of a partition, as the broker last told.
#[derive(Clone, Copy, Debug)]
pub(super) struct HighWatermark<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl KafkaHandle {
    /// Follows the state.
    pub fn state(&self) -> watch::Receiver<KafkaState> {
        self.0.state.subscribe()
    }

    /// The lag of every partition assigned now, ordered by stream.
    pub fn lag(&self) -> Vec<PartitionLag> {
        self.0.lag()
    }

    /// Tells the broker, in the background, how far checkpoints have come: only for lag tools.
    pub fn committed(&self, positions: &[Position]) {
        let mut inner = self.0.inner();
        for position in positions {
            // Bounded by the assignment: positions of other sources and partitions are not ours to commit.
            if inner.partitions.contains_key(&position.stream) {
                inner
                    .committed
                    .insert(position.stream.clone(), position.next_offset);
            }
        }
    }
}

impl Shared {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            state: watch::Sender::new(KafkaState::Starting),
            clock,
            inner: Mutex::default(),
        }
    }

    pub(super) fn report_brokers(&self, brokers_up: usize) {
        let state = if brokers_up > 0 {
            KafkaState::Up
        } else {
            KafkaState::Down {
                detail: self.inner().last_error.clone(),
            }
        };
        self.state.send_if_modified(|current| {
            let same = std::mem::discriminant(current) == std::mem::discriminant(&state);
            let changed = *current != state;
            if !same {
                match &state {
                    KafkaState::Up => tracing::info!("Kafka is reachable"),
                    KafkaState::Down { detail } => {
                        tracing::warn!(kafka.detail = detail, "Kafka cannot be reached; trying on");
                    }
                    KafkaState::Starting => {}
                }
            }
            *current = state;
            changed
        });
    }

    pub(super) fn report_error(&self, reason: &str) {
        reason.clone_into(&mut self.inner().last_error);
        self.state.send_if_modified(|current| match current {
            KafkaState::Down { detail } if detail != reason => {
                reason.clone_into(detail);
                true
            }
            _ => false,
        });
    }

    pub(super) fn report_watermarks<'a>(
        &self,
        watermarks: impl Iterator<Item = HighWatermark<'a>>,
    ) {
        let mut inner = self.inner();
        for watermark in watermarks {
            let stream = StreamId {
                topic: watermark.topic.to_owned(),
                partition: watermark.partition,
            };
            if let Some(progress) = inner.partitions.get_mut(&stream) {
                progress.high = Some(progress.high.unwrap_or(0).max(watermark.offset));
            }
        }
    }

    pub(super) fn assigned(&self, stream: &StreamId, next_offset: Option<i64>) {
        self.inner().partitions.insert(
            stream.clone(),
            Progress {
                next_offset,
                ..Progress::default()
            },
        );
    }

    pub(super) fn revoked(&self, stream: &StreamId) {
        let mut inner = self.inner();
        inner.partitions.remove(stream);
        inner.committed.remove(stream);
    }

    pub(super) fn revoke_all(&self) {
        let mut inner = self.inner();
        inner.partitions.clear();
        inner.committed.clear();
    }

    /// Whether the error differs from the last one told.
    pub(super) fn is_new_error(&self, error: &str) -> bool {
        let mut inner = self.inner();
        let is_new = inner.last_reported != error;
        error.clone_into(&mut inner.last_reported);
        is_new
    }

    pub(super) fn handed_over(
        &self,
        stream: &StreamId,
        next_offset: i64,
        appended_at: Option<Timestamp>,
    ) {
        if let Some(progress) = self.inner().partitions.get_mut(stream) {
            progress.next_offset = Some(next_offset);
            progress.appended_at = appended_at.or(progress.appended_at);
        }
    }

    pub(super) fn take_committed(&self) -> HashMap<StreamId, i64> {
        std::mem::take(&mut self.inner().committed)
    }

    /// Records behind over all partitions, and the seconds of the one furthest behind.
    pub(super) fn total_lag(&self) -> (i64, i64) {
        self.lag().iter().fold((0, 0), |(records, seconds), lag| {
            (records + lag.records, seconds.max(lag.seconds))
        })
    }

    fn lag(&self) -> Vec<PartitionLag> {
        let now = self.clock.now();
        let mut lag: Vec<_> = self
            .inner()
            .partitions
            .iter()
            .map(|(stream, progress)| progress.lag(stream, now))
            .collect();
        lag.sort_unstable_by(|a, b| a.stream.cmp(&b.stream));
        lag
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn lag(&self, stream: &StreamId, now: Timestamp) -> PartitionLag {
        let records = match (self.high, self.next_offset) {
            (Some(high), Some(next_offset)) => (high - next_offset).max(0),
            _ => 0,
        };
        let seconds = match self.appended_at {
            Some(appended_at) if records > 0 => now.since(appended_at).as_secs() as i64,
            _ => 0,
        };
        PartitionLag {
            stream: stream.clone(),
            records,
            seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamId {
        StreamId {
            topic: "t".to_owned(),
            partition: 0,
        }
    }

    #[test]
    fn lag_is_told_in_records_and_in_seconds_of_the_newest_record_read() {
        let shared = Shared::new(Clock::fixed(Timestamp::from_secs(100)));
        shared.assigned(&stream(), None);
        shared.handed_over(&stream(), 10, Some(Timestamp::from_secs(70)));
        let watermark = HighWatermark {
            topic: "t",
            partition: 0,
            offset: 15,
        };
        shared.report_watermarks([watermark].into_iter());
        assert_eq!(shared.total_lag(), (5, 30));
        shared.handed_over(&stream(), 15, Some(Timestamp::from_secs(71)));
        assert_eq!(shared.total_lag(), (0, 0));
        shared.revoked(&stream());
        assert!(KafkaHandle(Arc::new(shared)).lag().is_empty());
    }

    #[test]
    fn positions_of_other_streams_are_not_kept() {
        let handle = KafkaHandle(Arc::new(Shared::new(Clock::fixed(Timestamp::from_secs(0)))));
        handle.committed(&[Position {
            stream: stream(),
            next_offset: 5,
        }]);
        assert!(handle.0.take_committed().is_empty());
    }

    #[test]
    fn state_changes_once_per_outage_and_carries_the_reason() {
        let handle = KafkaHandle(Arc::new(Shared::new(Clock::fixed(Timestamp::from_secs(0)))));
        let mut state = handle.state();
        handle.0.report_error("connection refused");
        handle.0.report_brokers(0);
        assert_eq!(
            *state.borrow_and_update(),
            KafkaState::Down {
                detail: "connection refused".to_owned()
            }
        );
        handle.0.report_brokers(0);
        assert!(!state.has_changed().expect("open"));
        handle.0.report_brokers(2);
        assert_eq!(*state.borrow_and_update(), KafkaState::Up);
    }
}
