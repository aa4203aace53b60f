//! Raw records on their way from a source to the decoder: one arena of bytes and the places of the records in it.

use std::collections::HashMap;
use std::sync::Arc;

use tokenwatch_model::{StreamId, Timestamp};
use tokio::sync::oneshot;

/// Records as a source read them; those of one stream are in its order.
#[derive(Debug, Default)]
pub struct RecordBatch {
    /// The bytes of every record, one behind the other.
    pub arena: Vec<u8>,
    /// The streams that records point at.
    pub streams: Vec<Arc<StreamId>>,
    /// The records.
    pub records: Vec<Record>,
}

/// One record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Index of its stream in the batch.
    pub stream: u32,
    /// Its offset in the stream.
    pub offset: i64,
    /// Where reading goes on behind it.
    pub next_offset: i64,
    /// When the broker appended it, where known.
    pub appended_at: Option<Timestamp>,
    /// Where its bytes start in the arena.
    pub start: usize,
    /// Where they end.
    pub end: usize,
}

/// One record as the decoder sees it.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// Its stream.
    pub stream: &'a StreamId,
    /// Its offset in the stream.
    pub offset: i64,
    /// When the broker appended it, where known.
    pub appended_at: Option<Timestamp>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What a source tells the pipeline.
#[derive(Debug)]
pub enum SourceEvent {
    /// Records to process.
    Batch(RecordBatch),
    /// Streams that this process reads from now on.
    Assigned {
        /// The streams.
        streams: Vec<StreamId>,
        /// Takes the offset at which each goes on; a stream that is absent starts afresh.
        positions: oneshot::Sender<HashMap<StreamId, i64>>,
    },
    /// Streams that this process reads no longer; everything sent before is to be checkpointed.
    Revoked {
        /// The streams.
        streams: Vec<StreamId>,
        /// Told once that is done.
        done: oneshot::Sender<()>,
    },
}

impl RecordBatch {
    /// Appends a record of `stream`, an index into [`RecordBatch::streams`].
    pub fn push(
        &mut self,
        stream: u32,
        offset: i64,
        next_offset: i64,
        appended_at: Option<Timestamp>,
        bytes: &[u8],
    ) {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        let end = self.arena.len();
        self.records.push(Record {
            stream,
            offset,
            next_offset,
            appended_at,
            start,
            end,
        });
    }

    /// The bytes of all records.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// The record at `index`, with its bytes.
    pub fn raw(&self, index: usize) -> RawRecord<'_> {
        let record = &self.records[index];
        RawRecord {
            stream: &self.streams[record.stream as usize],
            offset: record.offset,
            appended_at: record.appended_at,
            bytes: &self.arena[record.start..record.end],
        }
    }
}
