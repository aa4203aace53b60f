//! Decodes batches on all cores, one ahead of the one that is being written; what comes out stands in the order of the
//! records.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use tokenwatch_ingest::{Decoder, RecordBatch, Reject, SourceEvent};
use tokenwatch_model::{AccessEvent, StreamId};
use tokio::sync::{mpsc, oneshot};

/// Records that one task decodes: enough to be worth a task, few enough to share the work out.
const CHUNK_RECORDS: usize = 512;

/// What a source sent, decoded; see [`SourceEvent`].
pub(crate) enum DecodedEvent {
    Batch(DecodedBatch),
    Assigned {
        streams: Vec<StreamId>,
        positions: oneshot::Sender<HashMap<StreamId, i64>>,
    },
    Revoked {
        streams: Vec<StreamId>,
        done: oneshot::Sender<()>,
    },
}

/// Where a batch's events borrow their texts from.
pub(crate) struct Source {
    batch: RecordBatch,
    decoder: Arc<Decoder>,
}

self_cell::self_cell!(
    /// A batch and the events that borrow from it, to be moved as one.
    pub(crate) struct DecodedBatch {
        owner: Source,
        #[covariant]
        dependent: Decoded,
    }
);

/// The events and rejects of a batch.
#[derive(Debug, Default)]
pub(crate) struct Decoded<'a> {
    /// Events in the order of their records, borrowing from the batch.
    pub(crate) events: Vec<AccessEvent<'a>>,
    /// Records, or parts of records, that could not be read.
    pub(crate) rejects: Vec<Reject>,
}

impl DecodedBatch {
    /// The records.
    pub(crate) fn batch(&self) -> &RecordBatch {
        &self.borrow_owner().batch
    }

    /// What they hold.
    pub(crate) fn decoded(&self) -> &Decoded<'_> {
        self.borrow_dependent()
    }

    /// Changes the events before they are judged.
    pub(crate) fn change_events<T>(
        &mut self,
        change: impl FnOnce(&mut Vec<AccessEvent<'_>>) -> T,
    ) -> T {
        self.with_dependent_mut(|_, decoded| change(&mut decoded.events))
    }
}

/// Decodes what the sources send and hands it on in the same order, until the sources or the pipeline end.
pub(crate) async fn decode_all(
    decoder: Arc<Decoder>,
    mut events: mpsc::Receiver<SourceEvent>,
    tx: mpsc::Sender<DecodedEvent>,
) {
    while let Some(event) = events.recv().await {
        let event = match event {
            SourceEvent::Batch(batch) => {
                let decoder = Arc::clone(&decoder);
                let source = Source { batch, decoder };
                DecodedEvent::Batch(tokio::task::block_in_place(|| {
                    DecodedBatch::new(source, |source| decode(&source.decoder, &source.batch))
                }))
            }
            SourceEvent::Assigned { streams, positions } => {
                DecodedEvent::Assigned { streams, positions }
            }
            SourceEvent::Revoked { streams, done } => DecodedEvent::Revoked { streams, done },
        };
        if tx.send(event).await.is_err() {
            return;
        }
    }
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
