//! What the sources and the dead letters count.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Counters of the Kafka source.
#[derive(Clone, Debug, Default)]
pub struct KafkaMetrics {
    /// Records handed to the pipeline.
    pub records: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Records without a value, which are skipped.
    pub empty: Counter,
    /// Records that the broker had deleted before they were read.
    pub gap_records: Counter,
    /// Partitions assigned now.
    pub partitions: Gauge,
    /// 1 while a broker is reachable.
    pub up: Gauge,
    /// 1 while partitions are paused because the pipeline is full.
    pub paused: Gauge,
    /// Records behind the newest, summed over partitions.
    pub lag_records: Gauge,
    /// Seconds behind, of the partition that is furthest behind.
    pub lag_seconds: Gauge,
    /// Revocations whose checkpoint did not come in time.
    pub late_checkpoints: Counter,
    /// Errors that librdkafka reported.
    pub errors: Counter,
}

/// Counters of the file source.
#[derive(Clone, Debug, Default)]
pub struct FilesMetrics {
    /// Lines handed to the pipeline.
    pub records: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Lines over the limit, which are handed over cut off.
    pub oversized: Counter,
    /// Files that were cut short while they were read.
    pub truncations: Counter,
    /// Files that could not be opened or read, once per poll.
    pub errors: Counter,
    /// Files followed now.
    pub followed: Gauge,
    /// Files that wait because the limit of open files is reached.
    pub waiting: Gauge,
    /// Files deleted because everything in them was checkpointed.
    pub deleted: Counter,
}

/// Counters of the HTTP source.
#[derive(Clone, Debug, Default)]
pub struct PushMetrics {
    /// Requests accepted.
    pub accepted: Counter,
    /// Requests refused: not authorised, too large, malformed, too many.
    pub refused: Counter,
    /// Requests that failed on our side: spool full, disk or broker error.
    pub failed: Counter,
    /// Records made durable.
    pub records: Counter,
    /// Bytes in the spool.
    pub spool_bytes: Gauge,
    /// Calls of fsync.
    pub syncs: Counter,
}

/// Counters of the dead letters.
#[derive(Clone, Debug, Default)]
pub struct DeadLettersMetrics {
    /// Records written.
    pub written: Counter,
    /// Records that could not be written and are gone.
    pub lost: Counter,
}

/// Everything that the sources count.
#[derive(Clone, Debug, Default)]
pub struct SourceMetrics {
    /// The Kafka source.
    pub kafka: KafkaMetrics,
    /// The file source.
    pub files: FilesMetrics,
    /// The HTTP source.
    pub push: PushMetrics,
    /// The dead letters.
    pub dead_letters: DeadLettersMetrics,
}

impl SourceMetrics {
    /// Makes the metrics readable in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("tokenwatch_ingest");
        self.kafka.register(registry);
        self.files.register(registry);
        self.push.register(registry);
        self.dead_letters.register(registry);
    }
}

impl KafkaMetrics {
    fn register(&self, registry: &mut Registry) {
        let kafka = registry.sub_registry_with_prefix("kafka");
        kafka.register("records", "Records read from Kafka", self.records.clone());
        kafka.register_with_unit(
            "read",
            "Bytes read from Kafka",
            Unit::Bytes,
            self.bytes.clone(),
        );
        kafka.register(
            "empty_records",
            "Records without a value",
            self.empty.clone(),
        );
        kafka.register(
            "gap_records",
            "Records that the broker had deleted before they were read",
            self.gap_records.clone(),
        );
        kafka.register("partitions", "Partitions assigned", self.partitions.clone());
        kafka.register("up", "1 while a broker is reachable", self.up.clone());
        kafka.register(
            "paused",
            "1 while reading is paused because the pipeline is full",
            self.paused.clone(),
        );
        kafka.register(
            "lag_records",
            "Records behind the newest, all partitions",
            self.lag_records.clone(),
        );
        kafka.register_with_unit(
            "lag",
            "Time behind, of the partition furthest behind",
            Unit::Seconds,
            self.lag_seconds.clone(),
        );
        kafka.register(
            "late_checkpoints",
            "Revocations whose checkpoint did not come in time",
            self.late_checkpoints.clone(),
        );
        kafka.register(
            "errors",
            "Errors reported by librdkafka",
            self.errors.clone(),
        );
    }
}

impl FilesMetrics {
    fn register(&self, registry: &mut Registry) {
        let files = registry.sub_registry_with_prefix("files");
        files.register("records", "Lines read from files", self.records.clone());
        files.register_with_unit(
            "read",
            "Bytes read from files",
            Unit::Bytes,
            self.bytes.clone(),
        );
        files.register(
            "oversized_lines",
            "Lines cut off at the limit",
            self.oversized.clone(),
        );
        files.register(
            "truncations",
            "Files cut short while they were read",
            self.truncations.clone(),
        );
        files.register(
            "errors",
            "Files that could not be read",
            self.errors.clone(),
        );
        files.register("followed", "Files followed", self.followed.clone());
        files.register(
            "waiting",
            "Files that wait for the limit of open files",
            self.waiting.clone(),
        );
        files.register(
            "deleted",
            "Files deleted once checkpointed",
            self.deleted.clone(),
        );
    }
}

impl PushMetrics {
    fn register(&self, registry: &mut Registry) {
        let push = registry.sub_registry_with_prefix("push");
        push.register(
            "accepted_requests",
            "Requests accepted",
            self.accepted.clone(),
        );
        push.register("refused_requests", "Requests refused", self.refused.clone());
        push.register(
            "failed_requests",
            "Requests that failed on our side",
            self.failed.clone(),
        );
        push.register("records", "Records made durable", self.records.clone());
        push.register_with_unit(
            "spool",
            "Size of the spool",
            Unit::Bytes,
            self.spool_bytes.clone(),
        );
        push.register("syncs", "Calls of fsync", self.syncs.clone());
    }
}

impl DeadLettersMetrics {
    fn register(&self, registry: &mut Registry) {
        let letters = registry.sub_registry_with_prefix("dead_letters");
        letters.register("written", "Rejected records written", self.written.clone());
        letters.register(
            "lost",
            "Rejected records that could not be written",
            self.lost.clone(),
        );
    }
}
