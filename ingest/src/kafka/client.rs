//! librdkafka's side: the client's configuration and the callbacks, which only take notes for the polling thread.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::config::{KafkaConnection, KafkaSettings, StartFrom};
use super::handle::{HighWatermark, Shared};
use crate::source_metrics::KafkaMetrics;

/// librdkafka prefetches up to this much per consumer, whatever the number of partitions. Its default of 64 MiB is
/// kept; a batch is at most 16 MiB, so two batches are always at hand behind the one being filled.
const PREFETCH_KIB: &str = "65536";
/// Statistics carry the newest offsets and the brokers' states; one second is how stale both may be.
const STATISTICS_INTERVAL_MS: &str = "1000";
/// A process that was killed keeps its partitions for this long; its successor waits. librdkafka's own 45 s is for clients
/// that send heartbeats between their work; ours come from a thread of their own.
const SESSION_TIMEOUT_MS: &str = "10000";
/// New topics that match a regular expression are seen within this time.
const METADATA_INTERVAL_MS: &str = "60000";

/// A rebalance that librdkafka waits for.
#[derive(Debug)]
pub(super) enum RebalanceEvent {
    Assign(TopicPartitionList),
    Revoke(TopicPartitionList),
}

/// The callbacks' notes.
#[derive(Debug, Default)]
struct Notes {
    rebalances: VecDeque<RebalanceEvent>,
    /// Set when the consumer closes: nobody is left to answer rebalances.
    closing: bool,
}

pub(super) struct Context {
    notes: Mutex<Notes>,
    shared: Arc<Shared>,
    metrics: KafkaMetrics,
}

/// The part of librdkafka's statistics that is read.
#[derive(Debug, Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: HashMap<String, BrokerStatistics>,
    #[serde(default)]
    topics: HashMap<String, TopicStatistics>,
}

#[derive(Debug, Deserialize)]
struct BrokerStatistics {
    state: String,
}

#[derive(Debug, Deserialize)]
struct TopicStatistics {
    topic: String,
    #[serde(default)]
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Debug, Deserialize)]
struct PartitionStatistics {
    partition: i32,
    ls_offset: i64,
}

/// The configuration that consumers and producers share.
pub(crate) fn client_config(connection: &KafkaConnection) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", "tokenwatch");
    for (name, value) in &connection.options {
        config.set(name, value.expose_secret());
    }
    config.set("bootstrap.servers", &connection.brokers);
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

pub(super) fn consumer_config(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("queued.max.messages.kbytes", PREFETCH_KIB);
    config.set("queued.min.messages", "100000");
    config.set("session.timeout.ms", SESSION_TIMEOUT_MS);
    config.set("topic.metadata.refresh.interval.ms", METADATA_INTERVAL_MS);
    let shared = client_config(&settings.connection);
    for (name, value) in shared.config_map() {
        config.set(name, value);
    }
    config.set("group.id", &settings.group);
    config.set("partition.assignment.strategy", "cooperative-sticky");
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    config.set("statistics.interval.ms", STATISTICS_INTERVAL_MS);
    config.set(
        "auto.offset.reset",
        match settings.start_from {
            StartFrom::Earliest => "earliest",
            StartFrom::Latest => "latest",
        },
    );
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

/// librdkafka's own log; one line per failed connection, so it is for debugging only: what matters is logged once per
/// change of state, from the error events and the statistics.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", { kafka.facility = facility }, "{message}");
        }
        _ => tracing::debug!(target: "librdkafka", { kafka.facility = facility }, "{message}"),
    }
}

impl Context {
    pub(super) fn new(shared: Arc<Shared>, metrics: KafkaMetrics) -> Self {
        Self {
            notes: Mutex::default(),
            shared,
            metrics,
        }
    }

    pub(super) fn next_rebalance(&self) -> Option<RebalanceEvent> {
        self.notes().rebalances.pop_front()
    }

    /// From now on rebalances are answered at once, so that the consumer can be dropped.
    pub(super) fn close(&self) {
        self.notes().closing = true;
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, statistics: &Statistics) {
        let brokers_up = statistics
            .brokers
            .values()
            .filter(|broker| matches!(broker.state.as_str(), "UP" | "UPDATE"))
            .count();
        self.shared.report_brokers(brokers_up);
        self.metrics.up.set(i64::from(brokers_up > 0));
        let watermarks = statistics.topics.values().flat_map(|topic| {
            topic
                .partitions
                .values()
                .filter(|partition| partition.partition >= 0 && partition.ls_offset >= 0)
                .map(|partition| HighWatermark {
                    topic: &topic.topic,
                    partition: partition.partition,
                    offset: partition.ls_offset,
                })
        });
        self.shared.report_watermarks(watermarks);
        let (records, seconds) = self.shared.total_lag();
        self.metrics.lag_records.set(records);
        self.metrics.lag_seconds.set(seconds);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice(statistics) {
            Ok(statistics) => self.report(&statistics),
            Err(error) => tracing::debug!(%error, "librdkafka's statistics cannot be read"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.metrics.errors.inc();
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.shared.report_brokers(0);
        }
        self.shared.report_error(reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assign = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let mut notes = self.notes();
        if !notes.closing {
            notes.rebalances.push_back(if assign {
                RebalanceEvent::Assign(partitions.clone())
            } else {
                RebalanceEvent::Revoke(partitions.clone())
            });
            return;
        }
        drop(notes);
        let answered = if assign {
            consumer.unassign()
        } else {
            consumer.incremental_unassign(partitions)
        };
        if answered.is_err() {
            // The consumer closes in any case; without an assignment there is nothing to take back.
            tracing::debug!("librdkafka had nothing assigned while it closed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            self.metrics.errors.inc();
            tracing::debug!(%error, "an offset commit for lag tools failed");
        }
    }
}
