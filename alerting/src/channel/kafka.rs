//! `kafka`: a topic with one record per finding and occasion, as JSON, for programs.
//!
//! The key is the finding's id, so that what is told of a finding stays in order. The producer is idempotent and waits
//! for all in-sync replicas; a record that may have been written twice, by a process that died, has the same
//! `notification_id` header.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::webhook;
use super::{Delivery, Part, Payload};
use crate::config::BodyFormat;
use crate::outgoing::Outgoing;

/// How long a record may take, with librdkafka's own retries.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A topic.
pub(crate) struct KafkaChannel {
    producer: FutureProducer,
    topic: String,
    format: BodyFormat,
}

impl KafkaChannel {
    /// Connects in the background; `options` are librdkafka's own.
    pub(super) fn new(
        topic: &str,
        options: &BTreeMap<String, String>,
        format: BodyFormat,
    ) -> Result<Self, String> {
        let mut config = ClientConfig::new();
        config
            .set("client.id", "tokenwatch-alerting")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Little traffic, and people wait for it.
            .set("linger.ms", "0")
            .set("compression.type", "none")
            .set("message.timeout.ms", TIMEOUT.as_millis().to_string());
        for (key, value) in options {
            config.set(key, value);
        }
        let producer = config
            .create::<FutureProducer>()
            .map_err(|error| match error {
                // Names the option, never its value.
                KafkaError::ClientConfig(_, what, key, _) => format!("{key}: {what}"),
                other => other.to_string(),
            })?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
            format,
        })
    }

    pub(super) fn render(&self, message: &Outgoing) -> Vec<Part> {
        Part::each(message, |id, item| Payload::Keyed {
            key: item.map_or_else(|| id.to_owned(), |item| item.finding.id.to_string()),
            body: webhook::body(self.format, id, message, item),
        })
    }

    pub(super) async fn send(&self, part: &Part) -> Delivery {
        let Payload::Keyed { key, body } = &part.payload else {
            unreachable!("the channel renders keyed bodies alone");
        };
        let headers = OwnedHeaders::new().insert(Header {
            key: "notification_id",
            value: Some(&part.id),
        });
        let record = FutureRecord::to(&self.topic)
            .key(key)
            .payload(body)
            .headers(headers);
        match self.producer.send(record, TIMEOUT).await {
            Ok(_) => Delivery::Accepted,
            Err((error, _)) => classify(&error),
        }
    }
}

/// What can never be written stays so; all else may pass.
fn classify(error: &KafkaError) -> Delivery {
    let code = error.rdkafka_error_code();
    let reason = match code {
        Some(RDKafkaErrorCode::MessageTimedOut) => "timeout",
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => "message_too_large",
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => "not_authorized",
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            "unknown_topic"
        }
        Some(RDKafkaErrorCode::QueueFull) => "queue_full",
        _ => "kafka",
    };
    let reason = reason.to_owned();
    if code == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
        Delivery::Rejected { reason }
    } else {
        Delivery::Retry {
            reason,
            after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{channel, finding, outgoing_of};

    const RECEIVER: &str = "kind = \"kafka\"\ntopic = \"alerts\"\noptions = { \"bootstrap.servers\" = \"127.0.0.1:1\" }";

    #[tokio::test]
    async fn each_finding_is_a_record_under_its_own_key() {
        let message = outgoing_of((1..=3).map(finding).collect());
        let parts = channel(RECEIVER).render(&message);
        let keys: Vec<String> = parts
            .iter()
            .map(|part| match &part.payload {
                Payload::Keyed { key, .. } => key.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        let ids: Vec<String> = (1..=3).map(|n| finding(n).id.to_string()).collect();
        assert_eq!(keys, ids);
    }

    #[test]
    fn an_option_that_librdkafka_does_not_know_is_told_by_name() {
        let options = BTreeMap::from([("bootstrap.server".to_owned(), "secret".to_owned())]);
        let Err(error) = KafkaChannel::new("alerts", &options, BodyFormat::Tokenwatch) else {
            panic!("accepted");
        };
        assert!(error.contains("bootstrap.server"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
