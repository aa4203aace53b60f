//! `slack`: an incoming webhook, in blocks, within Slack's limits.
//!
//! Slack knows no message ids: after a crash between sending and recording, the message is sent again and says that
//! it may be a repeat. A lost page is worse than a repeated one.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokenwatch_model::Timestamp;
use url::Url;

use super::{Delivery, Outgoing};
use crate::config::SecretUrl;
use crate::http::{Answer, HttpClient};
use crate::message::Message;

/// Characters of a header's plain text.
const HEADER_LIMIT: usize = 150;
/// Characters of a section's text.
const SECTION_LIMIT: usize = 3_000;
/// Fields of a section.
const FIELDS_LIMIT: usize = 10;
/// Characters of one field. Slack allows 2,000, but refuses messages beyond about 13,200 in all: 14 facts of 500,
/// a section of 3,000 and the rest stay below 11,000.
const FIELD_LIMIT: usize = 500;

/// A Slack incoming webhook.
pub(crate) struct SlackChannel {
    client: HttpClient,
    url: SecretUrl,
    public_url: Option<Url>,
}

impl SlackChannel {
    pub(super) fn new(
        url: SecretUrl,
        allow_private: bool,
        public_url: Option<Url>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: HttpClient::new(allow_private)?,
            url,
            public_url,
        })
    }

    pub(super) async fn send(&self, message: &Outgoing, now: Timestamp) -> Delivery {
        let payload = payload(&Message::new(message, self.public_url.as_ref()));
        let mut headers = HeaderMap::with_capacity(1);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = payload.to_string().into_bytes();
        let answer = self
            .client
            .post(self.url.expose(), headers, body, now)
            .await;
        match answer {
            Ok(answer) => classify(answer),
            Err(no_answer) => Delivery::of_no_answer(no_answer),
        }
    }
}

/// What Slack means: 4xx stays (no such hook, archived channel, payload refused), but for 408 and 429.
fn classify(answer: Answer) -> Delivery {
    let reason = format!("http_{}", answer.status);
    match answer.status {
        200..=299 => Delivery::Accepted,
        408 | 429 | 500..=599 => Delivery::Retry {
            reason,
            after: answer.retry_after,
        },
        _ => Delivery::Rejected { reason },
    }
}

fn payload(message: &Message) -> Value {
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "emoji": false,
            "text": crate::message::clean(&message.title, HEADER_LIMIT)}}),
        json!({"type": "section", "text": text(&escape(&message.summary, SECTION_LIMIT))}),
    ];
    for facts in message.facts.chunks(FIELDS_LIMIT) {
        let fields: Vec<Value> = facts
            .iter()
            .map(|(label, value)| {
                let room = FIELD_LIMIT - label.len() - 3;
                text(&format!("*{label}*\n{}", escape(value, room)))
            })
            .collect();
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if let Some(link) = &message.link {
        blocks.push(
            json!({"type": "actions", "elements": [{"type": "button", "url": link,
            "text": {"type": "plain_text", "text": "Open in Tokenwatch"}}]}),
        );
    }
    blocks.push(
        json!({"type": "context", "elements": [text(&escape(&message.footer, FIELD_LIMIT))]}),
    );
    let fallback = format!(
        "{}: {}",
        escape(&message.title, HEADER_LIMIT),
        escape(&message.summary, SECTION_LIMIT)
    );
    json!({"text": fallback, "blocks": blocks})
}

/// A text in Slack's markup in which nothing turns into links or mentions by itself.
fn text(markup: &str) -> Value {
    json!({"type": "mrkdwn", "verbatim": true, "text": markup})
}

/// `text` with `&`, `<` and `>` escaped, of at most `limit` characters, no escape cut in half.
fn escape(text: &str, limit: usize) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let piece = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let piece_length = piece.len().max(1);
        let reserve = usize::from(characters.peek().is_some());
        if length + piece_length + reserve > limit {
            escaped.push('…');
            break;
        }
        length += piece_length;
        if piece.is_empty() {
            escaped.push(character);
        } else {
            escaped.push_str(piece);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
