use super::*;
use crate::testing::{NOW, finding, revised, settings};

const DAY: Duration = Duration::from_hours(24);

/// Two receivers: `ops` from medium on, which is told of ends; `acme` for one consumer's high ones.
fn routing() -> Routing {
    settings(
        r#"
        [[receivers]]
        kind = "log"
        name = "ops"
        send_closed = true
        [[receivers]]
        kind = "log"
        name = "acme"
        [[routes]]
        severity = "medium"
        receivers = ["ops"]
        [[routes]]
        severity = "high"
        detectors = ["rate_spike", "failure_burst"]
        consumers = ["acme"]
        receivers = ["acme", "ops"]
        "#,
    )
    .routing
}

fn line(
    finding: &Finding,
    receiver: &str,
    occasion: Occasion,
    result: NotificationResult,
) -> Notification {
    Notification {
        id: notification_id(finding.id, receiver, occasion, finding.severity),
        finding_id: finding.id,
        receiver: receiver.to_owned(),
        channel: "log".to_owned(),
        severity: finding.severity,
        at: NOW,
        attempts: 1,
        result,
        reason: String::new(),
    }
}

/// The decisions that are not skips, as `receiver occasion action reason`, separated by commas.
fn decided(finding: &Finding, lines: &[Notification]) -> String {
    let routing = routing();
    let decisions = decide(finding, lines, &routing, NOW, DAY);
    let told: Vec<String> = decisions
        .iter()
        .filter(|decision| decision.action != Action::Skip)
        .map(|decision| {
            format!(
                "{} {} {:?} {}",
                routing.receivers[decision.receiver].name,
                decision.occasion.name(),
                decision.action,
                decision.reason.name()
            )
        })
        .collect();
    told.join(", ")
}

#[test]
fn a_finding_goes_once_to_every_receiver_that_a_route_names() {
    assert_eq!(
        decided(&finding(1), &[]),
        "ops opened Send first_match, acme opened Send first_match"
    );
}

#[test]
fn routes_match_by_severity_detector_and_consumer() {
    let mut other_consumer = finding(1);
    other_consumer.token.as_mut().expect("a token").consumer = Some("umbrella".to_owned());
    assert_eq!(decided(&other_consumer, &[]), "ops opened Send first_match");

    let mut without_token = finding(1);
    without_token.token = None;
    assert_eq!(decided(&without_token, &[]), "ops opened Send first_match");

    let mut other_detector = finding(1);
    other_detector.detector = tokenwatch_model::Detector::OutOfScope;
    assert_eq!(decided(&other_detector, &[]), "ops opened Send first_match");

    let mild = revised(&finding(1), Severity::Low);
    assert_eq!(decided(&mild, &[]), "");
}

#[test]
fn a_token_is_matched_by_its_id_or_its_credential() {
    for name in ["tok_00000000000000000000000001", "5cbc"] {
        let matcher = Matcher {
            severity: Severity::Low,
            detectors: Vec::new(),
            consumers: Vec::new(),
            tokens: vec![name.to_owned()],
            receivers: vec![0],
        };
        assert!(matcher.matches(&finding(1)), "{name}");
    }
    let matcher = Matcher {
        severity: Severity::Low,
        detectors: Vec::new(),
        consumers: Vec::new(),
        tokens: vec!["another".to_owned()],
        receivers: vec![0],
    };
    assert!(!matcher.matches(&finding(1)));
}

#[test]
fn a_further_version_of_an_announced_finding_is_no_news() {
    for result in [NotificationResult::Sent, NotificationResult::Failed] {
        let lines = [
            line(&finding(1), "ops", Occasion::Opened, result),
            line(&finding(1), "acme", Occasion::Opened, result),
        ];
        let next = revised(&finding(1), Severity::High);
        assert_eq!(decided(&next, &lines), "", "{result:?}");
        let milder = revised(&finding(1), Severity::Medium);
        assert_eq!(decided(&milder, &lines), "", "{result:?}");
    }
}

#[test]
fn a_finding_that_became_graver_is_announced_again() {
    let lines = [
        line(
            &finding(1),
            "ops",
            Occasion::Opened,
            NotificationResult::Sent,
        ),
        line(
            &finding(1),
            "acme",
            Occasion::Opened,
            NotificationResult::Sent,
        ),
    ];
    let graver = revised(&finding(1), Severity::Critical);
    assert_eq!(
        decided(&graver, &lines),
        "ops escalated Send severity_rose, acme escalated Send severity_rose"
    );
}

#[test]
fn a_route_that_wants_a_finding_later_opens_it_for_its_receiver() {
    let medium = revised(&finding(1), Severity::Medium);
    let lines = [line(
        &medium,
        "ops",
        Occasion::Opened,
        NotificationResult::Sent,
    )];
    assert_eq!(
        decided(&revised(&medium, Severity::High), &lines),
        "ops escalated Send severity_rose, acme opened Send first_match"
    );
}

#[test]
fn an_end_is_told_once_and_only_to_who_asked_for_it() {
    let mut closed = finding(1);
    closed.status = FindingStatus::Closed;
    let mut lines = vec![
        line(&closed, "ops", Occasion::Opened, NotificationResult::Sent),
        line(&closed, "acme", Occasion::Opened, NotificationResult::Sent),
    ];
    assert_eq!(decided(&closed, &lines), "ops closed Send episode_ended");
    lines.push(line(
        &closed,
        "ops",
        Occasion::Closed,
        NotificationResult::Sent,
    ));
    assert_eq!(decided(&closed, &lines), "");
}

#[test]
fn a_finding_that_is_over_before_anybody_heard_of_it_is_announced_all_the_same() {
    let mut closed = finding(1);
    closed.status = FindingStatus::Closed;
    assert_eq!(
        decided(&closed, &[]),
        "ops opened Send first_match, ops closed Send episode_ended, acme opened Send first_match"
    );
}

#[test]
fn what_a_dead_process_had_begun_is_sent_again() {
    let lines = [
        line(
            &finding(1),
            "ops",
            Occasion::Opened,
            NotificationResult::Sending,
        ),
        line(
            &finding(1),
            "acme",
            Occasion::Opened,
            NotificationResult::Sent,
        ),
    ];
    assert_eq!(decided(&finding(1), &lines), "ops opened Send unfinished");
}

#[test]
fn old_findings_are_recorded_once_and_not_announced() {
    let mut old = finding(1);
    old.last_event_at = NOW - DAY - Duration::from_secs(1);
    assert_eq!(
        decided(&old, &[]),
        "ops opened Mute too_old, acme opened Mute too_old"
    );
    let mut lines = [
        line(&old, "ops", Occasion::Opened, NotificationResult::Muted),
        line(&old, "acme", Occasion::Opened, NotificationResult::Muted),
    ];
    for line in &mut lines {
        line.reason = Reason::TooOld.name().to_owned();
    }
    assert_eq!(decided(&old, &lines), "");
    // The episode went on until a minute ago: now it is news.
    assert_eq!(
        decided(&finding(1), &lines),
        "ops opened Send first_match, acme opened Send first_match"
    );
}

#[test]
fn skips_have_a_reason_too() {
    let mild = revised(&finding(1), Severity::Low);
    let reasons: Vec<Reason> = decide(&mild, &[], &routing(), NOW, DAY)
        .iter()
        .map(|decision| decision.reason)
        .collect();
    assert_eq!(reasons, [Reason::NoRoute, Reason::NoRoute]);
}
