//! The access event: one API call as a gateway logged it, normalised.
//!
//! Texts borrow from the record they were decoded from, so an event costs no allocation in the steady state. What is
//! unknown is absent, never `""` or `"-"`. A raw token is never part of an event.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{EventFlags, Format, JwtUse, Origin, Outcome, Timestamp, TokenId};

/// A text that borrows from its record where it can.
pub type Text<'a> = Cow<'a, str>;

/// One API call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct AccessEvent<'a> {
    /// When the gateway received the call.
    pub ts: Timestamp,
    /// The format that it was decoded from.
    pub format: Format,
    /// The gateway's id of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Text<'a>>,
    /// The credential; absent when the call carried none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenUse<'a>>,
    /// Who called.
    #[serde(default)]
    pub client: Client<'a>,
    /// What was called.
    #[serde(default)]
    pub http: Http<'a>,
    /// The connection's TLS, where the gateway says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ConnectionTls<'a>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Facts that the decoder noticed.
    #[serde(default, skip_serializing_if = "EventFlags::is_empty")]
    pub flags: EventFlags,
    /// Where the record was read.
    #[serde(default)]
    pub origin: Origin<'a>,
}

/// A token as one call used it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct TokenUse<'a> {
    /// The stable identity that habits belong to.
    pub id: TokenId,
    /// What sort of credential.
    pub kind: TokenKind,
    /// The gateway's own name of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<Text<'a>>,
    /// One short-lived token of a grant, as a digest or the gateway's id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Text<'a>>,
    /// The consumer (application, user) that the gateway names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<Text<'a>>,
    /// The scopes granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Text<'a>>,
    /// The raw token's fingerprint where identity is the gateway's name: an alias of `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<TokenId>,
    /// When it was issued, where it says so itself (`iat`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// When it ends, where it says so itself (`exp`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What the decoder noticed about it, where it is a JWT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtUse>,
}

/// What sort of credential a token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A long-lived key.
    ApiKey,
    /// A JSON Web Token; habits belong to its grant.
    Jwt,
    /// A browser or OAuth session.
    Session,
    /// The log does not say.
    #[default]
    Unknown,
}

impl TokenKind {
    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Jwt => "jwt",
            Self::Session => "session",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a call came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Client<'a> {
    /// The address, after trusted proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// ISO 3166-1 alpha-2, upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// City, in the database's spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<Text<'a>>,
    /// Degrees north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// The autonomous system's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// The autonomous system's organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_org: Option<Text<'a>>,
    /// The user agent, scrubbed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Text<'a>>,
    /// The JA4 fingerprint of the TLS client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ja4: Option<Text<'a>>,
}

/// What was called and what came back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Http<'a> {
    /// The method, upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Text<'a>>,
    /// The host that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Text<'a>>,
    /// The path without its query, scrubbed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Text<'a>>,
    /// The gateway's route: its template or its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Text<'a>>,
    /// The status sent to the client; absent when none was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Bytes received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_in: Option<u64>,
    /// Bytes sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// Milliseconds from the first byte in to the last byte out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
}

/// The TLS of a connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct ConnectionTls<'a> {
    /// `1.3`, `1.2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text<'a>>,
}

/// A country, as ISO 3166-1 alpha-2 in upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// The country that `code` names, in either case; `None` if it is not two ASCII letters.
    pub fn parse(code: &str) -> Option<Self> {
        let &[a, b] = code.as_bytes() else {
            return None;
        };
        (a.is_ascii_alphabetic() && b.is_ascii_alphabetic())
            .then(|| Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for CountryCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CountryCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&code).ok_or_else(|| serde::de::Error::custom("a country is two letters"))
    }
}
