//! Groups, intervals, repetitions, digests, windows, and restarts in the middle of each.

use super::*;

const GROUPED: &str = r#"
[[routes]]
receivers = ["ops"]
group_by = ["consumer"]
group_wait = "30s"
group_interval = "5m"
"#;

fn of(consumer: &'static str) -> impl Fn(&mut Finding) {
    move |finding| {
        finding.token.as_mut().expect("a token").consumer = Some(consumer.to_owned());
    }
}

#[test]
fn without_grouping_each_finding_is_told_at_once() {
    let mut line = Timeline::new(&config(&["ops"], "[[routes]]\nreceivers = [\"ops\"]"));
    line.open(1).until(10).open(2).until(20).close(1).until(60);
    assert_eq!(
        line.told(),
        ["0s ops: opened 1", "10s ops: opened 2", "20s ops: closed 1"]
    );
}

#[test]
fn a_group_waits_for_more_and_is_told_together() {
    let mut line = Timeline::new(&config(&["ops"], GROUPED));
    line.open(1).until(10).open(2).open_as(3, of("umbrella"));
    assert_eq!(line.told(), Vec::<String>::new());
    assert_eq!(
        line.lines(NotificationResult::Waiting)[0],
        format!("ops 1 group_wait until {}", at(30))
    );
    line.until(60);
    assert_eq!(
        line.told(),
        ["30s ops: opened 1, opened 2", "40s ops: opened 3"]
    );
}

#[test]
fn what_comes_later_waits_for_the_groups_interval() {
    let mut line = Timeline::new(&config(&["ops"], GROUPED));
    line.open(1)
        .until(100)
        .open(2)
        .until(200)
        .open(3)
        .until(400);
    assert_eq!(
        line.told(),
        ["30s ops: opened 1", "330s ops: opened 2, opened 3"]
    );
    line.until(1_000).open(4).until(1_001);
    assert_eq!(line.told(), ["1000s ops: opened 4"], "the interval is over");
}

#[test]
fn what_became_graver_does_not_wait_and_takes_the_rest_along() {
    let mut line = Timeline::new(&config(&["ops"], GROUPED));
    line.open(1)
        .until(40)
        .open(2)
        .until(50)
        .rise(1, Severity::Critical)
        .until(51);
    assert_eq!(
        line.told(),
        ["30s ops: opened 1", "50s ops: escalated 1, opened 2"]
    );
}

#[test]
fn a_restart_while_a_group_waits_neither_loses_nor_delays_it() {
    let mut line = Timeline::new(&config(&["ops"], GROUPED));
    line.open(1)
        .until(10)
        .open(2)
        .until(20)
        .restart()
        .until(100);
    assert_eq!(line.told(), ["30s ops: opened 1, opened 2"]);
    line.restart().until(200).restart().until(2_000);
    assert_eq!(line.told(), Vec::<String>::new(), "told once is told");
}

#[test]
fn a_message_that_was_on_its_way_at_a_kill_goes_out_again_whole_and_under_its_id() {
    let mut line = Timeline::new(&config(&["ops"], GROUPED));
    line.delivers = false;
    line.open(1).open(2).until(40);
    let begun: Vec<Notification> = line.ledger.clone();
    assert_eq!(line.told(), ["30s ops: opened 1, opened 2"]);
    line.delivers = true;
    line.restart().until(1_000);
    assert_eq!(line.told(), ["40s ops: opened 1, opened 2"]);
    let ids = |lines: &[Notification]| {
        let told = lines
            .iter()
            .filter(|line| line.result != NotificationResult::Waiting);
        let mut ids: Vec<String> = told.map(|line| line.id.clone()).collect();
        ids.dedup();
        ids
    };
    assert_eq!(ids(&begun), ids(&line.ledger));
    assert_eq!(ids(&begun).len(), 1);
    line.restart().until(9_000);
    assert_eq!(line.told(), Vec::<String>::new());
}

#[test]
fn an_end_is_told_after_the_news_and_only_once() {
    let mut line = Timeline::new(&config(&["ops"], GROUPED));
    line.open(1).until(10).close(1).until(400);
    assert_eq!(line.told(), ["30s ops: opened 1", "330s ops: closed 1"]);
    line.restart().until(5_000);
    assert_eq!(line.told(), Vec::<String>::new());
}

#[test]
fn what_goes_on_is_told_again_after_pauses_that_double() {
    let routes = "[[routes]]\nreceivers = [\"ops\"]\nrepeat = \"10m\"\nrepeat_at_most = \"30m\"";
    let mut line = Timeline::new(&config(&["ops"], routes));
    line.open(1).until(1_700);
    assert_eq!(line.told(), ["0s ops: opened 1", "600s ops: repeated 1"]);
    line.restart().until(5_500);
    assert_eq!(
        line.told(),
        [
            "1800s ops: repeated 1",
            "3600s ops: repeated 1",
            "5400s ops: repeated 1"
        ]
    );
    line.close(1).until(20_000);
    assert_eq!(line.told(), ["5500s ops: closed 1"]);
}

#[test]
fn a_digest_collects_what_is_mild_until_its_time_of_day() {
    // NOW is 06:40 UTC on a Sunday.
    let routes = r#"
[[routes]]
severity = "low"
receivers = ["mail"]
group_by = []
digest = { at = ["08:00"], zone = "Europe/Berlin" }
[[routes.routes]]
severity = "high"
receivers = ["pager"]
group_by = ["finding"]
digest = { at = [] }
"#;
    let mut line = Timeline::new(&config(&["mail", "pager"], routes));
    line.open_as(1, |finding| finding.severity = Severity::Low)
        .until(600)
        .open_as(2, |finding| finding.severity = Severity::Medium)
        .restart()
        .open(3)
        .until(100_000);
    assert_eq!(
        line.told(),
        // 08:00 in Berlin is 07:00 UTC: 1,200 s after NOW.
        ["600s pager: opened 3", "1200s mail: opened 2, opened 1"]
    );
}

#[test]
fn outside_of_its_windows_a_route_waits_or_leaves_it_to_others() {
    let windows = r#"
[[windows]]
name = "office"
days = ["mon", "tue", "wed", "thu", "fri"]
from = "09:00"
to = "17:00"
"#;
    let waits = "[[routes]]\nreceivers = [\"ops\"]\nactive = [\"office\"]";
    let mut line = Timeline::new(&config(&["ops"], &format!("{windows}{waits}")));
    line.open(1).until(3_600).restart().until(200_000);
    // Monday 09:00 UTC is 26 h 20 min after NOW.
    assert_eq!(line.told(), ["94800s ops: opened 1"]);
    let leaves = r#"
[[routes]]
receivers = ["day"]
active = ["office"]
outside = "skip"
stop = true
[[routes]]
receivers = ["night"]
"#;
    let mut line = Timeline::new(&config(&["day", "night"], &format!("{windows}{leaves}")));
    line.open(1).until(94_800).open(2).until(95_000);
    assert_eq!(line.told(), ["0s night: opened 1", "94800s day: opened 2"]);
}

#[test]
fn old_findings_are_recorded_once_and_told_only_when_they_go_on() {
    let mut line = Timeline::new(&config(&["ops"], "[[routes]]\nreceivers = [\"ops\"]"));
    let mut old = finding(1);
    old.last_event_at = NOW - Duration::from_hours(25);
    line.findings.insert(old.id, old.clone());
    line.desk.observe(old, Vec::new(), NOW);
    line.until(10).restart().until(20);
    assert_eq!(line.told(), Vec::<String>::new());
    assert_eq!(line.lines(NotificationResult::Muted), ["ops 1 too_old"]);
    line.open(1).until(30);
    assert_eq!(line.told(), ["20s ops: opened 1"]);
}

#[test]
fn a_receiver_to_which_several_routes_lead_is_told_once() {
    let routes = r#"
[[routes]]
receivers = ["ops", "soc"]
[[routes]]
severity = "high"
consumers = ["acme"]
receivers = ["soc"]
"#;
    let mut line = Timeline::new(&config(&["ops", "soc"], routes));
    line.open(1).until(10);
    let mut told = line.told();
    told.sort();
    assert_eq!(told, ["0s ops: opened 1", "0s soc: opened 1"]);
}

#[test]
fn whoever_heard_of_a_finding_hears_of_its_end_however_mild_it_became() {
    let routes = "[[routes]]\nseverity = \"high\"\nreceivers = [\"ops\"]";
    let mut line = Timeline::new(&config(&["ops"], routes));
    line.open(1)
        .until(10)
        .rise(1, Severity::Low)
        .until(20)
        .close(1)
        .until(30);
    assert_eq!(line.told(), ["0s ops: opened 1", "20s ops: closed 1"]);
}

#[test]
fn a_hundred_thousand_findings_leave_twenty_thousand_on_the_desk() {
    let mut line = Timeline::new(&config(&["ops"], "[[routes]]\nreceivers = [\"ops\"]"));
    for number in 1..=25_000 {
        line.desk.observe(finding(number), Vec::new(), NOW);
        if number % 5_000 == 0 {
            drop(line.desk.flush(NOW));
        }
    }
    assert!(line.desk.len() <= FINDINGS_LIMIT);
    assert!(line.desk.groups.len() <= FINDINGS_LIMIT);
}
