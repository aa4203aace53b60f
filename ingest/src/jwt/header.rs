//! Reads the header of a JWT: how it says it is signed, and by whose word its key is to be believed.
//!
//! Headers are short, so most are decoded on the stack. `jku` and `x5u` say where the key is, `jwk` brings it along: whoever
//! writes a token can write those, too (RFC 8725, 3.10).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::MapAccess;
use smallvec::SmallVec;
use tokenwatch_model::{JwtAlgorithm, Text};

use crate::json::{self, Fields, Object, Scalar};

/// Decoded headers up to this length stay on the stack: `alg`, `typ`, `kid` take a hundred bytes.
const STACK_BYTES: usize = 256;
/// Longer ones are not read: a chain of certificates takes a few thousand bytes.
const HEADER_LIMIT_BYTES: usize = 16 * 1_024;

/// The decoded text of a header.
pub(super) type Decoded = SmallVec<[u8; STACK_BYTES]>;

/// What a header says.
#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    pub(super) algorithm: JwtAlgorithm,
    pub(super) key_id: Option<Text<'a>>,
    pub(super) jwks_url: Option<Text<'a>>,
    pub(super) certificate_url: Option<Text<'a>>,
    pub(super) has_key: bool,
}

/// The bytes behind the base64 `encoded`.
pub(super) fn decode(encoded: &str) -> Option<Decoded> {
    let encoded = encoded.trim_end_matches('=');
    if encoded.len() > HEADER_LIMIT_BYTES {
        return None;
    }
    let mut decoded = Decoded::new();
    decoded.resize(encoded.len() / 4 * 3 + 3, 0);
    let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut decoded).ok()?;
    decoded.truncate(length);
    Some(decoded)
}

/// What the decoded header says; `None` if it is none.
pub(super) fn read(decoded: &[u8]) -> Option<Header<'_>> {
    let text = std::str::from_utf8(decoded).ok()?;
    let mut header = Header::default();
    serde::de::DeserializeSeed::deserialize(
        Object(&mut header),
        &mut serde_json::Deserializer::from_str(text),
    )
    .ok()?;
    Some(header)
}

impl<'de> Fields<'de> for Header<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            // Not `json::text`, for which "none" is a missing value.
            "alg" => {
                self.algorithm = match map.next_value::<Scalar<'_>>()? {
                    Scalar::Text(name) => JwtAlgorithm::of_name(&name),
                    Scalar::Missing => JwtAlgorithm::None,
                    _ => JwtAlgorithm::Other,
                }
            }
            "kid" => self.key_id = json::text(map)?,
            "jku" => self.jwks_url = json::text(map)?,
            "x5u" => self.certificate_url = json::text(map)?,
            "jwk" => {
                self.has_key = true;
                json::skip(map)?;
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl Header<'_> {
    /// Whether it sends the verifier elsewhere than to the host of `issuer` for the key.
    pub(super) fn points_elsewhere(&self, issuer: Option<&str>) -> bool {
        let home = issuer.and_then(host_of);
        [&self.jwks_url, &self.certificate_url]
            .into_iter()
            .flatten()
            .any(|url| {
                let host = host_of(url);
                host.is_none()
                    || home
                        .zip(host)
                        .is_none_or(|(a, b)| !a.eq_ignore_ascii_case(b))
            })
    }
}

/// The host of a URL, with its port.
fn host_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    (scheme.eq_ignore_ascii_case("https") && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, issuer: &str, want: bool) {
        let header = read(header.as_bytes()).expect("a header");
        assert_eq!(header.points_elsewhere(Some(issuer)), want, "{header:?}");
    }

    #[test]
    fn only_the_issuers_own_host_is_home() {
        let home = "https://id.example.com/realm";
        check(r#"{"alg":"RS256","kid":"1"}"#, home, false);
        check(r#"{"jku":"https://ID.example.com/keys"}"#, home, false);
        for url in [
            "https://evil.example/keys",
            "https://id.example.com@evil.example/keys",
            "https://id.example.com.evil.example/keys",
            "http://id.example.com/keys",
            "file:///dev/null",
        ] {
            check(&format!(r#"{{"x5u":"{url}"}}"#), home, true);
        }
        check(
            r#"{"jku":"https://id.example.com/keys"}"#,
            "id.example.com",
            true,
        );
    }

    #[test]
    fn the_algorithm_is_read_as_it_is_written() {
        for (header, want) in [
            (r#"{"alg":"RS256"}"#, JwtAlgorithm::RS256),
            (r#"{"alg":"none"}"#, JwtAlgorithm::None),
            (r#"{"alg":"NONE"}"#, JwtAlgorithm::None),
            (r#"{"alg":null}"#, JwtAlgorithm::None),
            (r#"{"alg":["RS256"]}"#, JwtAlgorithm::RS256),
            (r#"{"typ":"JWT"}"#, JwtAlgorithm::Unsaid),
        ] {
            let read = read(header.as_bytes()).expect("a header");
            assert_eq!(read.algorithm, want, "{header}");
        }
    }

    #[test]
    fn long_headers_are_read_and_endless_ones_are_not() {
        let long =
            |length: usize| URL_SAFE_NO_PAD.encode(format!("{{\"a\":\"{}\"}}", "x".repeat(length)));
        assert!(decode(&long(4_000)).is_some_and(|decoded| read(&decoded).is_some()));
        assert!(decode(&long(20_000)).is_none());
    }
}
