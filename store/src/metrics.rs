//! The store's metrics.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::error::RetryReason;

/// From a small insert on an idle machine to one that waits for merges.
const DURATION_BUCKETS: [f64; 12] = [
    0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0,
];

/// Handles to the store's metrics; clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    rows: Family<TableLabel, Counter>,
    batches: Family<TableLabel, Counter>,
    retries: Family<ReasonLabel, Counter>,
    recognised: Counter,
    healed: Counter,
    engine_restarts: Counter,
    up: Gauge,
    insert_duration: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabel {
    table: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            rows: Family::default(),
            batches: Family::default(),
            retries: Family::default(),
            recognised: Counter::default(),
            healed: Counter::default(),
            engine_restarts: Counter::default(),
            up: Gauge::default(),
            insert_duration: Histogram::new(DURATION_BUCKETS),
        }
    }
}

impl StoreMetrics {
    /// Adds the metrics to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "tokenwatch_store_inserted_rows",
            "Rows that ClickHouse acknowledged, by table",
            self.rows.clone(),
        );
        registry.register(
            "tokenwatch_store_inserted_batches",
            "Inserts that ClickHouse acknowledged, by table",
            self.batches.clone(),
        );
        registry.register(
            "tokenwatch_store_retries",
            "Requests tried again, by reason",
            self.retries.clone(),
        );
        registry.register(
            "tokenwatch_store_recognised_rows",
            "Events that a retry found stored already",
            self.recognised.clone(),
        );
        registry.register(
            "tokenwatch_store_rollup_repairs",
            "Spans of the roll-ups compared with the events after an interrupted insert",
            self.healed.clone(),
        );
        registry.register(
            "tokenwatch_store_engine_restarts",
            "Restarts of the embedded engine",
            self.engine_restarts.clone(),
        );
        registry.register(
            "tokenwatch_store_up",
            "Whether ClickHouse answers",
            self.up.clone(),
        );
        registry.register(
            "tokenwatch_store_insert_duration_seconds",
            "Time from the first byte of an insert to its acknowledgement",
            self.insert_duration.clone(),
        );
    }

    pub(crate) fn inserted(&self, table: &'static str, rows: usize, took: Duration) {
        self.rows
            .get_or_create(&TableLabel { table })
            .inc_by(rows as u64);
        self.batches.get_or_create(&TableLabel { table }).inc();
        self.insert_duration.observe(took.as_secs_f64());
    }

    pub(crate) fn retried(&self, reason: RetryReason) {
        let reason = reason.name();
        self.retries.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn is_up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    pub(crate) fn recognised(&self, rows: usize) {
        self.recognised.inc_by(rows as u64);
    }

    pub(crate) fn rollups_repaired(&self) {
        self.healed.inc();
    }

    pub(crate) fn engine_restarted(&self) {
        self.engine_restarts.inc();
    }
}
