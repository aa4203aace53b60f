//! `pagerduty`: the Events API, version 2. One alert per group: triggered, triggered again for what is new, resolved
//! once nothing of it goes on.
//!
//! The `dedup_key` is the group's id, so a message that was sent twice is one alert. Events are limited to 512 KB and
//! 1,024 characters of summary; findings beyond that follow as further events of the same alert, which `PagerDuty` adds
//! to its log.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use tokenwatch_model::{Severity, Timestamp};

use super::post::Poster;
use super::{Delivery, Part, Payload};
use crate::config::ChannelSettings;
use crate::layout::Layout;
use crate::message::{Entry, Message, clean};
use crate::occasion::Occasion;
use crate::outgoing::Outgoing;

/// Characters of the summary.
const SUMMARY_LIMIT: usize = 1_024;
/// Bytes of all findings in one event; the rest of it is below 32 KB.
const ENTRIES_BUDGET: usize = 470_000;

/// An integration of `PagerDuty`.
pub(crate) struct PagerdutyChannel {
    poster: Poster,
    routing_key: SecretString,
    layout: Layout,
}

impl PagerdutyChannel {
    /// `settings` are those of such a receiver.
    pub(super) fn new(settings: &ChannelSettings, layout: Layout) -> Result<Self, reqwest::Error> {
        let ChannelSettings::Pagerduty {
            url,
            routing_key,
            allow_private,
        } = settings
        else {
            unreachable!("Channel::new hands over the right settings");
        };
        Ok(Self {
            poster: Poster::new(url.clone(), *allow_private)?,
            routing_key: routing_key.clone(),
            layout,
        })
    }

    pub(super) fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        let is_resolved = outgoing.occasion == Occasion::Closed && outgoing.is_over;
        let parts =
            Message::new(outgoing, &self.layout).split(ENTRIES_BUDGET, usize::MAX, |entry| {
                listed(entry).to_string().len() + 1
            });
        let last = parts.len() - 1;
        parts
            .into_iter()
            .enumerate()
            .map(|(index, (items, message))| {
                // An end of one finding while others go on is news of the alert, not its end.
                let action = if is_resolved && index == last {
                    "resolve"
                } else {
                    "trigger"
                };
                let event = self.event(outgoing, &message, action);
                Part::of_range(
                    outgoing,
                    items,
                    Payload::Body(event.to_string().into_bytes()),
                )
            })
            .collect()
    }

    pub(super) async fn send(&self, part: &Part, now: Timestamp) -> Delivery {
        self.poster.post(part, now).await
    }

    fn event(&self, outgoing: &Outgoing, message: &Message, action: &str) -> Value {
        let finding = outgoing.items.first().map(|item| &*item.finding);
        let key = if outgoing.group.is_empty() {
            &outgoing.id
        } else {
            &outgoing.group
        };
        let mut event = json!({
            "routing_key": self.routing_key.expose_secret(),
            "event_action": action,
            "dedup_key": key,
        });
        if action == "resolve" {
            return event;
        }
        let mut details: Map<String, Value> = message
            .facts
            .iter()
            .map(|(label, value)| ((*label).to_owned(), json!(value)))
            .collect();
        details.insert("summary".to_owned(), json!(message.summary));
        details.insert("message".to_owned(), json!(message.footer));
        if !message.entries.is_empty() {
            let entries: Vec<Value> = message.entries.iter().map(listed).collect();
            details.insert("findings".to_owned(), json!(entries));
        }
        let summary = if message.entries.is_empty() {
            format!("{}: {}", message.title, message.summary)
        } else {
            message.title.clone()
        };
        event["payload"] = json!({
            "summary": clean(&summary, SUMMARY_LIMIT),
            "source": finding.map_or_else(|| "tokenwatch".to_owned(), |finding| clean(&finding.subject.id, 255)),
            "severity": severity(outgoing.severity),
            "component": "tokenwatch",
            "custom_details": details,
        });
        if let Some(finding) = finding {
            event["payload"]["timestamp"] = json!(finding.detected_at);
            event["payload"]["class"] = json!(finding.detector);
            event["payload"]["group"] = json!(outgoing.group);
        }
        event["client"] = json!("Tokenwatch");
        if let Some(link) = &message.link {
            event["client_url"] = json!(link);
            event["links"] = json!([{"href": link, "text": "Open in Tokenwatch"}]);
        }
        event
    }
}

fn listed(entry: &Entry) -> Value {
    json!({"title": entry.title, "summary": entry.summary, "subject": entry.subject, "id": entry.id, "link": entry.link})
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::FindingStatus;

    use super::*;
    use crate::testing::{channel, finding, outgoing, outgoing_of};

    const RECEIVER: &str = "kind = \"pagerduty\"\nrouting_key_env = \"PAGERDUTY_KEY\"";

    fn event(outgoing: &Outgoing) -> Value {
        let parts = channel(RECEIVER).render(outgoing);
        let Payload::Body(body) = &parts[0].payload else {
            panic!("a body");
        };
        serde_json::from_slice(body).expect("JSON")
    }

    #[test]
    fn a_finding_triggers_an_alert_under_its_groups_key() {
        let message = outgoing(finding(1));
        let event = event(&message);
        assert_eq!(event["routing_key"], "R0UT1NGKEYR0UT1NGKEYR0UT1NGKEYR0");
        assert_eq!(event["event_action"], "trigger");
        assert_eq!(event["dedup_key"], message.group);
        let payload = &event["payload"];
        assert_eq!(payload["severity"], "error");
        assert_eq!(payload["class"], "rate_spike");
        assert_eq!(
            payload["summary"],
            "[HIGH] rate_spike: acme: acme's key makes 70 times its usual calls"
        );
        assert_eq!(payload["custom_details"]["Consumer"], "acme");
    }

    #[test]
    fn only_the_end_of_the_whole_group_resolves_the_alert() {
        let mut closed = finding(1);
        closed.status = FindingStatus::Closed;
        let mut message = outgoing(closed);
        message.occasion = Occasion::Closed;
        message.is_over = false;
        assert_eq!(event(&message)["event_action"], "trigger");
        message.is_over = true;
        let event = event(&message);
        assert_eq!(event["event_action"], "resolve");
        assert_eq!(event["dedup_key"], message.group);
        assert!(event.get("payload").is_none());
    }

    #[test]
    fn a_group_is_one_alert_that_lists_every_finding() {
        let message = outgoing_of((1..=500).map(finding).collect());
        let parts = channel(RECEIVER).render(&message);
        assert_eq!(parts.len(), 1);
        let findings = event(&message)["payload"]["custom_details"]["findings"].clone();
        assert_eq!(findings.as_array().map(Vec::len), Some(500));
    }
}
