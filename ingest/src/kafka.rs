//! The Kafka source: a consumer group whose positions live in our checkpoints, not in the broker.
//!
//! One thread polls librdkafka and copies records into batches; it never waits long enough to be thrown out of the
//! group. While the pipeline takes nothing, partitions are paused and polling goes on, so an outage of the database
//! costs no rebalance. On assignment the pipeline is asked where to go on; on revocation it is waited for, bounded.
//! Offsets are committed to the broker only so that lag tools show something.
//!
//! A broker that is away is no error: librdkafka reconnects by itself, and [`KafkaState`] says so meanwhile.

mod assignment;
pub(crate) mod client;
mod config;
mod consumer_loop;
mod handle;
mod rebalance;

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer};
use tokenwatch_model::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use config::{KafkaConfig, KafkaConnection, KafkaSettings, OptionValue, StartFrom};
pub use handle::{KafkaHandle, KafkaState, PartitionLag};

use crate::record::SourceEvent;
use crate::source_error::SourceError;
use crate::source_metrics::KafkaMetrics;
use client::{Context, consumer_config};
use consumer_loop::ConsumerLoop;
use handle::Shared;

const NAME: &str = "kafka";

/// The Kafka source; may be run again after it failed.
#[derive(Debug)]
pub struct KafkaSource {
    settings: KafkaSettings,
    shared: Arc<Shared>,
    metrics: KafkaMetrics,
}

impl KafkaSource {
    /// A source that is not connected yet.
    pub fn new(settings: KafkaSettings, clock: Clock, metrics: KafkaMetrics) -> Self {
        Self {
            settings,
            shared: Arc::new(Shared::new(clock)),
            metrics,
        }
    }

    /// A handle for the pipeline and for the pages that show state and lag.
    pub fn handle(&self) -> KafkaHandle {
        KafkaHandle(Arc::clone(&self.shared))
    }

    /// Reads until `cancel`, then asks for a last checkpoint, leaves the group and returns.
    pub async fn run(
        &self,
        tx: mpsc::Sender<SourceEvent>,
        cancel: CancellationToken,
    ) -> Result<(), SourceError> {
        let context = Context::new(Arc::clone(&self.shared), self.metrics.clone());
        let consumer: BaseConsumer<Context> = consumer_config(&self.settings)
            .create_with_context(context)
            .map_err(|error| unusable(&error))?;
        let topics: Vec<&str> = self.settings.topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .map_err(|error| unusable(&error))?;
        // If this future is dropped, the thread ends as if it had been cancelled.
        let stop = cancel.child_token();
        let _stop_when_dropped = stop.clone().drop_guard();
        let polling = ConsumerLoop::new(
            consumer,
            &self.settings,
            tx,
            stop,
            Arc::clone(&self.shared),
            self.metrics.clone(),
        );
        let (ended_tx, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("kafka-poll".to_owned())
            .spawn(move || {
                if ended_tx.send(polling.run()).is_err() {
                    tracing::debug!("nobody waits for the end of the Kafka source");
                }
            })
            .map_err(|error| failed(&error))?;
        ended
            .await
            .unwrap_or_else(|_| Err(failed(&"the polling thread panicked")))
    }
}

fn failed(reason: &impl ToString) -> SourceError {
    SourceError::Failed {
        source_name: NAME,
        reason: reason.to_string(),
    }
}

/// `ClientConfig` errors repeat the value, which may be a secret, so only their kind is told.
fn unusable(error: &rdkafka::error::KafkaError) -> SourceError {
    let reason = match error {
        rdkafka::error::KafkaError::ClientConfig(_, _, name, _) => {
            format!("librdkafka does not take the value of {name}")
        }
        other => other.to_string(),
    };
    SourceError::Unusable {
        source_name: NAME,
        reason,
    }
}
