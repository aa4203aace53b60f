//! One pass over a text: finds what looks like a secret, and how long its words are.

use std::ops::Range;

use smallvec::SmallVec;

use super::{REDACTED, TextKind, shapes};
use crate::names::CredentialNames;

/// Words from this length on are looked at: the shortest key told by its prefix.
const WORD_MIN_BYTES: usize = 12;
/// A value behind a scheme from this length on is a credential, shorter ones are prose.
const SCHEME_VALUE_MIN_BYTES: usize = 6;

/// A place in a text to cut out.
pub(super) struct Cut {
    pub(super) range: Range<usize>,
    pub(super) is_credential: bool,
}

pub(super) type Cutlist = SmallVec<[Cut; 2]>;

/// What one pass over a text found.
pub(super) struct Scan {
    pub(super) longest_word: usize,
    /// The same of words that slashes join.
    pub(super) longest_run: usize,
    pub(super) has_percent: bool,
    pub(super) cuts: Cutlist,
}

impl Scan {
    pub(super) fn of(text: &str, kind: TextKind, names: &CredentialNames) -> Self {
        let bytes = text.as_bytes();
        let mut scan = Self {
            longest_word: 0,
            longest_run: 0,
            has_percent: false,
            cuts: Cutlist::new(),
        };
        let (mut start, mut run_start) = (0, 0);
        let mut word = 0..0;
        let mut at = 0;
        while at <= bytes.len() {
            at = bytes[at..]
                .iter()
                .position(|byte| CLASSES[*byte as usize] != WORD)
                .map_or(bytes.len(), |gap| at + gap);
            // The end of the text ends the last word.
            let byte = bytes.get(at).copied().unwrap_or(b'\n');
            let class = CLASSES[byte as usize];
            if class == PERCENT {
                scan.has_percent = true;
                at += 1;
                continue;
            }
            if at > start {
                word = start..at;
                scan.longest_word = scan.longest_word.max(at - start);
                if at - start >= WORD_MIN_BYTES {
                    scan.look_at_word(text, word.clone(), kind);
                }
            }
            if byte != b'/' {
                scan.longest_run = scan.longest_run.max(at - run_start);
            }
            if class == SIGN {
                at = scan.look_at_sign(text, &word, at, kind, names);
            }
            at += 1;
            start = at;
            if byte != b'/' {
                run_start = at;
            }
        }
        scan
    }

    /// A long word: a key, or random?
    fn look_at_word(&mut self, text: &str, word: Range<usize>, kind: TextKind) {
        let inner = &text[word.clone()];
        if kind == TextKind::Identifier && shapes::is_access_key_id(inner) {
            return;
        }
        let joins = |byte: u8| matches!(byte, b'.' | b'%' | b'+' | b'~');
        // Without a way out in between, many bytes are looked at in one step; most words are all of a piece.
        let has_joints = inner.bytes().fold(false, |has, byte| has | joins(byte));
        let mut places = inner.bytes().enumerate();
        let is_key_behind = |at: usize| shapes::is_key(&inner[at + 1..]);
        if shapes::is_key(inner)
            || has_joints && places.any(|(at, byte)| joins(byte) && is_key_behind(at))
        {
            return self.cuts.push(Cut {
                range: word,
                is_credential: true,
            });
        }
        let bytes = inner.as_bytes();
        let is_encoded_key = if has_joints {
            let mut parts = bytes.split(|byte| matches!(byte, b'.' | b'%' | b'~'));
            parts.any(shapes::is_encoded_key)
        } else {
            shapes::is_encoded_key(bytes)
        };
        let range = match kind {
            TextKind::Identifier if !is_encoded_key => return,
            TextKind::Identifier | TextKind::Path => word,
            // Base64 holds slashes.
            TextKind::Prose | TextKind::Excerpt => widen(text.as_bytes(), word),
        };
        let looks_random = |range: &Range<usize>| match kind {
            TextKind::Excerpt => inner.contains('%') || shapes::is_suspicious(&text[range.clone()]),
            _ => shapes::is_random(&text[range.clone()]),
        };
        if is_encoded_key || looks_random(&range) {
            self.cuts.push(Cut {
                range,
                is_credential: is_encoded_key,
            });
        }
    }

    /// A sign behind `word`: does a secret follow, or did one stand before it? Says where to go on.
    fn look_at_sign(
        &mut self,
        text: &str,
        word: &Range<usize>,
        at: usize,
        kind: TextKind,
        names: &CredentialNames,
    ) -> usize {
        let bytes = text.as_bytes();
        let secret = match bytes[at] {
            b'@' => user_info(text, at),
            b' ' if word.end == at => behind_scheme(text, &text[word.clone()], at + 1),
            b'=' => behind_name(text, word, at, names),
            b':' if kind != TextKind::Path => behind_name(text, word, at, names),
            _ => None,
        };
        let Some(range) = secret.filter(|range| !range.is_empty()) else {
            return at;
        };
        let end = range.end;
        self.cuts.push(Cut {
            range,
            is_credential: true,
        });
        at.max(end.saturating_sub(1))
    }
}

const GAP: u8 = 0;
const WORD: u8 = 1;
const SIGN: u8 = 2;
const PERCENT: u8 = 3;

/// What a byte means to the scan.
const CLASSES: [u8; 256] = {
    let mut classes = [GAP; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'+' | b'~' => WORD,
            b'=' | b':' | b'@' | b' ' => SIGN,
            b'%' => PERCENT,
            _ => GAP,
        };
        byte += 1;
    }
    classes
};

pub(super) fn is_word(byte: u8) -> bool {
    matches!(CLASSES[byte as usize], WORD | PERCENT)
}

pub(super) fn longest_word(text: &str) -> usize {
    text.as_bytes()
        .split(|byte| !is_word(*byte))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

/// `word` and what slashes join to it.
fn widen(bytes: &[u8], word: Range<usize>) -> Range<usize> {
    let joins = |byte: &u8| is_word(*byte) || *byte == b'/';
    let start = bytes[..word.start]
        .iter()
        .rposition(|byte| !joins(byte))
        .map_or(0, |gap| gap + 1);
    let end = bytes[word.end..]
        .iter()
        .position(|byte| !joins(byte))
        .map_or(bytes.len(), |gap| word.end + gap);
    start..end
}

/// `//user:password@`: what stands between `//` and the `@` at `at`.
fn user_info(text: &str, at: usize) -> Option<Range<usize>> {
    let start = text[..at].rfind("//")? + 2;
    (!text[start..at].contains(['/', ' ', '?'])).then_some(start..at)
}

/// `Bearer abc`: the value behind a scheme.
fn behind_scheme(text: &str, scheme: &str, start: usize) -> Option<Range<usize>> {
    let is_scheme = match scheme.len() {
        5 => scheme.eq_ignore_ascii_case("basic") || scheme.eq_ignore_ascii_case("token"),
        6 => scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("apikey"),
        _ => false,
    };
    if !is_scheme {
        return None;
    }
    let range = value_range(text, start);
    let value = &text[range.clone()];
    let is_prose = value.bytes().all(|byte| byte.is_ascii_lowercase());
    (value.len() >= SCHEME_VALUE_MIN_BYTES && !is_prose).then_some(range)
}

/// `name=value`, `"name":"value"`: the value, if the name is one that carries secrets.
fn behind_name(
    text: &str,
    word: &Range<usize>,
    at: usize,
    names: &CredentialNames,
) -> Option<Range<usize>> {
    let is_next = text[word.end..at]
        .bytes()
        .all(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b' ' | b']'));
    let name = &text[word.clone()];
    let last = name.rsplit(['.', '%', '+']).next().unwrap_or(name);
    if !is_next || !(names.is_sensitive(name) || names.is_sensitive(last)) {
        return None;
    }
    let range = value_range(text, at + 1);
    // These hold blanks, commas and semicolons: everything up to the quote goes.
    let ends_at_quote = ["cookie", "authorization"].iter().any(|long| {
        name.len() >= long.len()
            && name.as_bytes()[name.len() - long.len()..].eq_ignore_ascii_case(long.as_bytes())
    });
    let range = if ends_at_quote {
        let rest = &text[range.start..];
        range.start..range.start + rest.find(['"', '\n']).unwrap_or(rest.len())
    } else {
        range
    };
    (!text[range.clone()].starts_with(REDACTED)).then_some(range)
}

/// The value that begins at `start`, without its quotes.
fn value_range(text: &str, start: usize) -> Range<usize> {
    let rest = &text[start..];
    let body = rest.trim_start_matches([' ', '\\', '[', '"', '\'']);
    let from = start + rest.len() - body.len();
    let opening = &text[start..from];
    let end = if opening.contains('"') {
        body.find(['"', '\n'])
    } else if opening.contains('\'') {
        body.find(['\'', '\n'])
    } else {
        body.find([' ', '&', ';', ',', '"', '\'', ')', '}', '\n', '/'])
    };
    from..from + end.unwrap_or(body.len())
}
