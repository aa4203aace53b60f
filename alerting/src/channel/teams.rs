//! `teams`: a Microsoft Teams workflow ("When a Teams webhook request is received"), as an adaptive card.
//!
//! The old connectors and their message cards are retired. Teams refuses requests beyond about 28 KB with 413, so a
//! message of many findings becomes several cards.

use serde_json::{Value, json};
use tokenwatch_model::Severity;

use super::chat::ChatForm;
use crate::message::{Entry, Message};

/// Bytes of all findings in one card: with the rest of the card below 27 KB.
const ENTRIES_BUDGET: usize = 18_000;
/// Findings in one card; more are not read.
const ENTRIES_LIMIT: usize = 50;
/// Bytes of one fact's value: 16 facts of these, the summary and the rest stay below 20 KB.
const VALUE_BYTES: usize = 800;
/// Bytes of the summary.
const SUMMARY_BYTES: usize = 4_000;
/// Bytes of one of several findings' summaries.
const ENTRY_BYTES: usize = 600;

/// A Teams workflow.
pub(super) const FORM: ChatForm = ChatForm {
    entries_budget: ENTRIES_BUDGET,
    entries_limit: ENTRIES_LIMIT,
    measure: |entry| block(entry).to_string().len() + 1,
    payload: |message, outgoing| payload(message, outgoing.severity),
};

fn payload(message: &Message, severity: Severity) -> Value {
    let color = match severity {
        Severity::Critical | Severity::High => "Attention",
        Severity::Medium => "Warning",
        Severity::Low | Severity::Info => "Good",
    };
    let mut body = vec![
        json!({"type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": true, "color": color,
            "text": plain(&message.title, VALUE_BYTES)}),
        json!({"type": "TextBlock", "wrap": true, "text": plain(&message.summary, SUMMARY_BYTES)}),
    ];
    if !message.facts.is_empty() {
        let facts: Vec<Value> = message
            .facts
            .iter()
            .map(|(label, value)| json!({"title": label, "value": plain(value, VALUE_BYTES)}))
            .collect();
        body.push(json!({"type": "FactSet", "facts": facts}));
    }
    body.extend(message.entries.iter().map(block));
    body.push(
        json!({"type": "TextBlock", "isSubtle": true, "size": "Small", "wrap": true,
        "text": plain(&message.footer, VALUE_BYTES)}),
    );
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "msteams": {"width": "full"},
        "body": body,
    });
    if let Some(link) = &message.link {
        card["actions"] =
            json!([{"type": "Action.OpenUrl", "title": "Open in Tokenwatch", "url": link}]);
    }
    json!({"type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card}]})
}

/// One of several findings.
fn block(entry: &Entry) -> Value {
    let title = plain(&entry.title, 300);
    let title = match &entry.link {
        Some(link) => format!("[{title}]({link})"),
        None => format!("{title} {}", entry.id),
    };
    let text = format!(
        "**{title}**\n\n{}\n\n{}",
        plain(&entry.summary, ENTRY_BYTES),
        plain(&entry.subject, 200)
    );
    json!({"type": "TextBlock", "wrap": true, "separator": true, "text": text})
}

/// `text` without the characters that adaptive cards take for markup, of at most `limit` bytes.
fn plain(text: &str, limit: usize) -> String {
    let mut plain = String::with_capacity(text.len().min(limit));
    for character in text.chars() {
        let is_markup = matches!(
            character,
            '[' | ']' | '*' | '_' | '<' | '>' | '`' | '#' | '|' | '~'
        );
        let room = character.len_utf8() + usize::from(is_markup);
        if plain.len() + room + '…'.len_utf8() > limit {
            plain.push('…');
            break;
        }
        if is_markup {
            plain.push('\\');
        }
        plain.push(character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::layout::Layout;
    use crate::testing::{finding, outgoing};

    #[test]
    fn a_card_has_the_shape_that_workflows_take() {
        let base = Url::parse("https://tw.example.com/").expect("a URL");
        let layout = Layout::new(Some(base), None);
        let message = Message::new(&outgoing(finding(1)), &layout);
        let payload = payload(&message, Severity::High);
        assert_eq!(payload["type"], "message");
        let attachment = &payload["attachments"][0];
        assert_eq!(
            attachment["contentType"],
            "application/vnd.microsoft.card.adaptive"
        );
        let card = &attachment["content"];
        assert_eq!(card["type"], "AdaptiveCard");
        assert_eq!(card["body"][0]["color"], "Attention");
        assert_eq!(card["body"][0]["text"], "\\[HIGH\\] rate\\_spike: acme");
        assert_eq!(
            card["actions"][0]["url"],
            "https://tw.example.com/findings/fnd_00000000000000000000000001"
        );
        assert!(card["body"].to_string().contains("tok\\\\_0000"));
    }

    #[test]
    fn texts_are_cut_at_characters_and_never_within_an_escape() {
        assert_eq!(plain("a_b", 100), "a\\_b");
        assert_eq!(plain("ääää", 8), "ää…");
        assert_eq!(plain("____", 8), "\\_\\_…");
    }
}
