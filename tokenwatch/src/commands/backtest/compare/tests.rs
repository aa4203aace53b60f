//! Pairs of findings, and what is left over.

use tokenwatch_model::{Evidence, FindingStatus, Subject, Timestamp};

use super::*;

/// A finding of `detector` on `subject` that lasted from one second to another.
fn finding(detector: Detector, subject: &str, from: i64, to: i64, severity: Severity) -> Finding {
    Finding {
        id: FindingId::of_episode(detector.name(), subject, from),
        revision: 3,
        detector,
        severity,
        confidence: 0.9,
        status: FindingStatus::Closed,
        evidence_db: 20.0,
        subject: Subject {
            kind: SubjectKind::Token,
            id: subject.to_owned(),
        },
        token: None,
        first_event_at: Timestamp::from_secs(from),
        last_event_at: Timestamp::from_secs(to),
        detected_at: Timestamp::from_secs(from + 1),
        event_count: 10,
        summary: String::new(),
        evidence: Evidence::default(),
        incident_id: None,
        attack: Vec::new(),
        owasp: Vec::new(),
    }
}

fn spike(from: i64, to: i64) -> Finding {
    finding(Detector::RateSpike, "tok_a", from, to, Severity::Medium)
}

fn changes(comparison: &Comparison) -> Vec<(&'static str, i64)> {
    let of = |difference: &Difference| {
        let finding = difference.finding();
        (difference.words(), finding.first_event_at.as_secs())
    };
    comparison.differences.iter().map(of).collect()
}

#[test]
fn the_same_findings_make_no_difference() {
    let findings = vec![spike(0, 9), spike(20, 29)];
    let comparison = compare(findings.clone(), findings);
    assert_eq!(comparison.differences, []);
    assert_eq!((comparison.kept, comparison.moved), (2, 0));
}

#[test]
fn what_one_side_lacks_is_added_or_removed_in_order() {
    let burst = finding(Detector::FailureBurst, "tok_a", 5, 9, Severity::High);
    let comparison = compare(vec![spike(20, 29), spike(0, 9)], vec![spike(0, 9), burst]);
    assert_eq!(changes(&comparison), [("added", 5), ("removed", 20)]);
    assert_eq!(comparison.kept, 1);
}

#[test]
fn an_episode_that_begins_elsewhere_is_the_same_and_one_that_is_apart_is_not() {
    let comparison = compare(vec![spike(0, 9)], vec![spike(4, 30)]);
    assert_eq!((comparison.kept, comparison.moved), (1, 1));
    let comparison = compare(vec![spike(0, 9)], vec![spike(10, 30)]);
    assert_eq!(changes(&comparison), [("removed", 0), ("added", 10)]);
    let other = finding(Detector::RateSpike, "tok_b", 0, 9, Severity::Medium);
    let comparison = compare(vec![spike(0, 9)], vec![other]);
    assert_eq!(comparison.differences.len(), 2);
}

#[test]
fn of_several_that_overlap_the_longest_is_the_same() {
    let comparison = compare(vec![spike(0, 12), spike(13, 40)], vec![spike(10, 39)]);
    assert_eq!((comparison.kept, comparison.moved), (1, 1));
    assert_eq!(changes(&comparison), [("removed", 0)]);
}

#[test]
fn another_severity_is_told_with_both() {
    let graver = |from| Finding {
        severity: Severity::High,
        ..spike(from, 9)
    };
    let same_id = compare(vec![spike(0, 9)], vec![graver(0)]);
    let moved = compare(vec![spike(0, 9)], vec![graver(2)]);
    for (comparison, stored_id) in [(same_id, None), (moved, Some(spike(0, 9).id))] {
        let [line] = comparison.differences.as_slice() else {
            panic!("{:?}", comparison.differences);
        };
        let line = serde_json::to_value(line).unwrap();
        assert_eq!(line["change"], "severity_changed");
        assert_eq!(line["stored_severity"], "medium");
        assert_eq!(line["finding"]["severity"], "high");
        let id = stored_id.map(|id| id.to_string());
        assert_eq!(
            line.get("stored_id").and_then(|id| id.as_str()),
            id.as_deref()
        );
    }
}
