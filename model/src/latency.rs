//! How long things took: an `hdrhistogram` that saturates instead of failing.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest latency told apart: a day. Replays of old logs are older than that and count as a day.
const LONGEST_MS: u64 = 86_400_000;

/// Records latencies from 1 ms to a day with two significant digits, in about 20 KiB.
#[derive(Clone, Debug)]
pub struct LatencyRecorder {
    histogram: Histogram<u64>,
    total_ms: u64,
}

/// What a recorder saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// How many were recorded.
    pub count: u64,
    /// Their sum, in milliseconds.
    pub total_ms: u64,
    /// Median, in milliseconds.
    pub p50_ms: u64,
    /// 95th percentile, in milliseconds.
    pub p95_ms: u64,
    /// 99th percentile, in milliseconds.
    pub p99_ms: u64,
    /// The longest, in milliseconds.
    pub max_ms: u64,
}

impl LatencyRecorder {
    /// A recorder that has seen nothing.
    #[expect(
        clippy::missing_panics_doc,
        reason = "the bounds are constants that are valid"
    )]
    pub fn new() -> Self {
        let histogram =
            Histogram::new_with_bounds(1, LONGEST_MS, 2).expect("the bounds and digits are valid");
        Self {
            histogram,
            total_ms: 0,
        }
    }

    /// Records one latency.
    pub fn record(&mut self, latency: Duration) {
        let ms = u64::try_from(latency.as_millis())
            .unwrap_or(u64::MAX)
            .min(LONGEST_MS);
        self.histogram.saturating_record(ms);
        self.total_ms = self.total_ms.saturating_add(ms);
    }

    /// Takes over what `other` recorded.
    #[expect(
        clippy::missing_panics_doc,
        reason = "every recorder has the same bounds"
    )]
    pub fn add(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("every recorder has the same bounds");
        self.total_ms = self.total_ms.saturating_add(other.total_ms);
    }

    /// What was recorded so far.
    pub fn summary(&self) -> LatencySummary {
        LatencySummary {
            count: self.histogram.len(),
            total_ms: self.total_ms,
            p50_ms: self.histogram.value_at_quantile(0.5),
            p95_ms: self.histogram.value_at_quantile(0.95),
            p99_ms: self.histogram.value_at_quantile(0.99),
            max_ms: self.histogram.max(),
        }
    }
}

impl Default for LatencyRecorder {
    fn default() -> Self {
        Self::new()
    }
}
