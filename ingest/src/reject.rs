//! Records that could not be decoded, and the closed list of reasons.

use serde::{Deserialize, Serialize};
use tokenwatch_model::StreamId;

/// Why a record, or one event of it, was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RejectReason {
    /// The record, or one of its lines, is not UTF-8, and is no log with those bytes replaced either.
    NotUtf8,
    /// The record is longer than the limit.
    Oversized,
    /// The JSON is damaged or cut off.
    InvalidJson,
    /// The JSON is nested deeper than any log.
    NestingTooDeep,
    /// The line is not in the text format that its beginning promises.
    InvalidLine,
    /// The format could not be recognised.
    UnknownFormat,
    /// No time.
    MissingTimestamp,
    /// A time in no known notation.
    UnreadableTimestamp,
    /// A time that cannot be.
    TimestampOutOfRange,
    /// Neither a status, nor a method, nor a path.
    MissingRequiredField,
    /// A record that is no API call, such as Kong's stream sessions.
    UnsupportedRecord,
    /// More events in one record than the limit; those beyond it are lost.
    TooManyEvents,
}

/// A record, or one event of it, that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// The stream of the record.
    pub stream: StreamId,
    /// Its offset.
    pub offset: i64,
    /// Its beginning, scrubbed and bounded.
    pub excerpt: String,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::NotUtf8,
        Self::Oversized,
        Self::InvalidJson,
        Self::NestingTooDeep,
        Self::InvalidLine,
        Self::UnknownFormat,
        Self::MissingTimestamp,
        Self::UnreadableTimestamp,
        Self::TimestampOutOfRange,
        Self::MissingRequiredField,
        Self::UnsupportedRecord,
        Self::TooManyEvents,
    ];

    /// The name in metrics and dead letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::Oversized => "oversized",
            Self::InvalidJson => "invalid_json",
            Self::NestingTooDeep => "nesting_too_deep",
            Self::InvalidLine => "invalid_line",
            Self::UnknownFormat => "unknown_format",
            Self::MissingTimestamp => "missing_timestamp",
            Self::UnreadableTimestamp => "unreadable_timestamp",
            Self::TimestampOutOfRange => "timestamp_out_of_range",
            Self::MissingRequiredField => "missing_required_field",
            Self::UnsupportedRecord => "unsupported_record",
            Self::TooManyEvents => "too_many_events",
        }
    }
}
