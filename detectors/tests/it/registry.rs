//! What the registry adds to the engine's promises: restored in the middle it goes on as if nothing had been, and advice
//! never pages.

use std::sync::Arc;

use tokenwatch_detectors::{Detections, Engine, Registry};
use tokenwatch_model::{
    CountryCode, Detector, Registration, RegistryKey, Severity, Timestamp, TokenClass, TokenId,
};

use crate::support::{Call, DAY, MONDAY, last_versions, settings};

fn registry(entry: Registration) -> Arc<Registry> {
    let mut registry = Registry::default();
    let key = RegistryKey::Token(TokenId::from_bits(1));
    registry.put(&key, Timestamp::default(), Some(entry));
    Arc::new(registry)
}

/// An old token with a small quota that is used from elsewhere, out of scope and against the law of its registration.
fn grave() -> (Arc<Registry>, Vec<Call>, &'static str) {
    let entry = Registration {
        owner: Some("Ada".to_owned()),
        class: TokenClass::Privileged,
        allowed_networks: vec!["192.0.2.0/24".parse().expect("a network")],
        allowed_countries: CountryCode::parse("de").into_iter().collect(),
        created: Some(Timestamp::from_secs(MONDAY - 400 * DAY)),
        revoked: Some(Timestamp::from_secs(MONDAY + 12 * DAY)),
        quota: "60/day".parse().ok(),
        ..Registration::default()
    };
    let mut calls = Vec::new();
    for minute in 0..13 * 24 * 6 {
        calls.push(Call {
            at_ms: (MONDAY + minute * 600) * 1_000,
            ..Call::default()
        });
    }
    for number in 0..40 {
        calls.push(Call {
            at_ms: (MONDAY + 13 * DAY + number * 20) * 1_000,
            ip: [203, 0, 113, 9],
            place: Some(("BR", 28_573)),
            agent: "python-requests/2.32",
            path: format!("/admin/users/{number}"),
            ..Call::default()
        });
    }
    let config = "[[out_of_scope.policies]]\nconsumers = [\"acme\"]\nallow = [{ routes = [\"/v1/{*rest}\"] }]\n";
    (registry(entry), calls, config)
}

#[test]
fn restored_anywhere_it_goes_on_as_if_nothing_had_been() {
    let (registry, calls, config) = grave();
    let events: Vec<_> = calls.iter().map(Call::event).collect();
    let mut whole = Detections::default();
    let mut engine = Engine::new(settings(config));
    engine.set_registry(Arc::clone(&registry));
    engine.process(&events, &mut whole);
    engine.finish(&mut whole);
    for cut in [1, 59, 60, 700, events.len() - 20] {
        let mut parts = Detections::default();
        let mut before = Engine::new(settings(config));
        before.set_registry(Arc::clone(&registry));
        before.process(&events[..cut], &mut parts);
        let delta = before.checkpoint();
        let tokens = delta.tokens.iter().map(|token| (token.id, &*token.state));
        let mut after = Engine::restore(settings(config), Some(&delta.engine_state), tokens)
            .expect("its own state");
        after.set_registry(Arc::clone(&registry));
        after.process(&events[cut..], &mut parts);
        after.finish(&mut parts);
        assert_eq!(parts.findings, whole.findings, "cut at {cut}");
        assert_eq!(parts.signals, whole.signals, "cut at {cut}");
    }
}

#[test]
fn advice_never_pages_and_weighs_nothing_however_much_speaks_against_the_token() {
    let (registry, calls, config) = grave();
    let events: Vec<_> = calls.iter().map(Call::event).collect();
    let mut out = Detections::default();
    let mut engine = Engine::new(settings(config));
    engine.set_registry(registry);
    engine.process(&events, &mut out);
    engine.finish(&mut out);
    let findings = last_versions(&out.findings);
    assert!(
        findings
            .iter()
            .any(|finding| finding.severity >= Severity::High),
        "it is grave"
    );
    for advice in [
        Detector::LongLivedToken,
        Detector::RotationOverdue,
        Detector::QuotaApproach,
    ] {
        let told: Vec<_> = findings.iter().filter(|f| f.detector == advice).collect();
        assert!(!told.is_empty(), "{advice}");
        for finding in told {
            assert!(finding.severity <= Severity::Low, "{}", finding.summary);
            assert!(finding.evidence_db == 0.0, "{}", finding.summary);
        }
    }
    assert!(
        findings
            .iter()
            .all(|finding| finding.token.as_ref().and_then(|t| t.owner.as_deref()) == Some("Ada"))
    );
}

#[test]
fn no_machine_may_act_on_a_protected_token() {
    let (_, calls, config) = grave();
    let events: Vec<_> = calls.iter().map(Call::event).collect();
    let worst = |protected| {
        let entry = Registration {
            allowed_networks: vec!["192.0.2.0/24".parse().expect("a network")],
            revoked: Some(Timestamp::from_secs(MONDAY + 12 * DAY + 43_200)),
            protected,
            ..Registration::default()
        };
        let mut out = Detections::default();
        let mut engine = Engine::new(settings(config));
        engine.set_registry(registry(entry));
        engine.process(&events, &mut out);
        engine.finish(&mut out);
        crate::support::worst(&out.findings)
    };
    assert_eq!(worst(false), Some(Severity::Critical));
    assert_eq!(worst(true), Some(Severity::High));
}
