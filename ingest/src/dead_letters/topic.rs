//! Dead letters in a Kafka topic: sent in the background, counted when they arrive or do not.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};

use crate::kafka::KafkaConnection;
use crate::kafka::client::{client_config, log};
use crate::source_error::SourceError;
use crate::source_metrics::DeadLettersMetrics;

/// Letters that wait for a broker; beyond that they are counted and gone.
const QUEUE_KIB: &str = "8192";

pub(super) struct LetterTopic {
    producer: ThreadedProducer<Deliveries>,
    topic: String,
    metrics: DeadLettersMetrics,
}

struct Deliveries {
    metrics: DeadLettersMetrics,
}

impl LetterTopic {
    pub(super) fn new(
        connection: &KafkaConnection,
        topic: &str,
        metrics: DeadLettersMetrics,
    ) -> Result<Self, SourceError> {
        let mut config = client_config(connection);
        config.set("queue.buffering.max.kbytes", QUEUE_KIB);
        config.set("linger.ms", "50");
        let deliveries = Deliveries {
            metrics: metrics.clone(),
        };
        let producer =
            config
                .create_with_context(deliveries)
                .map_err(|error| SourceError::Unusable {
                    source_name: "dead_letters",
                    reason: match error {
                        KafkaError::ClientConfig(_, _, name, _) => {
                            format!("librdkafka does not take the value of {name}")
                        }
                        other => other.to_string(),
                    },
                })?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
            metrics,
        })
    }

    pub(super) fn send(&self, lines: &[Vec<u8>]) {
        for line in lines {
            let record = BaseRecord::<(), [u8]>::to(&self.topic).payload(line);
            if self.producer.send(record).is_err() {
                self.metrics.lost.inc();
            }
        }
    }
}

impl std::fmt::Debug for LetterTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LetterTopic")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, kafka.detail = reason, "the producer of dead letters reports an error");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.metrics.written.inc(),
            Err(_) => self.metrics.lost.inc(),
        };
    }
}
