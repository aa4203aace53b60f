//! What happens right now: the events that live streams tell every console.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Finding, Response, Timestamp};

/// Something that open consoles show at once.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// A finding opened, changed or closed.
    Finding(Arc<Finding>),
    /// How the pipeline does; once a second.
    Stats(LiveStats),
    /// Something was asked of a gateway.
    Response(Arc<Response>),
}

/// How the pipeline does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveStats {
    /// When this was measured.
    pub t: Timestamp,
    /// Access events per second.
    pub events_per_s: f64,
    /// Those of them that did not end well, per second.
    pub failures_per_s: f64,
    /// How far reading is behind, in seconds.
    pub lag_s: f64,
}

impl LiveEvent {
    /// The event's name in the stream.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Finding(_) => "finding",
            Self::Stats(_) => "stats",
            Self::Response(_) => "response",
        }
    }

    /// Its data: JSON on one line.
    pub(crate) fn data(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Finding(finding) => serde_json::to_string(finding),
            Self::Stats(stats) => serde_json::to_string(stats),
            Self::Response(response) => serde_json::to_string(response),
        }
    }
}
