//! The central case: a key is stolen, used from elsewhere while its owner goes on, and probes what it may not call.

use tokenwatch_model::{Detector, Severity};

use crate::support::{Call, DAY, MONDAY, history, last_versions, replay, worst};

const POLICY: &str = r#"
[[out_of_scope.policies]]
consumers = ["acme"]
allow = [{ methods = ["GET", "POST"], routes = ["/v1/orders/{*rest}"] }]
"#;

/// Until Wednesday of the third week, 10:00.
const THEFT: i64 = MONDAY + 16 * DAY + 10 * 3_600;

/// The thief's call number `number`, one every two seconds: three reads, then one probe of an administration route for
/// each order that it has no right to.
fn thief(number: i64) -> Call {
    let (path, status) = match number {
        0..=2 => (format!("/v1/orders/{number}"), 200),
        n if n % 2 == 1 => (format!("/admin/users/{n}"), 403),
        n => (format!("/v1/orders/{n}/refunds"), 403),
    };
    Call {
        at_ms: (THEFT + 2 * number) * 1_000,
        ip: [203, 0, 113, 9],
        place: Some(("BR", 28_573)),
        agent: "curl/8.5.0",
        path,
        status,
        ..Call::default()
    }
}

fn with_owner(thief_calls: impl Iterator<Item = Call>, owner_goes_on: bool) -> Vec<Call> {
    let owner = Call::default();
    let mut calls = history(&owner, 16, 20, THEFT);
    let mut attack: Vec<Call> = thief_calls.collect();
    if owner_goes_on {
        attack.extend((0..10).map(|n| Call {
            at_ms: (THEFT + 7 + 20 * n) * 1_000,
            ..owner.clone()
        }));
    }
    attack.sort_by_key(|call| call.at_ms);
    calls.extend(attack);
    calls
}

#[test]
fn a_stolen_key_is_critical_within_its_first_tens_of_calls() {
    let calls = with_owner((0..60).map(thief), true);
    let out = replay(POLICY, &calls);
    let critical = out
        .findings
        .iter()
        .find(|finding| finding.severity == Severity::Critical)
        .expect("a critical finding");
    let thief_calls = (critical.last_event_at.as_secs() - THEFT) / 2 + 1;
    assert!(thief_calls <= 40, "after {thief_calls} calls of the thief");
    assert!(
        critical.summary.contains("from the same token"),
        "{}",
        critical.summary
    );
    assert!(critical.evidence_db >= 90.0);

    let findings = last_versions(&out.findings);
    let detectors: Vec<Detector> = findings.iter().map(|finding| finding.detector).collect();
    for detector in [
        Detector::NewGeography,
        Detector::FailureBurst,
        Detector::OutOfScope,
    ] {
        assert!(detectors.contains(&detector), "{detector} in {detectors:?}");
    }
    assert!(
        findings
            .iter()
            .all(|finding| finding.incident_id == critical.incident_id)
    );
    assert!(findings.iter().all(|finding| finding.incident_id.is_some()));
}

#[test]
fn nothing_is_critical_before_the_baseline_is_a_week_old() {
    let mut calls = with_owner((0..60).map(thief), true);
    calls.retain(|call| call.at_ms >= (THEFT - 5 * DAY) * 1_000);
    let out = replay(POLICY, &calls);
    assert_eq!(worst(&out.findings), Some(Severity::High));
}

#[test]
fn reading_from_elsewhere_while_the_owner_goes_on_is_medium_within_twenty_calls() {
    let reads = (0..20).map(|number| Call {
        status: 200,
        path: format!("/v1/orders/{number}"),
        ..thief(number)
    });
    let out = replay(POLICY, &with_owner(reads, true));
    assert_eq!(worst(&out.findings), Some(Severity::Medium));
    let finding = last_versions(&out.findings).pop().expect("one");
    assert_eq!(finding.detector, Detector::ConcurrentUse);
    assert_eq!(finding.event_count, 20);
    assert!(
        finding.summary.contains("two parties"),
        "{}",
        finding.summary
    );
}

#[test]
fn a_move_to_another_country_is_one_low_finding() {
    let reads = (0..200).map(|number| Call {
        at_ms: (THEFT + 60 * number) * 1_000,
        status: 200,
        agent: "acme-sdk/2.1",
        path: "/v1/orders/1".to_owned(),
        ..thief(0)
    });
    let out = replay(POLICY, &with_owner(reads, false));
    let findings = last_versions(&out.findings);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        (findings[0].detector, findings[0].severity),
        (Detector::NewGeography, Severity::Low)
    );
}
