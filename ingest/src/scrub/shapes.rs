//! The shapes of secrets: prefixes that vendors give their keys, JWTs, and text too random to have been chosen.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What a vendor's key starts with, and the fewest characters that follow.
///
/// From the public secret-scanning rules of GitHub and gitleaks. Publishable keys are in, because telling them apart is
/// not worth a mistake.
const PREFIXES: [(&str, usize); 50] = [
    ("sk_live_", 4),
    ("sk_test_", 4),
    ("rk_live_", 4),
    ("rk_test_", 4),
    ("pk_live_", 4),
    ("whsec_", 8),
    ("ghp_", 8),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 8),
    ("glpat-", 8),
    ("gldt-", 8),
    ("glrt-", 8),
    ("glptt-", 8),
    ("AKIA", 12),
    ("ASIA", 12),
    ("AIza", 9),
    ("GOCSPX-", 8),
    ("ya29.", 8),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxe-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xapp-", 8),
    ("sk-ant-", 8),
    ("sk-proj-", 8),
    ("sk-", 20),
    ("hf_", 16),
    ("npm_", 20),
    ("pypi-", 16),
    ("rubygems_", 16),
    ("dop_v1_", 16),
    ("doo_v1_", 16),
    ("SG.", 16),
    ("key-", 24),
    ("shpat_", 8),
    ("shpss_", 8),
    ("shpca_", 8),
    ("sq0atp-", 8),
    ("sq0csp-", 8),
    ("lin_api_", 8),
    ("figd_", 8),
    ("PMAK-", 8),
    ("dapi", 32),
    ("hvs.", 16),
    ("AGE-SECRET-KEY-", 8),
];
/// Which prefixes have a byte as their first, second and third: one bit for each.
static PREFIXES_BY_BYTE: [[u64; 256]; 3] = {
    let mut prefixes = [[0; 256]; 3];
    let mut index = 0;
    while index < PREFIXES.len() {
        let prefix = PREFIXES[index].0.as_bytes();
        let mut place = 0;
        while place < prefixes.len() {
            prefixes[place][prefix[place] as usize] |= 1 << index;
            place += 1;
        }
        index += 1;
    }
    prefixes
};
/// A JWT's header is an object, and `{"` is `eyJ` in base64.
const JWT_PREFIX: &str = "eyJ";
/// The shortest piece of a JWT that is told: cut off, it still holds claims.
const JWT_MIN_BYTES: usize = 13;
/// How much of a word is looked at for a key in base64: 36 bytes of the longest that is told, whole groups of four.
const ENCODED_LOOK_BYTES: usize = 64;
/// The base64 of the shortest key that is told: twelve bytes.
const ENCODED_MIN_BYTES: usize = 16;
/// The shortest random text of letters in both cases and digits: 20 of 62 are 119 bits.
const MIXED_MIN: u32 = 20;
/// The shortest random text of one case and digits. Shorter hexadecimal is an object's id more often than a key.
const SINGLE_CASE_MIN: u32 = 32;
/// Hexadecimal groups up to this length are parts of a UUID or a short hash.
const HEX_GROUP_MAX: usize = 12;

/// Whether `word` is a key by its prefix, or a JWT.
pub(crate) fn is_key(word: &str) -> bool {
    if word.starts_with(JWT_PREFIX) {
        return word.len() >= JWT_MIN_BYTES;
    }
    let [first, second, third, ..] = word.as_bytes() else {
        return false;
    };
    // Most words end here: few start like a key and go on like one.
    let mut possible = PREFIXES_BY_BYTE[0][*first as usize]
        & PREFIXES_BY_BYTE[1][*second as usize]
        & PREFIXES_BY_BYTE[2][*third as usize];
    while possible != 0 {
        let (prefix, tail) = PREFIXES[possible.trailing_zeros() as usize];
        if word.len() >= prefix.len() + tail && word.starts_with(prefix) {
            return true;
        }
        possible &= possible - 1;
    }
    false
}

/// Whether `word` begins with a key in base64, of either alphabet.
pub(crate) fn is_encoded_key(word: &[u8]) -> bool {
    let groups = word.len().min(ENCODED_LOOK_BYTES) / 4 * 4;
    // Most words end here: few begin like the base64 of a key.
    if groups < ENCODED_MIN_BYTES || !is_encoded_start(word[0]) {
        return false;
    }
    let mut encoded = [0; ENCODED_LOOK_BYTES];
    for (to, from) in encoded.iter_mut().zip(&word[..groups]) {
        *to = match from {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        };
    }
    let mut decoded = [0; ENCODED_LOOK_BYTES / 4 * 3];
    let Ok(length) = STANDARD_NO_PAD.decode_slice(&encoded[..groups], &mut decoded) else {
        return false;
    };
    str::from_utf8(&decoded[..length]).is_ok_and(is_key)
}

/// Whether `word` is the id of an AWS access key. An id alone opens nothing, and where an id is expected it is what people
/// look for; anywhere else the secret part may stand next to it.
pub(crate) fn is_access_key_id(word: &str) -> bool {
    (16..=128).contains(&word.len())
        && (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether `word` was drawn at random, as keys are: its characters change their class too often for a word, a version,
/// a CamelCase name or a UUID.
pub(crate) fn is_random(word: &str) -> bool {
    // Shorter ones are not random, whatever they are made of, and need not be counted.
    if word.len() < MIXED_MIN as usize {
        return false;
    }
    let counts = Counts::of(word);
    let classes = [counts.lower, counts.upper, counts.digits]
        .into_iter()
        .filter(|count| *count > 0)
        .count();
    let changes_percent = counts.changes * 100 / counts.total().max(1);
    match classes {
        3 => counts.total() >= MIXED_MIN && changes_percent >= 25,
        2 if counts.digits == 0 => counts.total() >= MIXED_MIN && changes_percent >= 35,
        2 => counts.total() >= SINGLE_CASE_MIN && changes_percent >= 20,
        _ => false,
    }
}

/// Whether `word` might be random: for texts that nobody needs to read in full.
pub(crate) fn is_suspicious(word: &str) -> bool {
    let counts = Counts::of(word);
    let letters = counts.lower + counts.upper;
    is_random(word) || (counts.total() >= 10 && counts.digits >= 2 && letters >= 3)
}

/// Whether a word in a text that anybody wrote may be a secret: a key by its prefix, a JWT, or drawn at random.
pub fn may_be_secret(word: &str) -> bool {
    is_key(word) || is_suspicious(word)
}

/// The upper six bits of what prefixes begin with, and of the `e` of a JWT, as base64 writes them.
fn is_encoded_start(byte: u8) -> bool {
    matches!(
        byte,
        b'Q' | b'R' | b'U' | b'Z' | b'a' | b'b' | b'c' | b'd' | b'e'
    )
}

/// How many characters of each class a word has, groups that are parts of a UUID left out.
#[derive(Default)]
struct Counts {
    lower: u32,
    upper: u32,
    digits: u32,
    /// Neighbours of different classes; a capital before a small letter begins a word and does not count.
    changes: u32,
}

impl Counts {
    fn of(word: &str) -> Self {
        let mut counts = Self::default();
        for group in word.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()) {
            if group.len() > HEX_GROUP_MAX || !group.iter().all(u8::is_ascii_hexdigit) {
                counts.add(group);
            }
        }
        counts
    }

    fn add(&mut self, group: &[u8]) {
        let mut before = Class::None;
        for byte in group {
            let class = match byte {
                b'a'..=b'z' => Class::Lower,
                b'A'..=b'Z' => Class::Upper,
                _ => Class::Digit,
            };
            match class {
                Class::Lower => self.lower += 1,
                Class::Upper => self.upper += 1,
                Class::Digit | Class::None => self.digits += 1,
            }
            let begins_word = before == Class::Upper && class == Class::Lower;
            if before != Class::None && before != class && !begins_word {
                self.changes += 1;
            }
            before = class;
        }
    }

    fn total(&self) -> u32 {
        self.lower + self.upper + self.digits
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    None,
    Lower,
    Upper,
    Digit,
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn keys_are_known_by_their_prefix() {
        for word in [
            "sk_live_example",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "AKIAIOSFODNN7EXAMPLE",
            "xoxb-123456789012-abc",
            "glpat-XXXXXXXXXXXXXXXXXXXX",
            "AIzaSyEXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9",
            "hf_aaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(is_key(word), "{word}");
        }
        for word in [
            "sk_live_",
            "skiing",
            "ghp",
            "key-value",
            "npm_config",
            "AKIAfoo",
            "eyJ",
            "hf_model",
            "dapi",
            "",
        ] {
            assert!(!is_key(word), "{word}");
        }
    }

    #[test]
    fn keys_are_known_in_base64() {
        for key in PREFIXES.map(|(prefix, tail)| format!("{prefix}{}", "x7".repeat(tail))) {
            for encoded in [STANDARD_NO_PAD.encode(&key), URL_SAFE_NO_PAD.encode(&key)] {
                assert!(is_encoded_key(encoded.as_bytes()), "{key} {encoded}");
            }
        }
        assert!(is_encoded_key(b"ZXlKaGJHY2lPaUpJVXpJMU5pSjku"));
        for word in [
            "QUtJ",
            "",
            "configuration-of-a-thing",
            "cafebabecafebabecafe",
            "ünïcode-ünïcode",
        ] {
            assert!(!is_encoded_key(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn the_id_of_an_access_key_is_told_from_other_keys() {
        assert!(is_access_key_id("AKIAIOSFODNN7EXAMPLE"));
        assert!(is_access_key_id("ASIAIOSFODNN7EXAMPLE"));
        for word in ["AKIA", "AKIAIOSFODNN7example", "sk_live_EXAMPLE00000000"] {
            assert!(!is_access_key_id(word), "{word}");
        }
    }

    #[test]
    fn random_text_is_told_from_names() {
        for word in [
            "wJ4lrXUtn7EMIK7MD3NGbPxRf1CY9zQm2kL0",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "5d41402abc4b2a76b9719d911017c592",
            "dGhpcy1pc19hLXNlY3JldC0xMjM0NQ",
            "Zx81kQ-p0sLm3_Vt7aYw9bR",
        ] {
            assert!(is_random(word), "{word}");
        }
    }

    #[test]
    fn ordinary_ids_and_names_are_not_random() {
        for word in [
            "5cbc6a9e-6f44-4f3b-9d0f-0c7c43f9a001",
            "user-5CBC6A9E-6F44-4F3B-9D0F-0C7C43F9A001",
            "507f1f77bcf86cd799439011",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "how-to-bake-bread-in-10-easy-steps-for-2026",
            "ListServiceInstancesByNamespaceV2",
            "AbstractSingletonProxyFactoryBean",
            "12345678901234567890123456789012",
            "HeadlessChrome/120.0.6099.109",
            "kibana-search.png",
            "asad15n3p0.execute-api.us-east-1.amazonaws.com",
            "httproute/app/app-www-example-com/rule/0/match/0/www_example_com",
            "tok_00000000000000000000000000",
        ] {
            assert!(!is_random(word), "{word}");
        }
    }
}
