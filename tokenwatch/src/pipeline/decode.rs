//! Decodes a batch on all cores; what comes out stands in the order of the records.

use rayon::prelude::*;
use tokenwatch_ingest::{Decoder, RecordBatch, Reject};
use tokenwatch_model::AccessEvent;

/// Records that one task decodes: enough to be worth a task, few enough to share the work out.
const CHUNK_RECORDS: usize = 512;

/// The events and rejects of a batch.
#[derive(Debug, Default)]
pub(crate) struct Decoded<'a> {
    /// Events in the order of their records, borrowing from the batch.
    pub(crate) events: Vec<AccessEvent<'a>>,
    /// Records, or parts of records, that could not be read.
    pub(crate) rejects: Vec<Reject>,
}

/// Decodes `batch`.
pub(crate) fn decode<'a>(decoder: &'a Decoder, batch: &'a RecordBatch) -> Decoded<'a> {
    let chunks: Vec<Decoded<'a>> = (0..batch.records.len())
        .into_par_iter()
        .step_by(CHUNK_RECORDS)
        .map(|start| decode_chunk(decoder, batch, start))
        .collect();
    let mut all = Decoded {
        events: Vec::with_capacity(chunks.iter().map(|chunk| chunk.events.len()).sum()),
        rejects: Vec::new(),
    };
    for chunk in chunks {
        all.events.extend(chunk.events);
        all.rejects.extend(chunk.rejects);
    }
    all
}

fn decode_chunk<'a>(decoder: &'a Decoder, batch: &'a RecordBatch, start: usize) -> Decoded<'a> {
    let end = (start + CHUNK_RECORDS).min(batch.records.len());
    let mut chunk = Decoded {
        events: Vec::with_capacity(end - start),
        rejects: Vec::new(),
    };
    for index in start..end {
        decoder.decode(batch.raw(index), &mut chunk.events, &mut chunk.rejects);
    }
    decoder.count(end - start, &chunk.events, &chunk.rejects);
    chunk
}
