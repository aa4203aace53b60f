//! How the pipeline does, as it tells metrics, the console and `/readyz`; counted once per batch, never per event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenwatch_dashboards::LiveEvent;
use tokenwatch_detectors::{Detections, EngineStats};
use tokenwatch_ingest::RecordBatch;
use tokenwatch_model::{Finding, LatencyRecorder, LatencySummary, Outcome, Timestamp};
use tokio::sync::broadcast;

use super::decode::Decoded;
use super::metrics::{FindingLabels, PipelineMetrics};

/// Older than this, what is read is history that was loaded, and its age is no latency. A lag this long is told by the
/// lag metrics.
const HISTORY_AGE: Duration = Duration::from_hours(1);

/// Shares the progress between the pipeline and those who ask.
#[derive(Clone, Debug)]
pub(crate) struct ProgressHandle {
    progress: Arc<Mutex<Progress>>,
    metrics: PipelineMetrics,
    live: broadcast::Sender<LiveEvent>,
}

/// What has been done so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Access events decoded.
    pub(crate) events: u64,
    /// Those that did not end well.
    pub(crate) failures: u64,
    /// Records that could not be read, by reason.
    pub(crate) rejected: BTreeMap<&'static str, u64>,
    /// The newest event's own time.
    pub(crate) last_event_at: Option<Timestamp>,
    /// When the last checkpoint was written.
    pub(crate) last_checkpoint_at: Option<Timestamp>,
    /// The detectors' state at that time.
    pub(crate) engine: EngineStats,
    /// How long things took.
    pub(crate) latency: Latencies,
}

/// Latencies by where they start and end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    /// From the gateway's timestamp to the row stored.
    pub(crate) gateway_to_stored: Recent,
    /// From the broker's timestamp to the row stored.
    pub(crate) kafka_to_stored: Recent,
    /// From the gateway's timestamp of the deciding event to the finding.
    pub(crate) gateway_to_finding: Recent,
    /// From the oldest broker's timestamp in the batch to the finding: an upper bound.
    pub(crate) kafka_to_finding: Recent,
}

/// Latencies of the last one to two periods, and the total since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    current: LatencyRecorder,
    previous: LatencyRecorder,
    count: u64,
    total_ms: u64,
}

impl ProgressHandle {
    pub(crate) fn new(metrics: PipelineMetrics, live: broadcast::Sender<LiveEvent>) -> Self {
        Self {
            progress: Arc::default(),
            metrics,
            live,
        }
    }

    /// A copy of the progress so far.
    pub(crate) fn snapshot(&self) -> Progress {
        self.lock().clone()
    }

    /// Begins a new period of recent latencies.
    pub(crate) fn turn_period(&self) {
        let mut progress = self.lock();
        for recent in progress.latency.all_mut() {
            recent.turn();
        }
    }

    /// A batch was judged.
    pub(super) fn judged(
        &self,
        batch: &RecordBatch,
        detections: &Detections,
        decided_at: Timestamp,
    ) {
        self.metrics.signals.inc_by(detections.signals.len() as u64);
        let mut opened = opened(&detections.findings).peekable();
        if opened.peek().is_none() {
            return;
        }
        let oldest = appended(batch).min();
        let mut progress = self.lock();
        for finding in opened {
            progress
                .latency
                .gateway_to_finding
                .record(finding.detected_at, decided_at);
            if let Some(oldest) = oldest {
                progress.latency.kafka_to_finding.record(oldest, decided_at);
            }
        }
    }

    /// A batch that was judged at `decided_at` is stored.
    pub(super) fn stored(
        &self,
        batch: &RecordBatch,
        decoded: &Decoded<'_>,
        decided_at: Timestamp,
        stored_at: Timestamp,
    ) {
        let mut progress = self.lock();
        progress.events += decoded.events.len() as u64;
        for event in &decoded.events {
            progress.failures += u64::from(event.outcome != Outcome::Ok);
            progress.last_event_at = progress.last_event_at.max(Some(event.ts));
            progress
                .latency
                .gateway_to_stored
                .record(event.ts, stored_at);
        }
        for reject in &decoded.rejects {
            *progress.rejected.entry(reject.reason.name()).or_default() += 1;
        }
        for appended_at in appended(batch) {
            progress
                .latency
                .kafka_to_stored
                .record(appended_at, stored_at);
        }
        drop(progress);
        self.metrics.events.inc_by(decoded.events.len() as u64);
        self.metrics.batches.inc();
        self.metrics
            .batch_seconds
            .observe(stored_at.since(decided_at).as_secs_f64());
    }

    /// Records came again.
    pub(super) fn redelivered(&self, copies: u64) {
        self.metrics.redelivered.inc_by(copies);
    }

    /// New versions of findings are stored.
    pub(super) fn findings(&self, findings: &[Finding]) {
        for finding in opened(findings) {
            let labels = FindingLabels {
                detector: finding.detector.name(),
                severity: finding.severity.name(),
            };
            self.metrics.findings.get_or_create(&labels).inc();
        }
        for finding in findings {
            // Nobody may be looking.
            self.live
                .send(LiveEvent::Finding(Arc::new(finding.clone())))
                .ok();
        }
    }

    /// A checkpoint is visible.
    pub(super) fn checkpointed(&self, at: Timestamp, engine: EngineStats) {
        self.metrics.checkpoints.inc();
        self.metrics.checkpoint_at.set(at.as_secs());
        self.metrics.engine_tokens.set(engine.tokens as i64);
        self.metrics
            .engine_state_bytes
            .set(engine.state_bytes as i64);
        let mut progress = self.lock();
        progress.last_checkpoint_at = Some(at);
        progress.engine = engine;
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latencies {
    fn all_mut(&mut self) -> [&mut Recent; 4] {
        [
            &mut self.gateway_to_stored,
            &mut self.kafka_to_stored,
            &mut self.gateway_to_finding,
            &mut self.kafka_to_finding,
        ]
    }

    /// Each with its name in metrics.
    pub(super) fn all(&self) -> [(&'static str, &Recent); 4] {
        [
            ("gateway_to_stored", &self.gateway_to_stored),
            ("kafka_to_stored", &self.kafka_to_stored),
            ("gateway_to_finding", &self.gateway_to_finding),
            ("kafka_to_finding", &self.kafka_to_finding),
        ]
    }
}

impl Recent {
    fn record(&mut self, from: Timestamp, to: Timestamp) {
        let latency = to.since(from);
        if latency > HISTORY_AGE {
            return;
        }
        self.current.record(latency);
        self.count += 1;
        self.total_ms += u64::try_from(latency.as_millis()).unwrap_or(0);
    }

    fn turn(&mut self) {
        self.previous = std::mem::take(&mut self.current);
    }

    /// Quantiles of the recent past; count and total since the start.
    pub(crate) fn summary(&self) -> LatencySummary {
        let mut recent = self.previous.clone();
        recent.add(&self.current);
        LatencySummary {
            count: self.count,
            total_ms: self.total_ms,
            ..recent.summary()
        }
    }
}

fn opened(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.revision == 1)
}

/// When the broker took each record, of those that came through one.
fn appended(batch: &RecordBatch) -> impl Iterator<Item = Timestamp> {
    batch.records.iter().filter_map(|record| record.appended_at)
}
