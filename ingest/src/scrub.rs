//! Cuts secrets out of every text that is stored or logged.
//!
//! A text is read once, byte by byte. Clean texts, nearly all of them, come back as they were; only a long word, a
//! suspicious name before `=` or `:`, a scheme such as `Bearer`, or an `@` leads to a closer look. What goes:
//! - the raw credentials that the record itself carries, also percent-encoded or in base64;
//! - keys known by their prefix, JWTs, and words too random to be names ([`shapes`]);
//! - the values of names that carry secrets, the word behind `Bearer` or `Basic`, and what stands before `@` in a URL.
//!
//! It cannot know a secret that looks like a word and stands where none is expected.

mod excerpt;
mod scan;
pub(crate) mod shapes;

use std::borrow::Cow;
use std::cell::OnceCell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem;
use smallvec::SmallVec;
use tokenwatch_model::Text;

use crate::names::CredentialNames;
use scan::{Cut, Cutlist, Scan, is_word, longest_word};

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";
/// How often percent encoding is undone.
const DECODE_DEPTH: u8 = 2;
/// In texts up to this length comparing at every place is quicker than to prepare a search, and cannot take long: 256 places
/// times 256 bytes.
const NAIVE_SEARCH_MAX_BYTES: usize = 256;

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
    /// The base64 of it, made for the first text that is long enough to hold that.
    encoded: OnceCell<Encoded>,
}

/// The base64 of a secret's whole groups of three bytes: what stands behind may be something else's.
struct Encoded {
    standard: EncodedText,
    /// With the alphabet of URLs, where that makes a difference.
    for_urls: Option<EncodedText>,
}

/// Keys up to 96 bytes fit without an allocation.
type EncodedText = SmallVec<[u8; 128]>;

impl<'s> Scrubber<'s> {
    /// A scrubber that also knows these raw credentials.
    pub(crate) fn new(names: &'s CredentialNames, needles: impl Iterator<Item = &'s str>) -> Self {
        let needles = needles
            .map(|text| Needle {
                text,
                longest_word: longest_word(text),
                encoded: OnceCell::new(),
            })
            .collect();
        Self { names, needles }
    }

    /// `text` without secrets, and in `cuts` whether any were found.
    pub(crate) fn scrub<'a>(&self, text: Text<'a>, kind: TextKind, cuts: &mut Cuts) -> Text<'a> {
        // Several words in the place of an id are a text that a damaged line has moved there.
        let kind = match kind {
            TextKind::Identifier if memchr::memchr(b' ', text.as_bytes()).is_some() => {
                TextKind::Prose
            }
            kind => kind,
        };
        self.scrub_decoding(text, kind, cuts, DECODE_DEPTH)
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
            if needle.longest_word <= scan.longest_word {
                cut_needle(text, needle.text, &mut scan.cuts);
            }
            // Base64 is words that slashes join; most texts have nothing that long.
            if scan.longest_run >= base64_bytes(needle.text) {
                let encoded = needle.encoded.get_or_init(|| Encoded::of(needle.text));
                encoded.cut(text, &mut scan.cuts);
            }
        }
    }
}

/// Cuts out `needle` itself.
fn cut_needle(text: &str, needle: &str, cuts: &mut Cutlist) {
    for_each_place(text.as_bytes(), needle.as_bytes(), |start| {
        cuts.push(Cut {
            range: start..start + needle.len(),
            is_credential: true,
        });
    });
}

/// The places where `needle` stands in `text`, without those that overlap; an empty one stands nowhere.
fn for_each_place(text: &[u8], needle: &[u8], mut found: impl FnMut(usize)) {
    let Some(first) = needle.first() else {
        return;
    };
    if text.len() > NAIVE_SEARCH_MAX_BYTES {
        return memmem::find_iter(text, needle).for_each(found);
    }
    let mut behind = 0;
    for start in memchr::memchr_iter(*first, text) {
        if start >= behind && text[start..].starts_with(needle) {
            behind = start + needle.len();
            found(start);
        }
    }
}

/// How long the base64 of the whole groups of `secret` is.
fn base64_bytes(secret: &str) -> usize {
    secret.len() / 3 * 4
}

impl Encoded {
    fn of(secret: &str) -> Self {
        let groups = &secret.as_bytes()[..secret.len() / 3 * 3];
        let mut standard = EncodedText::from_elem(0, base64_bytes(secret));
        STANDARD_NO_PAD
            .encode_slice(groups, &mut standard)
            .expect("there is room for four bytes for each three");
        let for_urls = standard.iter().any(|byte| matches!(byte, b'+' | b'/'));
        let for_urls = for_urls.then(|| {
            let bytes = standard.iter().map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                byte => *byte,
            });
            bytes.collect()
        });
        Self { standard, for_urls }
    }

    fn cut(&self, text: &str, cuts: &mut Cutlist) {
        for encoded in std::iter::once(&self.standard).chain(&self.for_urls) {
            for_each_place(text.as_bytes(), encoded, |start| {
                let end = start + encoded.len();
                let tail = text.as_bytes()[end..]
                    .iter()
                    .take_while(|byte| is_word(**byte) || **byte == b'=')
                    .count();
                cuts.push(Cut {
                    range: start..end + tail,
                    is_credential: true,
                });
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
    fn a_user_agent_in_the_place_of_an_id_is_no_id() {
        check(
            TextKind::Identifier,
            "cli 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "cli [redacted]",
        );
        check(
            TextKind::Identifier,
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        );
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
        check(
            TextKind::Prose,
            "cli AKIAIOSFODNN7EXAMPLE",
            "cli [redacted]",
        );
        check(
            TextKind::Identifier,
            "AKIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPLE",
        );
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
        let (clean, _) = scrub("x aHVudGVy y", TextKind::Prose, &["hunter"]);
        assert_eq!(clean, "x [redacted] y");
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
        let mut record = "a ".repeat(1_020);
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
