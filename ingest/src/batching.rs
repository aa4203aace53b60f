//! Collects records into batches; a batch is handed over when it is full or old enough.

use std::sync::Arc;
use std::time::Duration;

use tokenwatch_model::{StreamId, Timestamp};
use tokio::time::Instant;

use crate::record::RecordBatch;

/// How old a batch may get while the pipeline has nothing else to do: the wait that low traffic pays.
const IDLE_AGE: Duration = Duration::from_millis(40);

/// When a batch is handed over: at the first limit that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most records.
    pub records: usize,
    /// Most bytes; the record that crosses it is still taken.
    pub bytes: usize,
    /// Longest wait for more records while the pipeline is busy; 40 ms at most while it is not.
    pub age: Duration,
}

/// A batch that is being filled.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    limits: BatchLimits,
    batch: RecordBatch,
    number: u64,
    started: Option<Instant>,
}

/// Where a stream stands in the batch that is being filled; kept beside the stream so that it need not be looked up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamSlot {
    number: u64,
    index: u32,
}

/// A record's place in its stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: i64,
    pub(crate) next_offset: i64,
    pub(crate) appended_at: Option<Timestamp>,
}

impl BatchBuilder {
    pub(crate) fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            batch: RecordBatch::default(),
            // Slots start at 0, so no slot is valid for the first batch by accident.
            number: 1,
            started: None,
        }
    }

    pub(crate) fn push(
        &mut self,
        stream: &Arc<StreamId>,
        slot: &mut StreamSlot,
        place: Place,
        bytes: &[u8],
    ) {
        if slot.number != self.number {
            slot.number = self.number;
            slot.index = u32::try_from(self.batch.streams.len())
                .expect("a batch has far fewer streams than 2^32: at least one record each");
            self.batch.streams.push(Arc::clone(stream));
        }
        self.started.get_or_insert_with(Instant::now);
        self.batch.push(
            slot.index,
            place.offset,
            place.next_offset,
            place.appended_at,
            bytes,
        );
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.records.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.batch.records.len() >= self.limits.records
            || self.batch.arena.len() >= self.limits.bytes
    }

    /// How much longer the batch may wait for records; `None` while it is empty.
    pub(crate) fn time_left(&self, pipeline_is_idle: bool) -> Option<Duration> {
        let age = if pipeline_is_idle {
            self.limits.age.min(IDLE_AGE)
        } else {
            self.limits.age
        };
        Some(age.saturating_sub(self.started?.elapsed()))
    }

    /// Takes the batch and starts the next, which expects to become as large.
    pub(crate) fn take(&mut self) -> RecordBatch {
        let next = RecordBatch {
            arena: Vec::with_capacity(self.batch.arena.len()),
            streams: Vec::with_capacity(self.batch.streams.len()),
            records: Vec::with_capacity(self.batch.records.len()),
        };
        self.number += 1;
        self.started = None;
        std::mem::replace(&mut self.batch, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_an_earlier_batch_are_not_used_in_the_next() {
        let limits = BatchLimits {
            records: 2,
            bytes: 1_000,
            age: Duration::from_millis(200),
        };
        let mut builder = BatchBuilder::new(limits);
        let streams: Vec<_> = (0..2)
            .map(|partition| {
                Arc::new(StreamId {
                    topic: "t".to_owned(),
                    partition,
                })
            })
            .collect();
        let mut slots = [StreamSlot::default(); 2];
        let place = Place {
            offset: 0,
            next_offset: 1,
            appended_at: None,
        };
        builder.push(&streams[0], &mut slots[0], place, b"a");
        assert!(!builder.is_full());
        builder.push(&streams[1], &mut slots[1], place, b"b");
        assert!(builder.is_full());
        builder.take();
        builder.push(&streams[1], &mut slots[1], place, b"c");
        let batch = builder.take();
        assert_eq!(batch.raw(0).stream, &*streams[1]);
        assert_eq!(batch.raw(0).bytes, b"c");
    }
}
