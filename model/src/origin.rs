//! Where a record was read: a stream (a Kafka partition, a file) and a position in it.

use serde::{Deserialize, Serialize};

use crate::Text;

/// Where an event's record was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Origin<'a> {
    /// The gateway node, where the record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Text<'a>>,
    /// The Kafka topic, or `file:` and the file's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Text<'a>>,
    /// The Kafka partition; 0 for a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The Kafka offset, or the byte at which the line starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Which event of the record, from 0: one record may hold many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub index: u32,
}

/// A stream of records whose positions are checkpointed: a Kafka partition or a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId {
    /// The topic, or `file:` and the file's identity.
    pub topic: String,
    /// The partition; 0 for a file.
    pub partition: i32,
}

/// Where reading a stream goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The stream.
    pub stream: StreamId,
    /// The first offset that was not read yet.
    pub next_offset: i64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(index: &u32) -> bool {
    *index == 0
}
