//! What is kept of a record that was rejected: enough to see its shape, and nothing that could be a secret.

use std::borrow::Cow;

use super::scan::is_word;
use super::{Cuts, REDACTED, Scrubber, TextKind, truncate};

/// Shorter values tell nobody anything.
const NEEDLE_MIN_BYTES: usize = 6;
/// How much of a rejected record is looked at for its excerpt.
const EXCERPT_WINDOW_BYTES: usize = 2_048;

impl Scrubber<'_> {
    /// A readable, bounded and scrubbed piece of a record that was rejected.
    pub(crate) fn excerpt(&self, bytes: &[u8], limit_bytes: usize) -> String {
        let window = &bytes[..bytes.len().min(EXCERPT_WINDOW_BYTES)];
        let text = String::from_utf8_lossy(window);
        // A secret that the window cuts in two would not be recognised.
        let whole = if bytes.len() > window.len() {
            &text[..last_gap(&text)]
        } else {
            &text
        };
        let text: String = whole
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let text = without_values(&text);
        let mut text = self
            .scrub(Cow::Owned(text), TextKind::Excerpt, &mut Cuts::default())
            .into_owned();
        truncate(&mut text, limit_bytes);
        text
    }
}

/// The excerpt of a record is there to show its shape: quoted values go, but for numbers, times and addresses; keys stay.
///
/// A lost quote turns inside and outside around for the rest of the record, so what stands outside is looked at just as
/// closely.
fn without_values(text: &str) -> String {
    if !text.contains('"') {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('"') {
        push_outside(&mut clean, &rest[..open]);
        clean.push('"');
        rest = &rest[open + 1..];
        let Some(end) = quote_end(rest) else {
            // Cut off: nobody can tell what it would have been.
            clean.push_str(REDACTED);
            return clean;
        };
        let value = &rest[..end];
        let is_key = rest[end + 1..].trim_start().starts_with(':') && is_name(value);
        clean.push_str(if is_key || is_harmless(value) {
            value
        } else {
            REDACTED
        });
        clean.push('"');
        rest = &rest[end + 1..];
    }
    push_outside(&mut clean, rest);
    clean
}

/// What stands outside quotes: structure, numbers, times and literals. All else may have lost its quotes.
fn push_outside(clean: &mut String, text: &str) {
    let is_structure = |c: char| "{}[]():,/ ".contains(c);
    for piece in text.split_inclusive(is_structure) {
        let word = piece.trim_end_matches(is_structure);
        clean.push_str(if is_harmless(word) { word } else { REDACTED });
        clean.push_str(&piece[word.len()..]);
    }
}

/// Whether it may be a key: those that hold more than a name are not needed to see the shape.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'@')
    })
}

/// Where the text in front of which a quote opened ends.
fn quote_end(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

fn is_harmless(value: &str) -> bool {
    value.len() < NEEDLE_MIN_BYTES
        || value.bytes().all(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'-' | b'T' | b'Z' | b'+' | b' ')
        })
}

/// Where the last word begins.
fn last_gap(text: &str) -> usize {
    text.bytes()
        .rposition(|byte| !is_word(byte) && byte != b'/' && byte.is_ascii())
        .map_or(0, |gap| gap + 1)
}
