//! How far each stream was read, and which events past the checkpoint are stored already.

use std::collections::HashMap;

use tokenwatch_ingest::RecordBatch;
use tokenwatch_model::{Position, StreamId};

/// Positions of every stream that was ever read, ahead of the last checkpoint.
///
/// Bounded by the number of streams: Kafka partitions and log files that still exist.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    next: HashMap<StreamId, i64>,
}

impl Positions {
    /// Goes on from a checkpoint.
    pub(crate) fn restore(positions: Vec<Position>) -> Self {
        let next = positions
            .into_iter()
            .map(|position| (position.stream, position.next_offset))
            .collect();
        Self { next }
    }

    /// Where each of `streams` goes on; one that was never read is absent.
    pub(crate) fn of(&self, streams: &[StreamId]) -> HashMap<StreamId, i64> {
        streams
            .iter()
            .filter_map(|stream| Some((stream.clone(), *self.next.get(stream)?)))
            .collect()
    }

    /// Moves past the records of `batch`.
    pub(crate) fn advance(&mut self, batch: &RecordBatch) {
        let mut next_offsets = vec![None; batch.streams.len()];
        for record in &batch.records {
            next_offsets[record.stream as usize] = Some(record.next_offset);
        }
        for (stream, next_offset) in batch.streams.iter().zip(next_offsets) {
            let Some(next_offset) = next_offset else {
                continue;
            };
            match self.next.get_mut(stream.as_ref()) {
                Some(next) => *next = next_offset,
                None => {
                    self.next.insert(stream.as_ref().clone(), next_offset);
                }
            }
        }
    }

    /// All of them, in the order of the streams.
    pub(crate) fn all(&self) -> Vec<Position> {
        let mut all: Vec<Position> = self
            .next
            .iter()
            .map(|(stream, next_offset)| Position {
                stream: stream.clone(),
                next_offset: *next_offset,
            })
            .collect();
        all.sort_by(|a, b| a.stream.cmp(&b.stream));
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn stream(partition: i32) -> StreamId {
        StreamId {
            topic: "gateway.access".to_owned(),
            partition,
        }
    }

    #[test]
    fn positions_follow_the_last_record_of_each_stream() {
        let mut batch = RecordBatch {
            streams: vec![
                Arc::new(stream(0)),
                Arc::new(stream(1)),
                Arc::new(stream(2)),
            ],
            ..RecordBatch::default()
        };
        batch.push(0, 10, 11, None, b"a");
        batch.push(1, 4, 5, None, b"b");
        batch.push(0, 13, 14, None, b"c");
        let mut positions = Positions::restore(vec![Position {
            stream: stream(2),
            next_offset: 99,
        }]);
        positions.advance(&batch);
        let offsets: Vec<i64> = positions
            .all()
            .into_iter()
            .map(|position| position.next_offset)
            .collect();
        assert_eq!(offsets, [14, 5, 99]);
        assert_eq!(
            positions.of(&[stream(1), stream(7)]),
            HashMap::from([(stream(1), 5)])
        );
    }
}
