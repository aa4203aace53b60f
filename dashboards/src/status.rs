//! What the binary tells the console about the pipeline: the shape of `GET /api/v1/pipeline` and of `/readyz`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{LatencySummary, ResponseMode, Timestamp};

/// The state of the pipeline; the binary replaces it through a `tokio::sync::watch` channel about once a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineStatus {
    /// Whether the service does its work.
    pub ready: bool,
    /// The version of the program.
    pub version: String,
    /// When the process started.
    pub started_at: Timestamp,
    /// Access events in the last second.
    pub events_per_s: f64,
    /// The broker.
    pub kafka: Component,
    /// The database.
    pub store: Component,
    /// The geo databases.
    pub geo: Component,
    /// How far reading is behind, one entry per stream.
    pub lag: Vec<StreamLag>,
    /// The newest event's own time.
    pub last_event_at: Option<Timestamp>,
    /// When the last checkpoint was written.
    pub last_checkpoint_at: Option<Timestamp>,
    /// How long things take.
    pub latency: PipelineLatency,
    /// Records that could not be read, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// The detectors' state.
    pub engine: EngineStatus,
    /// Whether responses are carried out.
    pub response_mode: ResponseMode,
}

/// A part that the pipeline depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Whether it works.
    pub state: ComponentState,
    /// What is wrong, or what it is connected to; never a secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Whether a part works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    /// It works.
    Up,
    /// It does not.
    Down,
    /// It is not configured.
    #[default]
    Off,
}

/// How far reading one stream is behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamLag {
    /// The topic, or `file:` and the file's identity.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Records not read yet.
    pub records: u64,
    /// Age of the newest event read, in seconds.
    pub seconds: f64,
}

/// Latencies from the gateway's timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineLatency {
    /// To the event stored.
    pub stored: LatencySummary,
    /// To the finding.
    pub finding: LatencySummary,
    /// To the notification sent.
    pub notified: LatencySummary,
}

/// The detectors' state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Tokens known.
    pub tokens: u64,
    /// Bytes that their state takes.
    pub state_bytes: u64,
}

/// Whether the service can do its work, and if not, why: the body of `/readyz`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// What is missing; ready if empty.
    pub reasons: Vec<NotReady>,
}

/// One reason not to be ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReady {
    /// The part: `store`, `kafka`, `startup`, …
    pub name: String,
    /// What is wrong with it; never a secret.
    pub detail: String,
}

impl Readiness {
    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}
