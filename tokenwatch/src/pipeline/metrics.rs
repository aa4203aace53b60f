//! The pipeline's own metrics.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokenwatch_model::LatencySummary;

use super::progress::ProgressHandle;

/// Counters and gauges that the pipeline moves.
#[derive(Clone, Debug)]
pub(crate) struct PipelineMetrics {
    pub(super) events: Counter,
    pub(super) redelivered: Counter,
    pub(super) batches: Counter,
    pub(super) signals: Counter,
    pub(super) findings: Family<FindingLabels, Counter>,
    pub(super) batch_seconds: Histogram,
    pub(super) checkpoints: Counter,
    pub(super) checkpoint_at: Gauge,
    pub(super) engine_tokens: Gauge,
    pub(super) engine_state_bytes: Gauge,
}

/// Which findings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FindingLabels {
    pub(super) detector: &'static str,
    pub(super) severity: &'static str,
}

/// Tells latencies when `/metrics` is asked for.
#[derive(Debug)]
pub(crate) struct LatencyCollector(pub(crate) ProgressHandle);

impl Default for PipelineMetrics {
    fn default() -> Self {
        Self {
            events: Counter::default(),
            redelivered: Counter::default(),
            batches: Counter::default(),
            signals: Counter::default(),
            findings: Family::default(),
            // From 1 ms to 16 s, by doubling.
            batch_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
            checkpoints: Counter::default(),
            checkpoint_at: Gauge::default(),
            engine_tokens: Gauge::default(),
            engine_state_bytes: Gauge::default(),
        }
    }
}

impl PipelineMetrics {
    /// Makes them known to `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "tokenwatch_pipeline_events",
            "Access events that went all the way",
            self.events.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_redelivered_events",
            "Access events that were delivered before and do not count again",
            self.redelivered.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_batches",
            "Batches that went all the way",
            self.batches.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_signals",
            "Signals of the detectors",
            self.signals.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_findings",
            "Findings opened",
            self.findings.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_batch_write_seconds",
            "From a batch judged to a batch stored",
            self.batch_seconds.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_checkpoints",
            "Checkpoints written",
            self.checkpoints.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_checkpoint_timestamp_seconds",
            "When the last checkpoint was written",
            self.checkpoint_at.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_engine_tokens",
            "Tokens that the engine knows",
            self.engine_tokens.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_engine_state_bytes",
            "Memory that the tokens' states take",
            self.engine_state_bytes.clone(),
        );
    }
}

impl Collector for LatencyCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let progress = self.0.snapshot();
        let summaries: Vec<(&str, LatencySummary)> = progress
            .latency
            .all()
            .map(|(stage, recent)| (stage, recent.summary()))
            .to_vec();
        let mut family = encoder.encode_descriptor(
            "tokenwatch_pipeline_latency",
            "Quantiles of the last minutes, by where the latency starts and ends",
            Some(&Unit::Seconds),
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (stage, summary) in &summaries {
            for (quantile, ms) in [
                ("0.5", summary.p50_ms),
                ("0.95", summary.p95_ms),
                ("0.99", summary.p99_ms),
            ] {
                let labels = [("stage", *stage), ("quantile", quantile)];
                ConstGauge::new(ms as f64 / 1_000.0).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "tokenwatch_pipeline_latency_observations",
            "Latencies recorded",
            None,
            prometheus_client::metrics::MetricType::Counter,
        )?;
        for (stage, summary) in &summaries {
            let labels = [("stage", *stage)];
            ConstCounter::new(summary.count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
