//! What one segment of a path is, by its shape: a word of the template, or the name of one object.
//!
//! Numbers, UUIDs, ULIDs, hashes, e-mail and IP addresses, days, and mixes of letters and digits are ids; versions (`v1beta1`),
//! names with a digit (`oauth2`), regions (`eu-west-1`) and words are not. What is letters only is a word unless no one
//! could speak it. Slugs (`my-first-post`) look like words; their position is learned instead.

/// Longer segments are ids: no one writes such words into a template.
const LONGEST_WORD: usize = 48;
/// Words with more than two digits, which would be ids by their shape.
const WORDS_WITH_NUMBERS: [&[u8]; 7] = [
    b"sha256", b"sha384", b"sha512", b"x509", b"h264", b"h265", b"404",
];

/// Of which kinds a byte is, so that one look at each tells all; letters are all bytes beyond ASCII, too.
const KINDS: [u8; 256] = kinds();
const DIGIT: u8 = 1;
const LETTER: u8 = 2;
const COLON: u8 = 4;
const IN_NO_WORD: u8 = 8;

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading<'a> {
    /// A word of the template.
    Word,
    /// An object's name.
    Id {
        /// The number that it is or ends in.
        number: Option<u64>,
        /// The custom method behind it: `cancel` of `17:cancel`.
        verb: Option<&'a [u8]>,
    },
}

const ID: Reading<'static> = Reading::Id {
    number: None,
    verb: None,
};

/// What `segment` is; the `first` of a path may be a day that names a version of the API.
pub(crate) fn classify_segment(segment: &[u8], first: bool) -> Reading<'_> {
    if segment.len() > LONGEST_WORD {
        return ID;
    }
    let (mut kinds, mut digits, mut letters) = (0, 0, 0);
    for byte in segment {
        let kind = KINDS[usize::from(*byte)];
        kinds |= kind;
        digits += usize::from(kind & DIGIT != 0);
        letters += usize::from(kind & LETTER != 0);
    }
    if kinds & IN_NO_WORD != 0 {
        return ID;
    }
    if kinds & COLON != 0
        && let Some(at) = segment.iter().rposition(|byte| *byte == b':')
    {
        return with_verb(&segment[..at], &segment[at + 1..]);
    }
    match (digits, letters) {
        (0, _) if is_unspeakable(segment) => ID,
        (0, _) => Reading::Word,
        (_, 0) if digits == segment.len() => Reading::Id {
            number: number(segment),
            verb: None,
        },
        (_, 0) if first && is_day(segment) => Reading::Word,
        (_, 0) => ID,
        _ if is_uuid(segment) => ID,
        _ if is_dotted_version(segment) => Reading::Word,
        _ => by_parts(segment),
    }
}

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < kinds.len() {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | 128.. => LETTER,
            b':' => COLON,
            b'@' | b'*' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'=' | b'$' | b'|' | b'\\'
            | b'"' => IN_NO_WORD,
            _ => 0,
        };
        byte += 1;
    }
    kinds
}

/// `17:cancel` is an id with a method, `documents:search` a word, `arn:aws:…` an id.
fn with_verb<'a>(head: &'a [u8], verb: &'a [u8]) -> Reading<'a> {
    let is_verb = !verb.is_empty() && verb.iter().all(u8::is_ascii_alphabetic);
    if head.is_empty() || head.contains(&b':') || !is_verb {
        return ID;
    }
    match classify_segment(head, false) {
        Reading::Word => Reading::Word,
        Reading::Id { number, .. } => Reading::Id {
            number,
            verb: Some(verb),
        },
    }
}

/// A mix of letters and digits, part by part between separators.
fn by_parts(segment: &[u8]) -> Reading<'_> {
    let (mut parts, mut numbers, mut is_id) = (0, 0, false);
    let mut last = Part::Word;
    for part in segment
        .split(|byte| b"-_.~+,".contains(byte))
        .filter(|part| !part.is_empty())
    {
        last = classify_part(part);
        parts += 1;
        match last {
            Part::Word => {}
            Part::Digits(_) => numbers += 1,
            Part::Mix(_) => is_id = true,
        }
    }
    let number = match last {
        Part::Digits(number) | Part::Mix(number) => number,
        Part::Word => None,
    };
    // `eu-west-1`: one number below ten behind at least two words.
    let is_region = parts >= 3 && numbers == 1 && matches!(last, Part::Digits(Some(0..=9)));
    if is_id || (numbers > 0 && !is_region) {
        Reading::Id { number, verb: None }
    } else {
        Reading::Word
    }
}

enum Part {
    Word,
    Digits(Option<u64>),
    /// An id, with the number behind its letters if it is so built.
    Mix(Option<u64>),
}

fn classify_part(part: &[u8]) -> Part {
    let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return if is_unspeakable(part) {
            Part::Mix(None)
        } else {
            Part::Word
        };
    }
    if digits == part.len() {
        return Part::Digits(number(part));
    }
    if is_version(part) || WORDS_WITH_NUMBERS.contains(&part) {
        return Part::Word;
    }
    let behind = part
        .iter()
        .rposition(|byte| !byte.is_ascii_digit())
        .map_or(0, |at| at + 1);
    let runs = part
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() && !pair[1].is_ascii_digit())
        .count()
        + usize::from(behind < part.len());
    if runs == 1 && digits <= 2 && part.len() <= 16 && !is_unspeakable(part) {
        return Part::Word;
    }
    let has_tail = runs == 1 && behind < part.len();
    Part::Mix(has_tail.then(|| number(&part[behind..])).flatten())
}

/// `v2.1`.
fn is_dotted_version(segment: &[u8]) -> bool {
    segment.len() <= 12
        && segment.split_first().is_some_and(|(first, rest)| {
            b"vV".contains(first)
                && rest
                    .iter()
                    .all(|byte| byte.is_ascii_digit() || *byte == b'.')
        })
}

/// `v1`, `v2beta3`, `v1p1beta1`.
fn is_version(part: &[u8]) -> bool {
    let Some((b'v' | b'V', rest)) = part.split_first() else {
        return false;
    };
    if part.len() > 12 || !rest.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut letters = [0; 12];
    let mut count = 0;
    for byte in rest.iter().filter(|byte| !byte.is_ascii_digit()) {
        letters[count] = byte.to_ascii_lowercase();
        count += 1;
    }
    matches!(
        &letters[..count],
        b"" | b"alpha" | b"beta" | b"p" | b"palpha" | b"pbeta" | b"rc" | b"preview"
    )
}

/// Letters that no word is made of: hexadecimal ones only, no vowels, or case that changes all the time.
fn is_unspeakable(text: &[u8]) -> bool {
    if text.len() < 8 || !text.is_ascii() {
        return false;
    }
    let letters = text
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let vowels = text
        .iter()
        .filter(|byte| b"aeiouyAEIOUY".contains(byte))
        .count();
    let changes = text
        .windows(2)
        .filter(|pair| pair[0].is_ascii_alphabetic() && pair[1].is_ascii_alphabetic())
        .filter(|pair| pair[0].is_ascii_lowercase() != pair[1].is_ascii_lowercase())
        .count();
    text.iter().all(u8::is_ascii_hexdigit)
        || vowels * 10 < letters && letters >= 8
        || changes * 2 >= letters && letters >= 12
}

fn is_uuid(segment: &[u8]) -> bool {
    segment.len() == 36
        && segment.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_day(segment: &[u8]) -> bool {
    segment.len() == 10 && segment[4] == b'-' && segment[7] == b'-'
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_id(segment: &str) -> bool {
        classify_segment(segment.as_bytes(), false) != Reading::Word
    }

    #[test]
    fn words_versions_and_regions_belong_to_the_template() {
        for word in [
            "orders",
            "v1",
            "v2.1",
            "v1beta1",
            "v1p1beta1",
            "oauth2",
            "s3",
            "i18n",
            "b2b",
            "base64",
            "sha256",
            "x509",
            "en-US",
            "zh_Hans",
            "us-east-1",
            "getUserAccountDetailsByIdAndName",
            "api-keys",
            "rolebindings",
            "graphql",
            "well-known",
            ".well-known",
            "index.html",
            "health_check",
            "2fa",
            "k8s",
            "documents:search",
            "wsdl",
            "äpfel",
            "invitations",
            "strengths",
            "oauth2-callback",
            "favicon.ico",
        ] {
            assert!(!is_id(word), "{word}");
        }
    }

    #[test]
    fn numbers_hashes_and_mixes_name_objects() {
        for id in [
            "0",
            "17",
            "12345678901234567890123",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "deadbeef-cafe-4bad-babe-feedfacebeef",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "0ujtsYcgvSTl8PAuAdqWYSMnLOv",
            "V1StGXR8_Z5jdHi6B-myT",
            "507f1f77bcf86cd799439011",
            "9fceb02",
            "deadbeef",
            "ORD-000123",
            "item-5",
            "user123",
            "cus_NffrFeUfNV2Hib",
            "al@example.com",
            "203.0.113.7",
            "2001:db8::7",
            "2026-11-22",
            "20261122T064000Z",
            "[redacted]",
            "{id}",
            "arn:aws:iam::1:user/x",
            "dGhpcyBpcyBhIHRlc3Q=",
            "xkcdqwrtplmn",
            "report-2026.pdf",
            "17:cancel",
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
        ] {
            assert!(is_id(id), "{id}");
        }
    }

    #[test]
    fn the_number_behind_the_letters_is_read() {
        for (id, number) in [
            ("17", Some(17)),
            ("ORD-000123", Some(123)),
            ("user123", Some(123)),
            ("17:cancel", Some(17)),
            ("9fceb02", None),
            ("2026-11-22", None),
            ("12345678901234567890123", None),
        ] {
            let Reading::Id { number: read, .. } = classify_segment(id.as_bytes(), false) else {
                panic!("{id} is an id");
            };
            assert_eq!(read, number, "{id}");
        }
    }

    #[test]
    fn a_day_at_the_beginning_is_a_version() {
        assert_eq!(classify_segment(b"2015-03-31", true), Reading::Word);
        assert_ne!(classify_segment(b"2015-03-31", false), Reading::Word);
    }
}
