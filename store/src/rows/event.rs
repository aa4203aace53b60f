//! The row of `events`, both ways.

use std::net::{IpAddr, Ipv6Addr};

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    AccessEvent, Client, ConnectionTls, CountryCode, EventFlag, EventFlags, Format, Http,
    JwtAlgorithm, JwtFact, JwtUse, Origin, Outcome, Text, Timestamp, TokenId, TokenKind, TokenUse,
};

use crate::error::StoreError;

/// Coordinates are stored as 32-bit floats; four decimals (11 m) are what the geo databases have.
const COORDINATE_STEPS: f64 = 10_000.0;

/// One row of `events`. Absent texts are empty, an absent address is `::`, status 0 and ASN 0 are absent.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct EventRow<'a> {
    pub ts: i64,
    pub format: &'a str,
    pub request_id: &'a str,
    #[serde(with = "optional_token")]
    pub token_id: Option<TokenId>,
    pub token_kind: i8,
    pub credential_id: &'a str,
    pub instance: &'a str,
    pub consumer: &'a str,
    #[serde(borrow)]
    pub scopes: Vec<&'a str>,
    #[serde(with = "optional_token")]
    pub fingerprint: Option<TokenId>,
    pub ip: Ipv6Addr,
    pub country: &'a str,
    pub city: &'a str,
    pub latitude: Option<f32>,
    pub longitude: Option<f32>,
    pub asn: u32,
    pub as_org: &'a str,
    pub user_agent: &'a str,
    pub ja4: &'a str,
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    pub route: &'a str,
    pub status: u16,
    pub bytes_in: Option<u64>,
    pub bytes_out: Option<u64>,
    pub latency_us: Option<u32>,
    pub tls_version: &'a str,
    pub outcome: i8,
    #[serde(borrow)]
    pub flags: Vec<&'a str>,
    pub gateway: &'a str,
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub record_index: u32,
    pub token_issued_at: i64,
    pub token_expires_at: i64,
    pub jwt_algorithm: &'a str,
    pub jwt_issuer: u32,
    #[serde(borrow)]
    pub jwt_facts: Vec<&'a str>,
}

impl<'a> EventRow<'a> {
    /// The row that stores `event`.
    pub fn of(event: &'a AccessEvent<'_>) -> Self {
        let token = event.token.as_ref();
        let jwt = token.and_then(|token| token.jwt).unwrap_or_default();
        let client = &event.client;
        let http = &event.http;
        Self {
            ts: event.ts.as_micros(),
            format: event.format.name(),
            request_id: text(event.request_id.as_ref()),
            token_id: token.map(|token| token.id),
            token_kind: kind_number(token.map_or(TokenKind::Unknown, |token| token.kind)),
            credential_id: text(token.and_then(|token| token.credential_id.as_ref())),
            instance: text(token.and_then(|token| token.instance.as_ref())),
            consumer: text(token.and_then(|token| token.consumer.as_ref())),
            scopes: token.map_or_else(Vec::new, |token| {
                token.scopes.iter().map(AsRef::as_ref).collect()
            }),
            fingerprint: token.and_then(|token| token.fingerprint),
            ip: client.ip.map_or(Ipv6Addr::UNSPECIFIED, to_ipv6),
            country: client.country.as_ref().map_or("", CountryCode::as_str),
            city: text(client.city.as_ref()),
            latitude: client.latitude.map(|degrees| degrees as f32),
            longitude: client.longitude.map(|degrees| degrees as f32),
            asn: client.asn.unwrap_or(0),
            as_org: text(client.as_org.as_ref()),
            user_agent: text(client.user_agent.as_ref()),
            ja4: text(client.ja4.as_ref()),
            method: text(http.method.as_ref()),
            host: text(http.host.as_ref()),
            path: text(http.path.as_ref()),
            route: text(http.route.as_ref()),
            status: http.status.unwrap_or(0),
            bytes_in: http.bytes_in,
            bytes_out: http.bytes_out,
            // The cast saturates: 71 minutes are the longest latency told apart.
            latency_us: http.latency_ms.map(|ms| (ms * 1_000.0).round() as u32),
            tls_version: text(event.tls.as_ref().and_then(|tls| tls.version.as_ref())),
            outcome: event.outcome as i8,
            flags: event.flags.iter().map(EventFlag::name).collect(),
            gateway: text(event.origin.gateway.as_ref()),
            topic: text(event.origin.topic.as_ref()),
            partition: event.origin.partition.unwrap_or(0),
            offset: event.origin.offset.unwrap_or(0),
            record_index: event.origin.index,
            token_issued_at: micros(token.and_then(|token| token.issued_at)),
            token_expires_at: micros(token.and_then(|token| token.expires_at)),
            jwt_algorithm: jwt.algorithm.name(),
            jwt_issuer: jwt.issuer,
            jwt_facts: jwt.facts.iter().map(JwtFact::name).collect(),
        }
    }

    /// The event that the row stores.
    pub fn to_event(&self) -> Result<AccessEvent<'static>, StoreError> {
        Ok(AccessEvent {
            ts: Timestamp::from_micros(self.ts),
            format: self.read_format()?,
            request_id: owned(self.request_id),
            token: self.token_id.map(|id| TokenUse {
                id,
                kind: kind_of_number(self.token_kind),
                credential_id: owned(self.credential_id),
                instance: owned(self.instance),
                consumer: owned(self.consumer),
                scopes: self
                    .scopes
                    .iter()
                    .filter_map(|scope| owned(scope))
                    .collect(),
                fingerprint: self.fingerprint,
                issued_at: moment(self.token_issued_at),
                expires_at: moment(self.token_expires_at),
                jwt: self.read_jwt(),
            }),
            client: Client {
                ip: (!self.ip.is_unspecified()).then(|| self.ip.to_canonical()),
                country: CountryCode::parse(self.country),
                city: owned(self.city),
                latitude: self.latitude.map(to_degrees),
                longitude: self.longitude.map(to_degrees),
                asn: (self.asn != 0).then_some(self.asn),
                as_org: owned(self.as_org),
                user_agent: owned(self.user_agent),
                ja4: owned(self.ja4),
            },
            http: Http {
                method: owned(self.method),
                host: owned(self.host),
                path: owned(self.path),
                route: owned(self.route),
                status: (self.status != 0).then_some(self.status),
                bytes_in: self.bytes_in,
                bytes_out: self.bytes_out,
                latency_ms: self.latency_us.map(|us| f64::from(us) / 1_000.0),
            },
            tls: owned(self.tls_version).map(|version| ConnectionTls {
                version: Some(version),
            }),
            outcome: self.read_outcome()?,
            flags: self.read_flags(),
            origin: Origin {
                gateway: owned(self.gateway),
                topic: owned(self.topic),
                partition: (!self.topic.is_empty()).then_some(self.partition),
                offset: (!self.topic.is_empty()).then_some(self.offset),
                index: self.record_index,
            },
        })
    }

    fn read_format(&self) -> Result<Format, StoreError> {
        Format::ALL
            .into_iter()
            .find(|format| format.name() == self.format)
            .ok_or_else(|| corrupt(format!("no format is called {:?}", self.format)))
    }

    fn read_outcome(&self) -> Result<Outcome, StoreError> {
        usize::try_from(self.outcome)
            .ok()
            .and_then(|number| Outcome::ALL.get(number).copied())
            .ok_or_else(|| corrupt(format!("no outcome has the number {}", self.outcome)))
    }

    fn read_jwt(&self) -> Option<JwtUse> {
        let mut facts = JwtFact::ALL.to_vec();
        facts.retain(|fact| self.jwt_facts.contains(&fact.name()));
        let jwt = JwtUse {
            algorithm: JwtAlgorithm::of_name(self.jwt_algorithm),
            issuer: self.jwt_issuer,
            facts: facts.into_iter().collect(),
        };
        (jwt != JwtUse::default()).then_some(jwt)
    }

    fn read_flags(&self) -> EventFlags {
        let mut flags = EventFlags::default();
        for flag in EventFlag::ALL {
            if self.flags.contains(&flag.name()) {
                flags.insert(flag);
            }
        }
        flags
    }
}

/// A token's id in a column of text: empty when there is none.
mod optional_token {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tokenwatch_model::TokenId;

    #[expect(clippy::ref_option, reason = "serde hands over a reference")]
    pub(super) fn serialize<S: Serializer>(
        id: &Option<TokenId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => id.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<TokenId>, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(serde::de::Error::custom)
    }
}

fn text<'a>(value: Option<&'a Text<'_>>) -> &'a str {
    value.map_or("", AsRef::as_ref)
}

/// A time that may be unknown, which is 1970 then.
fn micros(time: Option<Timestamp>) -> i64 {
    time.map_or(0, Timestamp::as_micros)
}

fn moment(micros: i64) -> Option<Timestamp> {
    (micros != 0).then(|| Timestamp::from_micros(micros))
}

fn owned(value: &str) -> Option<Text<'static>> {
    (!value.is_empty()).then(|| Text::Owned(value.to_owned()))
}

fn to_ipv6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn to_degrees(stored: f32) -> f64 {
    (f64::from(stored) * COORDINATE_STEPS).round() / COORDINATE_STEPS
}

/// The number in the column's `Enum8`.
const fn kind_number(kind: TokenKind) -> i8 {
    match kind {
        TokenKind::Unknown => 0,
        TokenKind::ApiKey => 1,
        TokenKind::Jwt => 2,
        TokenKind::Session => 3,
    }
}

const fn kind_of_number(number: i8) -> TokenKind {
    match number {
        1 => TokenKind::ApiKey,
        2 => TokenKind::Jwt,
        3 => TokenKind::Session,
        _ => TokenKind::Unknown,
    }
}

fn corrupt(detail: String) -> StoreError {
    StoreError::Corrupt {
        table: "events",
        detail,
    }
}
