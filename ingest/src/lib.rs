//! Bytes to access events: sources (Kafka, files, HTTP push), decoders, secret scrubbing, token identity and geography.
//!
//! Sources hand batches of raw records to the pipeline and go on from the positions that it answers with; they keep no
//! position of their own. The decoder is a pure function of a record and its settings.

mod batching;
mod dead_letters;
mod files;
mod http_push;
mod kafka;
mod lines;
mod record;
mod reject;
mod source_error;
mod source_metrics;

pub use batching::BatchLimits;
pub use dead_letters::{DeadLetters, DeadLettersConfig, DeadLettersSettings, DeadLettersTarget};
pub use files::{FileSource, FilesConfig, FilesHandle, FilesSettings};
pub use http_push::{
    EventProducer, HttpPushConfig, HttpPushSettings, PushKey, PushKeyConfig, PushSink,
    PushSinkSettings, PushTarget, Spool, SpoolSettings, SpoolWriter, push_router,
};
pub use kafka::{
    KafkaConfig, KafkaConnection, KafkaHandle, KafkaSettings, KafkaSource, KafkaState, OptionValue,
    PartitionLag, StartFrom,
};
pub use lines::{AtEnd, FileReader, Line, LineReader, is_gzip};
pub use record::{RawRecord, Record, RecordBatch, SourceEvent};
pub use reject::{Reject, RejectReason};
pub use source_error::SourceError;
pub use source_metrics::{
    DeadLettersMetrics, FilesMetrics, KafkaMetrics, PushMetrics, SourceMetrics,
};
