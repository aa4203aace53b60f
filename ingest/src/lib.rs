//! Bytes to access events: sources (Kafka, files, HTTP push), decoders, secret scrubbing, token identity and geography.
//!
//! Sources hand batches of raw records to the pipeline and go on from the positions that it answers with; they keep no
//! position of their own. The decoder is a pure function of a record and its settings.

mod address;
mod batching;
mod binding;
mod call;
mod cloudwatch;
mod config;
mod credentials;
mod dead_letters;
mod decoder;
mod decoder_config;
mod enrich;
mod envelope;
mod files;
mod flat;
mod format;
mod formats;
mod framing;
mod geo;
mod http_push;
mod identity;
mod json;
mod jwt;
mod kafka;
mod lines;
mod metrics;
mod names;
mod record;
mod reject;
mod request;
mod scrub;
mod source_error;
mod source_metrics;
mod time;
mod token_key;
mod unfold;

pub use batching::BatchLimits;
pub use config::{IngestConfig, IngestSettings};
pub use dead_letters::{DeadLetters, DeadLettersConfig, DeadLettersSettings, DeadLettersTarget};
pub use decoder::Decoder;
pub use decoder_config::{
    DecoderConfig, DecoderSettings, IdentityConfig, LimitsConfig, ScrubConfig,
};
pub use files::{FileSource, FilesConfig, FilesHandle, FilesSettings};
pub use format::FormatChoice;
pub use formats::mapped::{LatencyUnit, MappedConfig, MappedField, TimestampUnit};
pub use geo::{Geo, GeoConfig, GeoState, Place};
pub use http_push::{
    EventProducer, HttpPushConfig, HttpPushSettings, PushKey, PushKeyConfig, PushSink,
    PushSinkSettings, PushTarget, Spool, SpoolSettings, SpoolWriter, push_router,
};
pub use identity::IdentitySource;
pub use jwt::{JwtConfig, JwtIssuerConfig, JwtKeyIds};
pub use kafka::{
    KafkaConfig, KafkaConnection, KafkaHandle, KafkaSettings, KafkaSource, KafkaState, OptionValue,
    PartitionLag, StartFrom,
};
pub use lines::{AtEnd, FileReader, Line, LineReader, is_gzip};
pub use metrics::IngestMetrics;
pub use record::{RawRecord, Record, RecordBatch, SourceEvent};
pub use reject::{Reject, RejectReason};
pub use request::{RequestFacts, RequestIds, RequestTokens};
pub use scrub::shapes::may_be_secret;
pub use source_error::SourceError;
pub use source_metrics::{
    DeadLettersMetrics, FilesMetrics, KafkaMetrics, PushMetrics, SourceMetrics,
};
pub use token_key::{TokenKey, TokenKeyError};
pub use unfold::unfolded;
