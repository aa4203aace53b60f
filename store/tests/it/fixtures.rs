//! Events, findings and checkpoints to store, and ways to look at what is stored.

use std::borrow::Cow;

use tokenwatch_model::{
    AccessEvent, Client, CountryCode, Detector, EventFlag, EventFlags, Evidence, Finding,
    FindingId, FindingStatus, FindingToken, Format, Http, Origin, Outcome, Position, Severity,
    StreamId, Subject, SubjectKind, Timestamp, TokenId, TokenKind, TokenProfile, TokenUse,
};
use tokenwatch_store::testing::TestStore;

/// 2026-11-22T06:40:00Z, which is what the tests' clock says.
pub(crate) const NOW_SECS: i64 = 1_795_329_600;
pub(crate) const TOPIC: &str = "gateway.access";

pub(crate) fn event(offset: i64) -> AccessEvent<'static> {
    AccessEvent {
        ts: Timestamp::from_secs(NOW_SECS - 100_000)
            + std::time::Duration::from_millis(offset as u64),
        format: Format::Kong,
        request_id: Some(format!("request-{offset}").into()),
        token: Some(TokenUse {
            id: token(offset % 7),
            kind: TokenKind::ApiKey,
            credential_id: Some("5cbc".into()),
            instance: None,
            consumer: Some("acme".into()),
            scopes: vec!["orders:read".into()],
            fingerprint: Some(TokenId::from_bits(99)),
            issued_at: None,
            expires_at: None,
            jwt: Some(tokenwatch_model::JwtUse {
                algorithm: tokenwatch_model::JwtAlgorithm::RS256,
                issuer: 7,
                facts: [tokenwatch_model::JwtFact::MissingEnd]
                    .into_iter()
                    .collect(),
            }),
        }),
        client: Client {
            ip: Some("203.0.113.7".parse().unwrap()),
            country: CountryCode::parse("DE"),
            city: Some("Köln".into()),
            latitude: Some(50.9375),
            longitude: Some(6.9603),
            asn: Some(3320),
            as_org: Some("Deutsche Telekom AG".into()),
            user_agent: Some("acme-sdk/2.1 'quoted'".into()),
            ja4: None,
        },
        http: Http {
            method: Some("GET".into()),
            host: Some("api.example.com".into()),
            path: Some(format!("/v1/orders/{offset}").into()),
            route: Some("/v1/orders/{id}".into()),
            status: Some(200),
            bytes_in: Some(412),
            bytes_out: Some(1873),
            latency_ms: Some(34.125),
        },
        tls: None,
        outcome: if offset % 10 == 0 {
            Outcome::Denied
        } else {
            Outcome::Ok
        },
        flags: flags(),
        origin: origin(offset),
    }
}

/// An event of which the log said nothing but when.
pub(crate) fn bare_event(offset: i64) -> AccessEvent<'static> {
    AccessEvent {
        request_id: None,
        token: None,
        client: Client::default(),
        http: Http::default(),
        flags: EventFlags::default(),
        outcome: Outcome::Aborted,
        ..event(offset)
    }
}

pub(crate) fn origin(offset: i64) -> Origin<'static> {
    Origin {
        gateway: Some("kong-1".into()),
        topic: Some(Cow::Borrowed(TOPIC)),
        partition: Some(3),
        offset: Some(offset),
        index: 0,
    }
}

pub(crate) fn position(next_offset: i64) -> Position {
    Position {
        stream: StreamId {
            topic: TOPIC.to_owned(),
            partition: 3,
        },
        next_offset,
    }
}

pub(crate) fn token(number: i64) -> TokenId {
    TokenId::from_bits(number as u128 + 1)
}

pub(crate) fn profile(id: TokenId, days: u32) -> TokenProfile {
    TokenProfile {
        token_id: id,
        first_seen: Timestamp::from_secs(NOW_SECS - 1_000),
        last_seen: Timestamp::from_secs(NOW_SECS),
        baseline_days: days,
        mature: false,
        weekday_hourly: vec![0.5; 24],
        weekend_hourly: vec![0.25; 24],
        peaks: Vec::new(),
        places: Vec::new(),
    }
}

pub(crate) fn finding(revision: u32) -> Finding {
    let id = token(1);
    Finding {
        id: FindingId::from_bits(5),
        revision,
        detector: Detector::RateSpike,
        severity: Severity::High,
        confidence: 0.93,
        status: FindingStatus::Open,
        evidence_db: 24.5,
        subject: Subject {
            kind: SubjectKind::Token,
            id: id.to_string(),
        },
        token: Some(FindingToken {
            id,
            credential_id: None,
            consumer: Some("acme".into()),
            owner: None,
            team: None,
            environment: None,
        }),
        first_event_at: Timestamp::from_secs(NOW_SECS - 60),
        last_event_at: Timestamp::from_secs(NOW_SECS),
        detected_at: Timestamp::from_secs(NOW_SECS),
        event_count: u64::from(revision) * 10,
        summary: "Too many calls".into(),
        evidence: Evidence::default(),
        incident_id: None,
        attack: vec!["T1550.001".into()],
        owasp: Vec::new(),
    }
}

/// The one number that `sql` selects.
pub(crate) async fn count(test: &TestStore, sql: &str) -> i64 {
    let sql = format!("SELECT toInt64(x) FROM ({sql})");
    test.client().query(&sql).fetch_one::<i64>().await.unwrap()
}

fn flags() -> EventFlags {
    let mut flags = EventFlags::default();
    flags.insert(EventFlag::TokenInUrl);
    flags
}
