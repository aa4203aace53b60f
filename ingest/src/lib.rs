//! Bytes to access events: sources (Kafka, files, HTTP push), decoders, secret scrubbing, token identity and geography.
//!
//! Sources hand batches of raw records to the pipeline and go on from the positions that it answers with; they keep no
//! position of their own. The decoder is a pure function of a record and its settings.

mod record;

pub use record::{RawRecord, Record, RecordBatch, SourceEvent};
