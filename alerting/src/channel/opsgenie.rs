//! `opsgenie`: Opsgenie's alert API, which Jira Service Management takes too. One alert per group, closed once nothing
//! of it goes on.
//!
//! The alias is the group's id. An alert's description holds 15,000 characters; findings that do not fit follow as
//! notes of 25,000 characters each.

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use tokenwatch_model::{Severity, Timestamp};

use super::post::Poster;
use super::{Delivery, Part, Payload};
use crate::config::ChannelSettings;
use crate::layout::Layout;
use crate::message::{Entry, Message, clean};
use crate::occasion::Occasion;
use crate::outgoing::Outgoing;

/// Characters of the message.
const MESSAGE_LIMIT: usize = 130;
/// Characters of all findings in a description or note: both limits less what else is in there.
const ENTRIES_BUDGET: usize = 12_000;
/// Characters of the details' values, all together 8,000.
const DETAIL_LIMIT: usize = 350;

/// An integration of Opsgenie.
pub(crate) struct OpsgenieChannel {
    poster: Poster,
    responders: Value,
    layout: Layout,
}

impl OpsgenieChannel {
    /// `settings` are those of such a receiver.
    pub(super) fn new(settings: &ChannelSettings, layout: Layout) -> Result<Self, reqwest::Error> {
        let ChannelSettings::Opsgenie {
            url,
            api_key,
            teams,
            allow_private,
        } = settings
        else {
            unreachable!("Channel::new hands over the right settings");
        };
        let key = format!("GenieKey {}", api_key.expose_secret().trim());
        let key = HeaderValue::from_str(&key).expect("the key was checked to be printable");
        let responders: Vec<Value> = teams
            .iter()
            .map(|team| json!({"type": "team", "name": team}))
            .collect();
        Ok(Self {
            poster: Poster::new(url.clone(), *allow_private)?.authorized(key),
            responders: json!(responders),
            layout,
        })
    }

    pub(super) fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        let alias = if outgoing.group.is_empty() {
            &outgoing.id
        } else {
            &outgoing.group
        };
        let parts =
            Message::new(outgoing, &self.layout).split(ENTRIES_BUDGET, usize::MAX, |entry| {
                listed(entry).chars().count() + 1
            });
        let is_end = outgoing.occasion == Occasion::Closed;
        let last = parts.len() - 1;
        parts
            .into_iter()
            .enumerate()
            .map(|(index, (items, message))| {
                let (path, body) = if is_end && outgoing.is_over && index == last {
                    close(alias, &message)
                } else if is_end || index > 0 {
                    note(alias, &message)
                } else {
                    (String::new(), self.alert(alias, outgoing, &message))
                };
                let body = body.to_string().into_bytes();
                Part::of_range(outgoing, items, Payload::Below { path, body })
            })
            .collect()
    }

    pub(super) async fn send(&self, part: &Part, now: Timestamp) -> Delivery {
        self.poster.post(part, now).await
    }

    fn alert(&self, alias: &str, outgoing: &Outgoing, message: &Message) -> Value {
        let details: Map<String, Value> = message
            .facts
            .iter()
            .map(|(label, value)| ((*label).to_owned(), json!(clean(value, DETAIL_LIMIT))))
            .collect();
        let finding = outgoing.items.first().map(|item| &*item.finding);
        let mut alert = json!({
            "message": clean(&message.title, MESSAGE_LIMIT),
            "alias": alias,
            "description": described(message),
            "details": details,
            "source": "Tokenwatch",
            "priority": priority(outgoing.severity),
            "tags": ["tokenwatch", outgoing.severity.name()],
        });
        if let Some(finding) = finding {
            alert["entity"] = json!(clean(&finding.subject.id, 500));
        }
        if self
            .responders
            .as_array()
            .is_some_and(|all| !all.is_empty())
        {
            alert["responders"] = self.responders.clone();
        }
        alert
    }
}

fn close(alias: &str, message: &Message) -> (String, Value) {
    (
        format!("/{alias}/close?identifierType=alias"),
        json!({"source": "Tokenwatch", "note": described(message)}),
    )
}

fn note(alias: &str, message: &Message) -> (String, Value) {
    (
        format!("/{alias}/notes?identifierType=alias"),
        json!({"source": "Tokenwatch", "note": described(message)}),
    )
}

fn described(message: &Message) -> String {
    let mut text = format!("{}\n{}\n", message.title, message.summary);
    for entry in &message.entries {
        text.push_str(&listed(entry));
        text.push('\n');
    }
    if let Some(link) = &message.link {
        text.push_str(link);
        text.push('\n');
    }
    text.push_str(&message.footer);
    text
}

fn listed(entry: &Entry) -> String {
    let place = entry.link.as_ref().unwrap_or(&entry.id);
    format!("{} - {} - {place}", entry.title, clean(&entry.summary, 200))
}

fn priority(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "P1",
        Severity::High => "P2",
        Severity::Medium => "P3",
        Severity::Low => "P4",
        Severity::Info => "P5",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{channel, finding, outgoing, outgoing_of};

    const RECEIVER: &str = "kind = \"opsgenie\"\napi_key_env = \"OPSGENIE_KEY\"\nteams = [\"api\"]";

    fn requests(outgoing: &Outgoing) -> Vec<(String, Value)> {
        let parts = channel(RECEIVER).render(outgoing);
        parts
            .into_iter()
            .map(|part| match part.payload {
                Payload::Below { path, body } => {
                    (path, serde_json::from_slice(&body).expect("JSON"))
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_finding_is_an_alert_under_its_groups_alias() {
        let message = outgoing(finding(1));
        let requests = requests(&message);
        let (path, alert) = &requests[0];
        assert_eq!((requests.len(), path.as_str()), (1, ""));
        assert_eq!(alert["alias"], message.group);
        assert_eq!(alert["priority"], "P2");
        assert_eq!(alert["message"], "[HIGH] rate_spike: acme");
        assert_eq!(alert["responders"][0]["name"], "api");
        assert_eq!(alert["details"]["Consumer"], "acme");
    }

    #[test]
    fn what_does_not_fit_the_description_follows_as_notes() {
        let message = outgoing_of((1..=500).map(finding).collect());
        let requests = requests(&message);
        assert!(requests.len() > 2);
        let notes = format!("/{}/notes?identifierType=alias", message.group);
        assert!(requests[1..].iter().all(|(path, _)| *path == notes));
    }

    #[test]
    fn the_end_of_the_group_closes_the_alert() {
        let mut message = outgoing(finding(1));
        message.occasion = Occasion::Closed;
        message.is_over = true;
        let close = format!("/{}/close?identifierType=alias", message.group);
        assert_eq!(requests(&message)[0].0, close);
        message.is_over = false;
        let note = format!("/{}/notes?identifierType=alias", message.group);
        assert_eq!(requests(&message)[0].0, note);
    }
}
