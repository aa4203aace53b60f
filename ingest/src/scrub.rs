//! Cuts secrets out of every text that is stored or logged.
//!
//! A text is read once, byte by byte. Clean texts, nearly all of them, come back as they were; only a long word, a
//! suspicious name before `=` or `:`, a scheme such as `Bearer`, or an `@` leads to a closer look. What goes:
//! - the raw credentials that the record itself carries, also percent-encoded or in base64;
//! - keys known by their prefix, JWTs, and words too random to be names ([`shapes`]);
//! - the values of names that carry secrets, the word behind `Bearer` or `Basic`, and what stands before `@` in a URL.
//!
//! It cannot know a secret that looks like a word and stands where none is expected.

pub(crate) mod shapes;

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use smallvec::SmallVec;
use tokenwatch_model::Text;

use crate::names::CredentialNames;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";
/// Words from this length on are looked at: the shortest key told by its prefix.
const WORD_MIN_BYTES: usize = 12;
/// A value behind a scheme from this length on is a credential, shorter ones are prose.
const SCHEME_VALUE_MIN_BYTES: usize = 6;
/// How often percent encoding is undone.
const DECODE_DEPTH: u8 = 2;
/// Shorter values tell nobody anything.
const NEEDLE_MIN_BYTES: usize = 6;
/// How much of a rejected record is looked at for its excerpt.
const EXCERPT_WINDOW_BYTES: usize = 2_048;

/// What sort of text it is, which decides how much suspicion is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// An id or a name that somebody assigned: randomness is no sign of a secret.
    Identifier,
    /// A path or a host: `/` parts words, `:` parts nothing.
    Path,
    /// Anything else, such as a user agent.
    Prose,
    /// A piece of a record that could not be read.
    Excerpt,
}

/// What was cut out so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cuts {
    /// Anything.
    pub(crate) any: bool,
    /// Something that certainly is a credential, not only random.
    pub(crate) credential: bool,
}

/// Cuts secrets out of the texts of one record.
pub(crate) struct Scrubber<'s> {
    names: &'s CredentialNames,
    needles: SmallVec<[Needle<'s>; 2]>,
}

/// A raw credential of the record.
struct Needle<'s> {
    text: &'s str,
    /// Its longest word: a text without a word that long cannot hold it.
    longest_word: usize,
}

/// A place in a text to cut out.
struct Cut {
    range: Range<usize>,
    is_credential: bool,
}

type Cutlist = SmallVec<[Cut; 2]>;

impl<'s> Scrubber<'s> {
    /// A scrubber that also knows these raw credentials.
    pub(crate) fn new(names: &'s CredentialNames, needles: impl Iterator<Item = &'s str>) -> Self {
        let needles = needles
            .map(|text| Needle {
                text,
                longest_word: longest_word(text),
            })
            .collect();
        Self { names, needles }
    }

    /// `text` without secrets, and in `cuts` whether any were found.
    pub(crate) fn scrub<'a>(&self, text: Text<'a>, kind: TextKind, cuts: &mut Cuts) -> Text<'a> {
        self.scrub_decoding(text, kind, cuts, DECODE_DEPTH)
    }

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

    fn scrub_decoding<'a>(
        &self,
        text: Text<'a>,
        kind: TextKind,
        cuts: &mut Cuts,
        depth: u8,
    ) -> Text<'a> {
        let mut scan = Scan::of(&text, kind, self.names);
        if scan.has_percent && depth > 0 {
            let decoded = percent_encoding::percent_decode_str(&text).decode_utf8_lossy();
            if decoded != text {
                let mut decoded_cuts = Cuts::default();
                let scrubbed = self.scrub_decoding(decoded, kind, &mut decoded_cuts, depth - 1);
                if decoded_cuts.any {
                    cuts.any = true;
                    cuts.credential |= decoded_cuts.credential;
                    return Cow::Owned(scrubbed.into_owned());
                }
            }
        }
        self.cut_needles(&text, &mut scan);
        if scan.cuts.is_empty() {
            return text;
        }
        cuts.any = true;
        cuts.credential |= scan.cuts.iter().any(|cut| cut.is_credential);
        Cow::Owned(without(&text, scan.cuts))
    }

    fn cut_needles(&self, text: &str, scan: &mut Scan) {
        for needle in &self.needles {
            if needle.longest_word > scan.longest_word {
                continue;
            }
            for start in memmem::find_iter(text.as_bytes(), needle.text) {
                scan.cuts.push(Cut {
                    range: start..start + needle.text.len(),
                    is_credential: true,
                });
            }
            if scan.longest_word >= WORD_MIN_BYTES {
                cut_base64(text, needle.text, &mut scan.cuts);
            }
        }
    }
}

/// What one pass over a text found.
struct Scan {
    longest_word: usize,
    has_percent: bool,
    cuts: Cutlist,
}

impl Scan {
    fn of(text: &str, kind: TextKind, names: &CredentialNames) -> Self {
        let bytes = text.as_bytes();
        let mut scan = Self {
            longest_word: 0,
            has_percent: false,
            cuts: Cutlist::new(),
        };
        let mut start = 0;
        let mut word = 0..0;
        let mut at = 0;
        while at <= bytes.len() {
            // The end of the text ends the last word.
            let byte = bytes.get(at).copied().unwrap_or(b'\n');
            let class = CLASSES[byte as usize];
            if class == WORD {
                at += 1;
                continue;
            }
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
            if class == SIGN {
                at = scan.look_at_sign(text, &word, at, kind, names);
            }
            at += 1;
            start = at;
        }
        scan
    }

    /// A long word: a key, or random?
    fn look_at_word(&mut self, text: &str, word: Range<usize>, kind: TextKind) {
        let inner = &text[word.clone()];
        if shapes::is_key(inner)
            || inner
                .match_indices(['.', '%', '+', '~'])
                .any(|(at, _)| shapes::is_key(&inner[at + 1..]))
        {
            return self.cuts.push(Cut {
                range: word,
                is_credential: true,
            });
        }
        let range = match kind {
            TextKind::Identifier => return,
            TextKind::Path => word,
            // Base64 holds slashes.
            TextKind::Prose | TextKind::Excerpt => widen(text.as_bytes(), word),
        };
        let is_secret = match kind {
            TextKind::Excerpt => inner.contains('%') || shapes::is_suspicious(&text[range.clone()]),
            _ => shapes::is_random(&text[range.clone()]),
        };
        if is_secret {
            self.cuts.push(Cut {
                range,
                is_credential: false,
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

fn is_word(byte: u8) -> bool {
    matches!(CLASSES[byte as usize], WORD | PERCENT)
}

fn longest_word(text: &str) -> usize {
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

/// Cuts out base64 of `secret`. Only whole groups of three bytes are compared, so more may follow.
fn cut_base64(text: &str, secret: &str, cuts: &mut Cutlist) {
    let groups = &secret.as_bytes()[..secret.len() / 3 * 3];
    for encoded in [
        STANDARD_NO_PAD.encode(groups),
        URL_SAFE_NO_PAD.encode(groups),
    ] {
        for start in memmem::find_iter(text.as_bytes(), &encoded) {
            let tail = text.as_bytes()[start + encoded.len()..]
                .iter()
                .take_while(|byte| is_word(**byte) || **byte == b'=')
                .count();
            cuts.push(Cut {
                range: start..start + encoded.len() + tail,
                is_credential: true,
            });
        }
    }
}

/// `text` with the cuts replaced; those that overlap become one.
fn without(text: &str, mut cuts: Cutlist) -> String {
    cuts.sort_unstable_by_key(|cut| (cut.range.start, cut.range.end));
    let mut clean = String::with_capacity(text.len());
    let mut copied = 0;
    for cut in cuts {
        if cut.range.start >= copied {
            clean.push_str(&text[copied..cut.range.start]);
            clean.push_str(REDACTED);
        }
        copied = copied.max(cut.range.end);
    }
    clean.push_str(&text[copied..]);
    clean
}

/// The excerpt of a record is there to show its shape: quoted values go, but for numbers, times and addresses; keys stay.
fn without_values(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('"') {
        clean.push_str(&rest[..=open]);
        rest = &rest[open + 1..];
        let Some(end) = quote_end(rest) else {
            // Cut off: nobody can tell what it would have been.
            clean.push_str(REDACTED);
            return clean;
        };
        let value = &rest[..end];
        let is_key = rest[end + 1..].trim_start().starts_with(':');
        clean.push_str(if is_key || is_harmless(value) {
            value
        } else {
            REDACTED
        });
        clean.push('"');
        rest = &rest[end + 1..];
    }
    clean.push_str(rest);
    clean
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

/// Cuts `text` at the last character that ends within the limit.
pub(crate) fn truncate(text: &mut String, limit_bytes: usize) {
    text.truncate(text.floor_char_boundary(limit_bytes));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scrub(text: &str, kind: TextKind, needles: &[&str]) -> (String, Cuts) {
        let names = CredentialNames::default();
        let scrubber = Scrubber::new(&names, needles.iter().copied());
        let mut cuts = Cuts::default();
        (
            scrubber.scrub(text.into(), kind, &mut cuts).into_owned(),
            cuts,
        )
    }

    fn check(kind: TextKind, text: &str, expected: &str) {
        assert_eq!(scrub(text, kind, &[]).0, expected, "{kind:?} {text}");
    }

    #[test]
    fn clean_texts_come_back_as_they_were() {
        for text in [
            "/v1/orders/17",
            "/users/5cbc6a9e-6f44-4f3b-9d0f-0c7c43f9a001/posts/how-to-bake-bread-in-10-easy-steps",
            "/v1/tokens:revoke",
            "/%E4%B8%AD%E6%96%87/a%20b",
        ] {
            let names = CredentialNames::default();
            let scrubbed = Scrubber::new(&names, std::iter::empty()).scrub(
                text.into(),
                TextKind::Path,
                &mut Cuts::default(),
            );
            assert!(
                matches!(scrubbed, Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
        for text in [
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36",
            "aws-sdk-go-v2/1.16.16 os/linux lang/go#1.20 md/GOOS#linux md/GOARCH#amd64",
            "okhttp/4.9.3",
            "Bearer tokens explained",
        ] {
            check(TextKind::Prose, text, text);
        }
    }

    #[test]
    fn keys_and_random_words_are_cut_out() {
        check(
            TextKind::Path,
            "/pay/sk_live_example/x",
            "/pay/[redacted]/x",
        );
        check(
            TextKind::Path,
            "/s/5d41402abc4b2a76b9719d911017c592",
            "/s/[redacted]",
        );
        check(
            TextKind::Prose,
            "cli/1 wJ4lrXUtn7EMI/K7MD3NG/bPxRf1CY9zQm2kL0 x",
            "cli/1 [redacted] x",
        );
        check(
            TextKind::Identifier,
            "5d41402abc4b2a76b9719d911017c592",
            "5d41402abc4b2a76b9719d911017c592",
        );
        check(TextKind::Identifier, "sk_live_example", REDACTED);
    }

    #[test]
    fn values_behind_names_and_schemes_are_cut_out() {
        check(
            TextKind::Path,
            "/a;token=abc;v=1",
            "/a;token=[redacted];v=1",
        );
        check(
            TextKind::Prose,
            "cli api_key=abc, x",
            "cli api_key=[redacted], x",
        );
        check(
            TextKind::Prose,
            "cli (Bearer Abc123)",
            "cli (Bearer [redacted])",
        );
        check(TextKind::Prose, "X-Api-Key: abc", "X-Api-Key: [redacted]");
        check(
            TextKind::Prose,
            "https://user:pass@host/x",
            "https://[redacted]@host/x",
        );
        check(
            TextKind::Excerpt,
            r#"{"apikey":"abc","n":1}"#,
            r#"{"apikey":"[redacted]","n":1}"#,
        );
        check(
            TextKind::Excerpt,
            r#"{"cookie":"a=b; c=d","n":1}"#,
            r#"{"cookie":"[redacted]","n":1}"#,
        );
        check(
            TextKind::Excerpt,
            r#"{"Authorization":["Basic dTpw"],"n":1}"#,
            r#"{"Authorization":["[redacted]"],"n":1}"#,
        );
        check(
            TextKind::Excerpt,
            r#"\"password\": \"abc\" x"#,
            r#"\"password\": \"[redacted]" x"#,
        );
    }

    #[test]
    fn the_records_own_credentials_are_cut_out_in_every_spelling() {
        let secret = "pass/word with=signs";
        for text in [
            "x pass/word with=signs y",
            "x pass%2Fword%20with%3Dsigns y",
            "x pass%252Fword%2520with%253Dsigns y",
            "x cGFzcy93b3JkIHdpdGg9c2lnbnM= y",
        ] {
            let (clean, cuts) = scrub(text, TextKind::Prose, &[secret]);
            assert_eq!(clean, "x [redacted] y", "{text}");
            assert!(cuts.credential);
        }
    }

    #[test]
    fn random_words_are_cut_without_being_called_credentials() {
        let (_, cuts) = scrub("/s/5d41402abc4b2a76b9719d911017c592", TextKind::Path, &[]);
        assert_eq!(
            cuts,
            Cuts {
                any: true,
                credential: false
            }
        );
    }

    #[test]
    fn excerpts_are_bounded_and_hold_no_half_secret() {
        let names = CredentialNames::default();
        let scrubber = Scrubber::new(&names, std::iter::empty());
        let mut record = "a ".repeat(EXCERPT_WINDOW_BYTES / 2 - 4);
        record.push_str("sk_live_abcdefghijk");
        let excerpt = scrubber.excerpt(record.as_bytes(), 10_000);
        assert!(!excerpt.contains("sk_"), "{excerpt}");
        assert_eq!(scrubber.excerpt("ü".repeat(600).as_bytes(), 511).len(), 510);
        assert_eq!(scrubber.excerpt(b"a\xff\nb", 100), "a\u{fffd} b");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            for kind in [TextKind::Identifier, TextKind::Path, TextKind::Prose, TextKind::Excerpt] {
                scrub(&text, kind, &["needle"]);
            }
        }

        #[test]
        fn no_punctuation_panics(text in "[ :=@%\"'\\\\/a-c.ü-]{0,40}", prefix in "(token|Bearer|cookie|http)?") {
            for kind in [TextKind::Identifier, TextKind::Path, TextKind::Prose, TextKind::Excerpt] {
                scrub(&format!("{prefix}{text}"), kind, &[]);
            }
        }

        #[test]
        fn a_credential_of_the_record_never_survives(
            secret in "[a-zA-Z0-9_+/=.-]{6,40}", before in "[ a-z/]{0,10}", after in "[ a-z/]{0,10}",
        ) {
            for kind in [TextKind::Identifier, TextKind::Path, TextKind::Prose, TextKind::Excerpt] {
                let (clean, _) = scrub(&format!("{before}{secret}{after}"), kind, &[&secret]);
                prop_assert!(!clean.replace(REDACTED, " ").contains(&secret), "{clean}");
            }
        }
    }
}
