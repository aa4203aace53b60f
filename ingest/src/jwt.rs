//! Reads the claims of a JSON Web Token without verifying it: the gateway did, or refused it.
//!
//! Claims make the identity of the grant behind short-lived tokens; the token itself is never kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::MapAccess;
use tokenwatch_model::{Text, Timestamp};

use crate::credentials::Grant;
use crate::json::{self, Fields, Object};

/// Longer payloads are not read: headers of 16 KiB are more than any gateway takes.
const PAYLOAD_LIMIT_BYTES: usize = 16 * 1_024;

/// The claims of a token, owned: the decoded payload does not outlive this.
pub(crate) fn claims(token: &str) -> Option<Grant<'static>> {
    let (header, rest) = token.split_once('.')?;
    let payload = rest.split_once('.').map_or(rest, |(payload, _)| payload);
    if !header.starts_with("eyJ") || payload.len() > PAYLOAD_LIMIT_BYTES {
        return None;
    }
    let decoded = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let mut claims = Claims::default();
    serde::de::DeserializeSeed::deserialize(
        Object(&mut claims),
        &mut serde_json::Deserializer::from_str(text),
    )
    .ok()?;
    Some(claims.0.into_owned())
}

#[derive(Default)]
struct Claims<'a>(Grant<'a>);

impl<'de> Fields<'de> for Claims<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.0.claim(key, map)
    }
}

impl<'a> Grant<'a> {
    /// Takes the claim `name`.
    pub(crate) fn claim<A: MapAccess<'a>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        if !is_known(name) {
            return json::skip(map);
        }
        if let Some(value) = json::text(map)? {
            self.claim_text(name, value);
        }
        Ok(())
    }

    /// Takes the value of the claim `name`.
    pub(crate) fn claim_text(&mut self, name: &str, value: Text<'a>) {
        match name {
            _ if json::is_missing(&value) => {}
            "iss" => self.issuer = Some(value),
            "sub" => self.subject = Some(value),
            "client_id" => self.client = Some(value),
            "azp" | "cid" | "appid" => {
                self.client.get_or_insert(value);
            }
            "jti" => self.instance = Some(value),
            "scope" | "scp" | "scopes" => self.scopes = Some(value),
            "iat" => self.issued_at = moment(&value),
            "exp" => self.expires_at = moment(&value),
            _ => {}
        }
    }
}

fn is_known(claim: &str) -> bool {
    matches!(
        claim,
        "iss"
            | "sub"
            | "client_id"
            | "azp"
            | "cid"
            | "appid"
            | "jti"
            | "scope"
            | "scp"
            | "scopes"
            | "iat"
            | "exp"
    )
}

/// A `NumericDate` of RFC 7519: seconds since 1970, perhaps with a fraction. Anything else says nothing, and so do times
/// that no token has.
fn moment(text: &str) -> Option<Timestamp> {
    /// 2001-09-09 to 2286-11-20: ten digits.
    const CREDIBLE: std::ops::Range<f64> = 1e9..1e10;
    let seconds: f64 = text.trim().parse().ok()?;
    CREDIBLE
        .contains(&seconds)
        .then(|| Timestamp::from_micros((seconds * 1e6) as i64))
}

impl Grant<'_> {
    /// The same, borrowing nothing.
    fn into_owned(self) -> Grant<'static> {
        let own = |text: Option<Text<'_>>| text.map(|text| text.into_owned().into());
        Grant {
            issuer: own(self.issuer),
            subject: own(self.subject),
            client: own(self.client),
            instance: own(self.instance),
            scopes: own(self.scopes),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJub25lIn0.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn claims_are_read_whatever_their_types() {
        let claims = claims(&token(
            r#"{"iss":"https://id","sub":17,"azp":"app","scp":["a","b"],"jti":"j"}"#,
        ))
        .unwrap();
        assert_eq!(claims.issuer.as_deref(), Some("https://id"));
        assert_eq!(claims.subject.as_deref(), Some("17"));
        assert_eq!(claims.client.as_deref(), Some("app"));
        assert_eq!(claims.scopes.as_deref(), Some("a, b"));
        assert_eq!(claims.instance.as_deref(), Some("j"));
    }

    #[test]
    fn the_span_of_a_token_is_read_as_its_numeric_dates() {
        let span = |text: &str| {
            let claims = claims(&token(text)).unwrap();
            (
                claims.issued_at.map(Timestamp::as_micros),
                claims.expires_at.map(Timestamp::as_micros),
            )
        };
        for (text, want) in [
            (
                r#"{"sub":"s","iat":1795329600,"exp":1795333200.5}"#,
                (Some(1_795_329_600_000_000), Some(1_795_333_200_500_000)),
            ),
            (
                r#"{"sub":"s","exp":"1795333200"}"#,
                (None, Some(1_795_333_200_000_000)),
            ),
            (r#"{"sub":"s","iat":17,"exp":"tomorrow"}"#, (None, None)),
            (r#"{"sub":"s","exp":1795333200000}"#, (None, None)),
        ] {
            assert_eq!(span(text), want, "{text}");
        }
    }

    #[test]
    fn the_signature_may_have_been_stripped() {
        let token = token(r#"{"sub":"s"}"#);
        let stripped = token.trim_end_matches(".sig");
        assert_eq!(claims(stripped).unwrap().subject.as_deref(), Some("s"));
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        for token in [
            "",
            "eyJ",
            "eyJ.",
            "eyJ.!!.",
            "a.b.c",
            "eyJhbGciOiJub25lIn0.bm90IGpzb24.x",
        ] {
            assert!(claims(token).is_none(), "{token}");
        }
    }
}
