//! Acknowledgements, escalation, silences and the warnings before they end.

use super::*;

const ESCALATED: &str = r#"
[[routes]]
receivers = ["ops"]
repeat = "10m"
escalate = [{ after = "15m", receivers = ["lead"] }, { after = "1h", receivers = ["boss"] }]
"#;

fn id(number: u128) -> String {
    FindingId::from_bits(number).to_string()
}

#[test]
fn if_nobody_acknowledges_others_are_told_step_by_step() {
    let mut line = Timeline::new(&config(&["ops", "lead", "boss"], ESCALATED));
    line.open(1).until(800).restart().until(4_000);
    let told: Vec<String> = line
        .told()
        .into_iter()
        .filter(|told| !told.contains("ops: repeated"))
        .collect();
    assert_eq!(
        told,
        [
            "0s ops: opened 1",
            "900s lead: unacknowledged 1",
            "1500s lead: repeated 1",
            "2700s lead: repeated 1",
            "3600s boss: unacknowledged 1",
        ]
    );
}

#[test]
fn an_acknowledgement_ends_repetitions_and_escalation() {
    let mut line = Timeline::new(&config(&["ops", "lead", "boss"], ESCALATED));
    line.open(1).until(100).acknowledge(&id(1)).until(9_000);
    assert_eq!(line.told(), ["0s ops: opened 1"]);
    line.restart().until(20_000);
    assert_eq!(line.told(), Vec::<String>::new(), "a restart forgets none");
    line.close(1).until(20_100);
    assert_eq!(line.told(), ["20000s ops: closed 1"]);
}

#[test]
fn what_becomes_graver_after_an_acknowledgement_is_news_again() {
    let mut line = Timeline::new(&config(&["ops", "lead", "boss"], ESCALATED));
    line.open(1).until(100).acknowledge(&id(1)).until(200);
    line.rise(1, Severity::Critical).until(1_200);
    assert_eq!(
        line.told(),
        [
            "0s ops: opened 1",
            "200s ops: escalated 1",
            "800s ops: repeated 1",
            "1100s lead: unacknowledged 1"
        ]
    );
}

#[test]
fn acknowledging_an_incident_covers_its_findings() {
    let mut line = Timeline::new(&config(&["ops", "lead", "boss"], ESCALATED));
    line.open_as(1, |finding| finding.incident_id = Some("inc_1".to_owned()));
    line.until(10).acknowledge("inc_1").until(9_000);
    assert_eq!(line.told(), ["0s ops: opened 1"]);
}

#[test]
fn an_end_ends_the_escalation() {
    let mut line = Timeline::new(&config(&["ops", "lead", "boss"], ESCALATED));
    line.open(1).until(100).close(1).until(9_000);
    assert_eq!(line.told(), ["0s ops: opened 1", "100s ops: closed 1"]);
}

const PLAIN: &str = "silence_warning = \"10m\"\nnotices_to = [\"soc\"]\n";

fn plain() -> Timeline {
    let routes = "[[routes]]\nreceivers = [\"ops\"]\n";
    Timeline::new(&format!("{PLAIN}{}", config(&["ops", "soc"], routes)))
}

#[test]
fn a_silence_mutes_with_its_name_and_what_goes_on_is_told_at_its_end() {
    let mut line = plain();
    line.silence(0, 600, "acme")
        .open(1)
        .open(2)
        .until(100)
        .close(2)
        .until(500);
    assert_eq!(line.told(), Vec::<String>::new());
    assert_eq!(
        line.lines(NotificationResult::Muted)[0],
        format!("ops 1 silenced: sil_0_600 by ann until {}", at(600))
    );
    line.restart().until(1_000);
    assert_eq!(
        line.told(),
        ["600s ops: opened 1"],
        "2 ended while it was muted"
    );
}

#[test]
fn a_silence_for_others_mutes_nothing() {
    let mut line = plain();
    line.silence(0, 600, "umbrella").open(1).until(10);
    assert_eq!(line.told(), ["0s ops: opened 1"]);
}

#[test]
fn a_silence_that_is_ended_early_lets_everything_through_at_once() {
    let mut line = plain();
    line.silence(0, 1_000, "acme").open(1).until(100);
    line.silences[0].ends_at = at(100);
    line.desk.set_silences(line.silences.clone(), at(100));
    line.until(101);
    assert_eq!(line.told(), ["100s ops: opened 1"]);
}

#[test]
fn an_end_is_told_in_a_silence_because_it_takes_back_what_was_told() {
    let mut line = plain();
    line.open(1)
        .until(10)
        .silence(10, 600, "acme")
        .close(1)
        .until(20);
    assert_eq!(line.told(), ["0s ops: opened 1", "10s ops: closed 1"]);
}

#[test]
fn before_a_silence_ends_somebody_is_warned_once() {
    let mut line = plain();
    line.silence(0, 3_600, "acme")
        .open(1)
        .until(3_100)
        .restart()
        .until(3_500);
    assert_eq!(
        line.told(),
        [format!("3000s soc: A silence ends at {}", at(3_600))]
    );
}

#[test]
fn a_silence_that_ended_while_nobody_looked_is_not_warned_of() {
    let mut line = plain();
    line.now = 4_000;
    line.silence(0, 3_600, "acme").until(5_000);
    assert_eq!(line.told(), Vec::<String>::new());
    assert_eq!(line.desk.next_due(), None, "and keeps nobody awake");
}

#[test]
fn short_silences_end_without_warning() {
    let mut line = plain();
    line.silence(0, 900, "acme").until(900);
    assert_eq!(line.told(), Vec::<String>::new());
}

#[test]
fn a_receiver_that_is_dead_is_told_of_through_another() {
    let mut line = plain();
    let health = ReceiverHealth {
        receiver: 0,
        since: NOW,
        is_back: false,
        reason: "timeout".to_owned(),
    };
    for _ in 0..2 {
        let departures = line.desk.receiver_changed(&health, NOW);
        line.take(departures);
    }
    let itself = ReceiverHealth {
        receiver: 1,
        ..health.clone()
    };
    assert!(line.desk.receiver_changed(&itself, NOW).is_empty());
    assert_eq!(line.told(), ["0s soc: Receiver ops cannot be reached"]);
}
