//! Pushed events into a Kafka topic: stored once every replica has them.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::body::Lines;
use super::problem::Refusal;
use crate::kafka::KafkaConnection;
use crate::kafka::client::{client_config, log};
use crate::source_error::SourceError;

/// How long a broker may take before the client is told to try again; clients give up soon after.
const DELIVERY_TIMEOUT_MS: &str = "20000";
/// librdkafka holds at most this much that is not delivered: about two of the largest requests.
const QUEUE_KIB: &str = "32768";

/// Sends lines to one topic.
#[derive(Clone)]
pub struct EventProducer {
    producer: FutureProducer<ProducerLog>,
    topic: String,
}

struct ProducerLog;

impl ClientContext for ProducerLog {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, kafka.detail = reason, "the producer of pushed events reports an error");
    }
}

impl EventProducer {
    /// A producer that connects in the background.
    pub fn new(connection: &KafkaConnection, topic: &str) -> Result<Self, SourceError> {
        let mut config = client_config(connection);
        // Settings of consumers only are known to librdkafka here too; it ignores them with a remark in its log.
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("message.timeout.ms", DELIVERY_TIMEOUT_MS);
        config.set("queue.buffering.max.kbytes", QUEUE_KIB);
        config.set("linger.ms", "5");
        let producer =
            config
                .create_with_context(ProducerLog)
                .map_err(|error| SourceError::Unusable {
                    source_name: "http_push",
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
        })
    }

    /// Returns once every line is delivered; if one is not, the client is to send them all again.
    pub(super) async fn append(&self, lines: &Lines) -> Result<(), Refusal> {
        let mut deliveries = Vec::with_capacity(lines.count);
        for line in lines.iter() {
            let record = FutureRecord::<(), [u8]>::to(&self.topic).payload(line);
            match self.producer.send_result(record) {
                Ok(delivery) => deliveries.push(delivery),
                Err((error, _)) => return Err(classify(&error)),
            }
        }
        for delivery in deliveries {
            match delivery.await {
                Ok(Ok(_)) => {}
                Ok(Err((error, _))) => return Err(classify(&error)),
                Err(_) => return Err(Refusal::Failed),
            }
        }
        Ok(())
    }
}

fn classify(error: &KafkaError) -> Refusal {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => Refusal::Full,
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            Refusal::Malformed("an event is larger than the broker takes")
        }
        _ => {
            tracing::warn!(%error, "pushed events could not be delivered to Kafka");
            Refusal::Failed
        }
    }
}
