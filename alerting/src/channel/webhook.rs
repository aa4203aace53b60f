//! `webhook`: the finding as JSON, signed by the Standard Webhooks scheme.
//!
//! 2xx is success; 410 ends the endpoint; everything else, redirects included, is a failure that is tried again. A
//! message that was repeated has the same `webhook-id`, by which the receiver knows it.

use serde::Serialize;
use tokenwatch_model::{Finding, Timestamp};

use super::{Delivery, Outgoing};
use crate::config::SecretUrl;
use crate::http::SignedEndpoint;
use crate::occasion::Occasion;
use crate::signature::SigningSecret;

/// A signed webhook.
pub(crate) struct WebhookChannel {
    endpoint: SignedEndpoint,
}

/// The body, as Standard Webhooks advises.
#[derive(Serialize)]
struct Body<'b> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: &'b Finding,
}

impl WebhookChannel {
    pub(super) fn new(
        url: SecretUrl,
        secrets: Vec<SigningSecret>,
        allow_private: bool,
    ) -> Result<Self, reqwest::Error> {
        let endpoint = SignedEndpoint::new(url, secrets, allow_private)?;
        Ok(Self { endpoint })
    }

    pub(super) async fn send(&self, message: &Outgoing, now: Timestamp) -> Delivery {
        let body = body(message);
        match self.endpoint.post(&message.id, body, now).await {
            Ok(answer) => match answer.status {
                200..=299 => Delivery::Accepted,
                410 => Delivery::Gone,
                status => Delivery::Retry {
                    reason: format!("http_{status}"),
                    after: answer.retry_after,
                },
            },
            Err(no_answer) => Delivery::of_no_answer(no_answer),
        }
    }

    pub(super) fn digest(&self) -> String {
        self.endpoint.digest()
    }
}

fn body(message: &Outgoing) -> Vec<u8> {
    let finding = &*message.finding;
    let (r#type, timestamp) = match message.occasion {
        Occasion::Opened => ("finding.opened", finding.detected_at),
        Occasion::Escalated => ("finding.escalated", finding.detected_at),
        Occasion::Closed => ("finding.closed", finding.last_event_at),
    };
    let body = Body {
        r#type,
        timestamp,
        data: finding,
    };
    serde_json::to_vec(&body)
        .expect("findings have string keys and no custom serialisers that fail")
}

#[cfg(test)]
mod tests;
