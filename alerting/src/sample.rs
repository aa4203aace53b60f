//! A real sample to a receiver, for `tokenwatch alerts test`: rendered, and sent unless it is only shown.
//!
//! It goes the way of every message but for the ledger and the routes: nothing is recorded, tried again or grouped.

use std::sync::Arc;

use tokenwatch_model::{Clock, Finding};

use crate::channel::{Channel, Delivery};
use crate::config::{AlertingSettings, ChannelSettings};
use crate::error::AlertingError;
use crate::occasion::stable_id;
use crate::outgoing::Outgoing;

/// A sample for one receiver.
pub struct Sample {
    channel: Channel,
    message: Outgoing,
    public_keys: Vec<String>,
}

/// What came of one request of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleOutcome {
    /// What the receiver knows it by.
    pub id: String,
    /// Whether the receiver took it.
    pub is_accepted: bool,
    /// Why not, by the names that the ledger uses.
    pub reason: String,
}

impl Sample {
    /// A message that opens `findings` to the receiver called `name`; none if there is no such receiver.
    pub fn new(
        settings: &AlertingSettings,
        name: &str,
        findings: Vec<Finding>,
        clock: &Clock,
    ) -> Result<Option<Self>, AlertingError> {
        let receivers = settings.receivers.iter().zip(&settings.layouts);
        let Some((receiver, layout)) = receivers
            .into_iter()
            .find(|(receiver, _)| *receiver.name == *name)
        else {
            return Ok(None);
        };
        // Told apart from every other sample: receivers drop what they know.
        let now = clock.now().to_string();
        let message = Outgoing::opening(
            stable_id("ntf_", &["sample", name, &now]),
            Arc::clone(&receiver.name),
            stable_id("grp_", &["sample", name, &now]),
            findings,
        );
        let public_keys = match &receiver.channel {
            ChannelSettings::Webhook { secrets, .. } => secrets
                .iter()
                .filter_map(crate::SigningSecret::public_key)
                .collect(),
            _ => Vec::new(),
        };
        Ok(Some(Self {
            channel: Channel::new(receiver, layout)?,
            message,
            public_keys,
        }))
    }

    /// What would be sent: one text for each request.
    pub fn preview(&self) -> Vec<String> {
        let parts = self.channel.render(&self.message);
        parts.iter().map(|part| part.payload.preview()).collect()
    }

    /// What the receiver verifies signatures with, where that is no secret.
    pub fn public_keys(&self) -> &[String] {
        &self.public_keys
    }

    /// Sends it, each part once.
    pub async fn send(mut self, clock: &Clock) -> Vec<SampleOutcome> {
        let mut outcomes = Vec::new();
        for part in self.channel.render(&self.message) {
            let delivery = self.channel.send(&part, clock.now()).await;
            let (is_accepted, reason) = match delivery {
                Delivery::Accepted => (true, String::new()),
                Delivery::Retry { reason, .. } | Delivery::Rejected { reason } => (false, reason),
                Delivery::Gone => (false, "endpoint_gone".to_owned()),
            };
            outcomes.push(SampleOutcome {
                id: part.id,
                is_accepted,
                reason,
            });
            tokio::time::sleep(self.channel.pace()).await;
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, finding, settings};

    #[tokio::test]
    async fn a_sample_is_shown_and_sent_by_the_receivers_own_channel() {
        let settings = settings("");
        let clock = Clock::fixed(NOW);
        let sample = |name| Sample::new(&settings, name, vec![finding(1), finding(2)], &clock);
        assert!(sample("nobody").expect("no failure").is_none());
        let sample = sample("log").expect("no failure").expect("a sample");
        let preview = sample.preview();
        assert_eq!(preview.len(), 2, "a line per finding");
        assert!(preview[0].contains("fnd_00000000000000000000000001"));
        let outcomes = sample.send(&clock).await;
        assert!(outcomes.iter().all(|outcome| outcome.is_accepted));
    }
}
