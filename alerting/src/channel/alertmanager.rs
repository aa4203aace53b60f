//! `alertmanager`: alerts pushed to `/api/v2/alerts`, one per finding, for whoever routes with an Alertmanager already.
//!
//! An alert of Alertmanager lasts until its `endsAt`. What goes on is given one far ahead, so that nothing has to be
//! pushed over and over; the end of the finding is pushed with the true one.

use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use tokenwatch_model::{Finding, Timestamp, token_facts};
use url::Url;

use super::post::Poster;
use super::{Delivery, Part, Payload};
use crate::config::ChannelSettings;
use crate::layout::Layout;
use crate::message::{Message, clean};
use crate::occasion::Occasion;
use crate::outgoing::{Item, Outgoing};

/// How long an alert lasts whose end was never heard of.
const LASTS: Duration = Duration::from_hours(7 * 24);
/// Alerts in one request: 2 KB each.
const ALERTS_LIMIT: usize = 100;

/// An Alertmanager.
pub(crate) struct AlertmanagerChannel {
    poster: Poster,
    layout: Layout,
}

impl AlertmanagerChannel {
    /// `settings` are those of such a receiver.
    pub(super) fn new(settings: &ChannelSettings, layout: Layout) -> Result<Self, reqwest::Error> {
        let ChannelSettings::Alertmanager {
            url,
            authorization,
            allow_private,
        } = settings
        else {
            unreachable!("Channel::new hands over the right settings");
        };
        let poster = Poster::new(url.clone(), *allow_private)?;
        let poster = match authorization {
            Some(value) => {
                let value = HeaderValue::from_str(value.expose_secret().trim())
                    .expect("the value was checked to be printable");
                poster.authorized(value)
            }
            None => poster,
        };
        Ok(Self { poster, layout })
    }

    pub(super) fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        if outgoing.items.is_empty() {
            let alert = self.notice(outgoing);
            return vec![Part::of_range(outgoing, 0..1, body(&[alert]))];
        }
        let count = outgoing.items.len();
        (0..count)
            .step_by(ALERTS_LIMIT)
            .map(|start| {
                let range = start..count.min(start + ALERTS_LIMIT);
                let alerts: Vec<Value> = outgoing.items[range.clone()]
                    .iter()
                    .map(|item| alert(item, self.layout.public_url.as_ref()))
                    .collect();
                Part::of_range(outgoing, range, body(&alerts))
            })
            .collect()
    }

    pub(super) async fn send(&self, part: &Part, now: Timestamp) -> Delivery {
        self.poster.post(part, now).await
    }

    fn notice(&self, outgoing: &Outgoing) -> Value {
        let message = Message::new(outgoing, &self.layout);
        json!({
            "labels": {"alertname": "tokenwatch_notice", "severity": "medium", "notice": outgoing.id},
            "annotations": {"summary": message.title, "description": message.summary},
        })
    }
}

fn body(alerts: &[Value]) -> Payload {
    Payload::Body(json!(alerts).to_string().into_bytes())
}

/// Labels are the alert's identity, so they hold only what does not change: not the severity of the moment.
fn alert(item: &Item, public_url: Option<&Url>) -> Value {
    let finding = &*item.finding;
    let token = finding.token.as_ref();
    let label = |text: &str| clean(text, 200);
    let mut labels = Map::new();
    labels.insert("alertname".to_owned(), json!(finding.detector));
    labels.insert("finding".to_owned(), json!(finding.id));
    labels.insert("subject".to_owned(), json!(label(&finding.subject.id)));
    for (name, value) in [
        (
            "consumer",
            token.and_then(|token| token.consumer.as_deref()),
        ),
        ("owner", token.and_then(|token| token.owner.as_deref())),
        ("incident", finding.incident_id.as_deref()),
    ] {
        if let Some(value) = value {
            labels.insert(name.to_owned(), json!(label(value)));
        }
    }
    for name in ["team", "environment"] {
        if let Some(value) = token_facts(finding, name).first() {
            labels.insert(name.to_owned(), json!(label(value)));
        }
    }
    let ends_at = match item.occasion {
        Occasion::Closed => finding.last_event_at,
        _ => finding.last_event_at + LASTS,
    };
    let base = public_url.map(|url| url.as_str().trim_end_matches('/').to_owned());
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations(finding, item),
        "startsAt": finding.first_event_at,
        "endsAt": ends_at,
    });
    if let Some(base) = base {
        alert["generatorURL"] = json!(format!("{base}/findings/{}", finding.id));
    }
    alert
}

fn annotations(finding: &Finding, item: &Item) -> Value {
    json!({
        "summary": clean(&finding.summary, 500),
        "severity": item.severity,
        "confidence": format!("{:.2}", finding.confidence),
        "events": finding.event_count.to_string(),
        "occasion": item.occasion.name(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{channel, finding, outgoing, outgoing_of};

    const RECEIVER: &str =
        "kind = \"alertmanager\"\nurl = \"http://127.0.0.1:9093\"\nallow_private = true";

    fn alerts(outgoing: &Outgoing) -> Vec<Vec<Value>> {
        let parts = channel(RECEIVER).render(outgoing);
        parts
            .iter()
            .map(|part| match &part.payload {
                Payload::Body(body) => serde_json::from_slice(body).expect("JSON"),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn an_alert_keeps_its_labels_while_its_finding_changes() {
        let opened = outgoing(finding(1));
        let mut closed = opened.clone();
        closed.items[0].occasion = Occasion::Closed;
        closed.items[0].severity = tokenwatch_model::Severity::Critical;
        let (opened, closed) = (&alerts(&opened)[0][0], &alerts(&closed)[0][0]);
        assert_eq!(opened["labels"], closed["labels"]);
        assert_eq!(opened["labels"]["alertname"], "rate_spike");
        assert_eq!(closed["endsAt"], finding(1).last_event_at.to_string());
        assert!(opened["endsAt"].as_str() > closed["endsAt"].as_str());
    }

    #[test]
    fn many_findings_are_pushed_by_the_hundred() {
        let sizes: Vec<usize> = alerts(&outgoing_of((1..=250).map(finding).collect()))
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(sizes, [100, 100, 50]);
    }
}
