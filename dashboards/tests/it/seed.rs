//! Rows to ask about: two tokens' calls, findings of each severity, and what was done about them.

use std::borrow::Cow;
use std::time::Duration;

use tokenwatch_model::{
    AccessEvent, Client, CountryCode, Detector, EventFlags, Evidence, Family, FamilyEvidence,
    Finding, FindingId, FindingStatus, FindingToken, Format, Http, Incident, Notification,
    NotificationResult, Origin, Outcome, Response, ResponseAction, ResponseDetails, ResponseMode,
    ResponseResult, Severity, Signal, Subject, SubjectKind, Timestamp, TokenId, TokenKind,
    TokenUse,
};

use crate::console::{Console, NOON};

/// The token with most calls and every finding.
pub(crate) const BUSY: TokenId = TokenId::from_bits(1);
/// The token with one call a minute.
pub(crate) const QUIET: TokenId = TokenId::from_bits(2);
/// The incident of the two gravest findings.
pub(crate) const INCIDENT: &str = "inc_00000000000000000000000001";

pub(crate) fn ago(secs: u64) -> Timestamp {
    Timestamp::from_secs(NOON) - Duration::from_secs(secs)
}

/// One call of [`BUSY`], `index` seconds before noon.
pub(crate) fn call(token: TokenId, offset: i64, ts: Timestamp) -> AccessEvent<'static> {
    let text = |text: &str| Some(Cow::Owned(text.to_owned()));
    let denied = offset % 10 == 0;
    AccessEvent {
        ts,
        format: Format::Kong,
        request_id: text(&format!("req-{offset}")),
        token: Some(TokenUse {
            id: token,
            kind: TokenKind::ApiKey,
            credential_id: text("cred-1"),
            instance: None,
            consumer: text("acme"),
            scopes: vec![Cow::Borrowed("orders:read")],
            fingerprint: None,
            issued_at: None,
            expires_at: None,
            jwt: None,
        }),
        client: Client {
            ip: Some("203.0.113.7".parse().unwrap()),
            country: CountryCode::parse("DE"),
            city: text("Berlin"),
            latitude: Some(52.52),
            longitude: Some(13.405),
            asn: Some(3_320),
            as_org: text("Deutsche Telekom AG"),
            user_agent: text("acme-sdk/2.1"),
            ja4: None,
        },
        http: Http {
            method: text(if denied { "DELETE" } else { "GET" }),
            host: text("api.example.com"),
            path: text(&format!("/v1/orders/{offset}")),
            route: text("/v1/orders/{id}"),
            status: Some(if denied { 403 } else { 200 }),
            bytes_in: Some(412),
            bytes_out: Some(1_873),
            latency_ms: Some(34.5),
        },
        tls: None,
        outcome: if denied { Outcome::Denied } else { Outcome::Ok },
        flags: EventFlags::default(),
        origin: Origin {
            gateway: None,
            topic: text("gateway.access"),
            partition: Some(0),
            offset: Some(offset),
            index: 0,
        },
    }
}

pub(crate) fn finding(index: u8, severity: Severity, status: FindingStatus) -> Finding {
    let at = ago(600 - u64::from(index) * 60);
    let token = BUSY.to_string();
    Finding {
        id: FindingId::of_episode("failure_burst", &token, at.as_micros()),
        revision: 1,
        detector: Detector::FailureBurst,
        severity,
        confidence: 0.93,
        status,
        evidence_db: 24.5,
        subject: Subject {
            kind: SubjectKind::Token,
            id: token,
        },
        token: Some(FindingToken {
            id: BUSY,
            credential_id: Some("cred-1".to_owned()),
            consumer: Some("acme".to_owned()),
            owner: None,
            team: None,
            environment: None,
        }),
        first_event_at: at - Duration::from_secs(30),
        last_event_at: at,
        detected_at: at,
        event_count: 31,
        summary: format!("Burst {index}: 3 of 31 calls of the key of acme were refused"),
        evidence: Evidence {
            observed: Some(3.0),
            expected: Some(0.1),
            source_ips: vec!["203.0.113.7".to_owned()],
            ..Evidence::default()
        },
        incident_id: (index >= 3).then(|| INCIDENT.to_owned()),
        attack: vec!["T1110".to_owned()],
        owasp: vec!["API2:2023".to_owned()],
    }
}

/// One finding of each severity, mildest and oldest first; all but the mildest are open.
pub(crate) fn findings() -> Vec<Finding> {
    (0..)
        .zip(Severity::ALL)
        .map(|(index, severity)| {
            let status = if index == 0 {
                FindingStatus::Closed
            } else {
                FindingStatus::Open
            };
            finding(index, severity, status)
        })
        .collect()
}

/// The newest version of [`INCIDENT`].
pub(crate) fn incident() -> Incident {
    let findings = &findings()[3..];
    Incident {
        id: INCIDENT.to_owned(),
        revision: 2,
        status: FindingStatus::Open,
        severity: Severity::Critical,
        confidence: 0.99,
        evidence_db: 31.5,
        subject: findings[0].subject.clone(),
        token: findings[0].token.clone(),
        first_event_at: findings[0].first_event_at,
        last_event_at: findings[1].last_event_at,
        detected_at: findings[0].detected_at,
        detectors: vec![Detector::FailureBurst],
        evidence: vec![FamilyEvidence {
            family: Family::Abuse,
            detector: Detector::FailureBurst,
            db: 31.5,
            hard: true,
        }],
        finding_ids: findings.iter().map(|finding| finding.id).collect(),
        summary: "The key of acme: two failure bursts".to_owned(),
    }
}

/// Ten minutes of [`BUSY`] at a call a second and [`QUIET`] at a call a minute, five findings, one response.
pub(crate) async fn fill(console: &Console) {
    let busy = (1..=600).map(|second| call(BUSY, second, ago(second.unsigned_abs())));
    let quiet =
        (1..=10).map(|minute| call(QUIET, 1_000 + minute * 7, ago(60 * minute.unsigned_abs())));
    let events: Vec<_> = busy.chain(quiet).collect();
    console.store.insert_events(&events).await.unwrap();
    let findings = findings();
    console.store.insert_findings(&findings).await.unwrap();
    let first = Incident {
        revision: 1,
        status: FindingStatus::Closed,
        ..incident()
    };
    console
        .store
        .insert_incidents(&[first, incident()])
        .await
        .unwrap();
    let worst = &findings[4];
    let signal = Signal {
        ts: worst.detected_at,
        detector: worst.detector,
        subject: worst.subject.clone(),
        token: worst.token.clone(),
        evidence_db: 24.5,
        summary: "3 of 31 calls were refused".to_owned(),
        evidence: Evidence::default(),
        finding_id: Some(worst.id),
    };
    console.store.insert_signals(&[signal]).await.unwrap();
    let notification = Notification {
        id: "msg_1".to_owned(),
        finding_id: worst.id,
        receiver: "on-call".to_owned(),
        channel: "webhook".to_owned(),
        occasion: "opened".to_owned(),
        group: String::new(),
        step: 0,
        begun_at: worst.detected_at,
        severity: worst.severity,
        at: worst.detected_at,
        attempts: 1,
        result: NotificationResult::Sent,
        reason: String::new(),
    };
    console
        .store
        .insert_notifications(&[notification])
        .await
        .unwrap();
    let response = Response {
        id: "rsp_1".to_owned(),
        finding_id: worst.id,
        token_id: BUSY,
        action: ResponseAction::Revoke,
        target: "gateway".to_owned(),
        mode: ResponseMode::Enforce,
        at: worst.detected_at,
        result: ResponseResult::Delivered,
        reason: String::new(),
        details: ResponseDetails::default(),
    };
    console.store.insert_responses(&[response]).await.unwrap();
}
