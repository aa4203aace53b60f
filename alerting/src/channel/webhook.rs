//! `webhook`: the finding as JSON, signed by the Standard Webhooks scheme.
//!
//! 2xx is success; 410 ends the endpoint; everything else, redirects included, is a failure that is tried again. A
//! message that was repeated has the same `webhook-id`, by which the receiver knows it.

use serde::Serialize;
use serde_json::{Value, json};
use tokenwatch_model::{Finding, Timestamp};

use super::{Delivery, Part, Payload, ocsf};
use crate::config::{BodyFormat, SecretUrl};
use crate::http::SignedEndpoint;
use crate::occasion::Occasion;
use crate::outgoing::{Item, Outgoing};
use crate::signature::SigningSecret;

/// A signed webhook.
pub(crate) struct WebhookChannel {
    endpoint: SignedEndpoint,
    format: BodyFormat,
}

/// The body, as Standard Webhooks advises.
#[derive(Serialize)]
struct Body<'b> {
    r#type: String,
    timestamp: Timestamp,
    data: &'b Finding,
}

impl WebhookChannel {
    pub(super) fn new(
        url: SecretUrl,
        secrets: Vec<SigningSecret>,
        format: BodyFormat,
        allow_private: bool,
    ) -> Result<Self, reqwest::Error> {
        let endpoint = SignedEndpoint::new(url, secrets, allow_private)?;
        Ok(Self { endpoint, format })
    }

    pub(super) fn render(&self, message: &Outgoing) -> Vec<Part> {
        Part::each(message, |id, item| {
            Payload::Body(body(self.format, id, message, item))
        })
    }

    pub(super) async fn send(&self, part: &Part, now: Timestamp) -> Delivery {
        let Payload::Body(body) = &part.payload else {
            unreachable!("the channel renders bodies alone");
        };
        match self.endpoint.post(&part.id, body.clone(), now).await {
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

/// One finding, or a notice, as JSON for programs.
pub(super) fn body(
    format: BodyFormat,
    id: &str,
    message: &Outgoing,
    item: Option<&Item>,
) -> Vec<u8> {
    let body = match (item, format) {
        (Some(item), BodyFormat::Tokenwatch) => native(item),
        (Some(item), BodyFormat::Ocsf) => ocsf::detection_finding(item, id),
        (None, _) => {
            let notice = message.notice.as_ref();
            json!({"type": "tokenwatch.notice", "data": {
                "title": notice.map(|notice| &notice.title),
                "text": notice.map(|notice| &notice.text),
                "facts": notice.map(|notice| notice.facts.iter().cloned().collect::<std::collections::BTreeMap<_, _>>()),
            }})
        }
    };
    body.to_string().into_bytes()
}

fn native(item: &Item) -> Value {
    let finding = &*item.finding;
    let timestamp = match item.occasion {
        Occasion::Closed => finding.last_event_at,
        _ => finding.detected_at,
    };
    let body = Body {
        r#type: format!("finding.{}", item.occasion.name()),
        timestamp,
        data: finding,
    };
    serde_json::to_value(&body)
        .expect("findings have string keys and no custom serialisers that fail")
}

#[cfg(test)]
mod tests;
