//! Inhibition: an incident keeps its further findings quiet, an outage those that it explains.

use super::*;

const INHIBITED: &str = "[[routes]]\nreceivers = [\"ops\"]\ninhibit = true";

fn in_incident(finding: &mut Finding) {
    finding.incident_id = Some("inc_1".to_owned());
}

fn outage(finding: &mut Finding) {
    finding.detector = tokenwatch_model::Detector::FleetFailure;
    finding.subject.kind = SubjectKind::Fleet;
    finding.subject.id = "fleet".to_owned();
    finding.token = None;
}

#[test]
fn an_incident_is_told_once_and_keeps_its_further_findings_quiet() {
    let mut line = Timeline::new(&config(&["ops"], INHIBITED));
    line.open_as(1, in_incident)
        .until(10)
        .open_as(2, in_incident)
        .until(20);
    assert_eq!(line.told(), ["0s ops: opened 1"]);
    let first = FindingId::from_bits(1);
    assert_eq!(
        line.lines(NotificationResult::Muted),
        [format!("ops 2 inhibited: inc_1 was told with {first}")]
    );
    line.restart().until(1_000);
    assert_eq!(line.told(), Vec::<String>::new());
}

#[test]
fn a_graver_finding_of_the_incident_is_told_all_the_same() {
    let mut line = Timeline::new(&config(&["ops"], INHIBITED));
    line.open_as(1, in_incident)
        .until(10)
        .open_as(2, |finding| {
            in_incident(finding);
            finding.severity = Severity::Critical;
        });
    assert_eq!(line.told(), ["0s ops: opened 1", "10s ops: opened 2"]);
}

#[test]
fn of_findings_that_come_together_the_gravest_is_told() {
    let mut line = Timeline::new(&config(&["ops"], INHIBITED));
    let mut findings: Vec<Finding> = (1..=3).map(finding).collect();
    findings[2].severity = Severity::Critical;
    for mut finding in findings {
        in_incident(&mut finding);
        line.desk.observe(finding, Vec::new(), NOW);
    }
    line.until(10);
    assert_eq!(line.told(), ["0s ops: opened 3"]);
}

#[test]
fn programs_are_told_of_everything_unless_a_route_says_otherwise() {
    let mut line = Timeline::new(&config(&["ops"], "[[routes]]\nreceivers = [\"ops\"]"));
    line.open_as(1, in_incident).open_as(2, in_incident);
    assert_eq!(line.told(), ["0s ops: opened 1", "0s ops: opened 2"]);
}

#[test]
fn an_outage_keeps_quiet_what_it_explains_and_lets_it_through_when_it_is_over() {
    let mut line = Timeline::new(&config(&["ops"], INHIBITED));
    line.open_as(9, outage)
        .until(10)
        .open(1)
        .until(20)
        .open(2)
        .until(30)
        .close(2);
    assert_eq!(line.told(), ["0s ops: opened 9"]);
    line.until(100).close(9).until(110);
    assert_eq!(line.told(), ["100s ops: closed 9", "100s ops: opened 1"]);
}

#[test]
fn an_outage_explains_no_hard_evidence_and_nothing_critical() {
    let mut line = Timeline::new(&config(&["ops"], INHIBITED));
    line.open_as(9, outage).until(10);
    line.open_as(1, |finding| {
        finding.detector = tokenwatch_model::Detector::ConcurrentUse;
    });
    line.open_as(2, |finding| finding.severity = Severity::Critical);
    line.open_as(3, |finding| {
        // Long before the outage.
        finding.first_event_at = NOW - Duration::from_hours(3);
    });
    assert_eq!(
        line.told(),
        ["0s ops: opened 9", "10s ops: opened 1", "10s ops: opened 2"]
    );
}
