//! `slack`: an incoming webhook, in blocks, within Slack's limits.
//!
//! Slack knows no message ids: after a crash between sending and recording, the message is sent again and says that
//! it may be a repeat. A lost page is worse than a repeated one.

use serde_json::{Value, json};

use super::chat::ChatForm;
use crate::message::{Entry, Message};

/// Characters of a header's plain text.
const HEADER_LIMIT: usize = 150;
/// Characters of a section's text.
const SECTION_LIMIT: usize = 3_000;
/// Fields of a section.
const FIELDS_LIMIT: usize = 10;
/// Characters of one field. Slack allows 2,000, but refuses messages beyond about 13,200 in all: 16 facts of 450,
/// a section of 3,000 and the rest stay below 11,500.
const FIELD_LIMIT: usize = 450;
/// Characters of the text that notifications show.
const FALLBACK_LIMIT: usize = 1_000;
/// Findings in one message: Slack takes 50 blocks, and six are the rest.
const ENTRIES_LIMIT: usize = 40;
/// Characters of all findings in one message, JSON and markup included: with the rest below 13,200.
const ENTRIES_BUDGET: usize = 7_500;
/// Characters of one of several findings.
const ENTRY_LIMIT: usize = 400;

/// A Slack incoming webhook.
pub(super) const FORM: ChatForm = ChatForm {
    entries_budget: ENTRIES_BUDGET,
    entries_limit: ENTRIES_LIMIT,
    measure: |entry| section(entry).to_string().chars().count() + 1,
    payload: |message, _| payload(message),
};

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
    blocks.extend(message.entries.iter().map(section));
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
        escape(&message.summary, FALLBACK_LIMIT)
    );
    json!({"text": fallback, "blocks": blocks})
}

/// One of several findings.
fn section(entry: &Entry) -> Value {
    let title = escape(&entry.title, HEADER_LIMIT);
    let title = match &entry.link {
        Some(link) => format!("*<{link}|{}>*", title.replace('|', "/")),
        None => format!("*{title}* {}", entry.id),
    };
    let summary = escape(&entry.summary, ENTRY_LIMIT);
    json!({"type": "section", "text": text(&format!("{title}\n{summary}\n`{}`", escape(&entry.subject, 80)))})
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
pub(super) mod tests;
