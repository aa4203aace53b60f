use tokenwatch_model::{ResponseMode, Severity};

use super::*;
use crate::response::{ResponseDecision, ResponseReason, TokenFacts, lines_of};
use crate::testing::{NOW, finding, outgoing, settings};

fn message(occasion: Occasion, finding: Finding, response: Option<Response>) -> Message {
    let mut outgoing = outgoing(finding);
    outgoing.occasion = occasion;
    outgoing.repeated = occasion == Occasion::Escalated;
    let item = &mut outgoing.items[0];
    item.occasion = occasion;
    item.severity = Severity::Critical;
    item.response = response;
    Message::new(&outgoing, &Layout::default())
}

fn fact(message: &Message, label: &str) -> String {
    let found = message.facts.iter().find(|(name, _)| *name == label);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

#[test]
fn the_title_says_what_is_new() {
    let title = |occasion| message(occasion, finding(1), None).title;
    assert_eq!(title(Occasion::Opened), "[CRITICAL] rate_spike: acme");
    assert_eq!(
        title(Occasion::Escalated),
        "[now CRITICAL] rate_spike: acme"
    );
    assert_eq!(
        title(Occasion::Closed),
        "[CRITICAL, ended] rate_spike: acme"
    );
}

#[test]
fn a_message_says_what_was_done_already() {
    let settings = settings("").response;
    let done = |decision| {
        let finding = finding(1);
        let lines = lines_of(decision, &finding, &TokenFacts::default(), &settings, NOW);
        let line = lines.into_iter().next();
        fact(&message(Occasion::Opened, finding, line), "Done already")
    };
    let rule = &settings.rules[0];
    assert_eq!(
        done(ResponseDecision::Act(rule)),
        "revoke was asked to revoke the token"
    );
    assert_eq!(
        done(ResponseDecision::Withhold(
            rule,
            ResponseReason::ProtectedToken
        )),
        "nothing; the response (revoke) was withheld (protected_token)"
    );
    assert!(done(ResponseDecision::DryRun(rule)).contains("if mode were enforce"));
    assert!(done(ResponseDecision::Nothing(ResponseReason::Off)).starts_with("nothing"));
    assert_eq!(settings.mode, ResponseMode::DryRun);
    let mut two = rule.clone();
    two.hold = Some(std::time::Duration::from_mins(10));
    two.people = 2;
    assert_eq!(
        done(ResponseDecision::Hold(&two)),
        "nothing YET; revoke is asked to revoke the token if 2 people approve until 2026-11-22T06:50:00.000Z"
    );
}

#[test]
fn a_message_says_who_is_hit_and_gives_links_to_those_who_may_decide() {
    let mut item = crate::testing::outgoing(finding(1)).items.remove(0);
    let settings = settings("").response;
    let decision = ResponseDecision::Act(&settings.rules[0]);
    let facts = TokenFacts {
        blast_radius: Some(tokenwatch_model::BlastRadius {
            calls_per_minute: 12.5,
            calls_24h: 18_000,
            endpoints: vec![tokenwatch_model::UsedEndpoint {
                endpoint: "GET /v1/orders".to_owned(),
                calls: 7,
            }],
            ..tokenwatch_model::BlastRadius::default()
        }),
        ..TokenFacts::default()
    };
    item.response = lines_of(decision, &item.finding, &facts, &settings, NOW).pop();
    item.links = Some(crate::outgoing::Links {
        approve: "https://tokenwatch.example.com/respond/rsp_1/approve?expires=1".to_owned(),
        veto: "https://tokenwatch.example.com/respond/rsp_1/veto?expires=1".to_owned(),
    });
    let mut outgoing = crate::testing::outgoing(finding(1));
    outgoing.items = vec![item];
    let message = Message::new(&outgoing, &Layout::default());
    assert_eq!(
        fact(&message, "Who is hit"),
        "12.5 calls a minute, 18000 in the day before; to GET /v1/orders"
    );
    assert!(fact(&message, "Veto").ends_with("/respond/rsp_1/veto?expires=1"));
}

#[test]
fn a_repeat_says_that_it_may_be_one() {
    let repeat = message(Occasion::Escalated, finding(1), None);
    assert!(repeat.footer.contains("possibly a repeat"));
    let first = message(Occasion::Opened, finding(1), None);
    assert!(!first.footer.contains("repeat"));
}

#[test]
fn other_peoples_bytes_stay_on_their_line() {
    let mut hostile = finding(1);
    hostile.evidence.user_agents = vec!["a\r\nBcc: x@example.com\u{202e}".to_owned()];
    hostile.summary = "line\nline".to_owned();
    let message = message(Occasion::Opened, hostile, None);
    assert_eq!(message.summary, "line line");
    assert_eq!(fact(&message, "Clients"), "a  Bcc: x@example.com ");
}

#[test]
fn long_lists_say_how_much_is_left_out() {
    let mut many = finding(1);
    many.evidence.source_ips = (0..10).map(|n| format!("192.0.2.{n}")).collect();
    let from = fact(&message(Occasion::Opened, many, None), "From");
    assert!(from.ends_with("192.0.2.4 and 5 more"), "{from}");
}

#[test]
fn texts_are_cut_at_characters() {
    assert_eq!(clean("äöü", 3), "äöü");
    assert_eq!(clean("äöüß", 3), "äö…");
}

#[test]
fn a_message_about_many_counts_them_and_names_each() {
    let mut many = crate::testing::outgoing_of((1..=3).map(finding).collect());
    many.items[2].occasion = Occasion::Escalated;
    let message = Message::new(&many, &Layout::default());
    assert_eq!(
        message.title,
        "[HIGH] 3 findings, the gravest rate_spike: acme"
    );
    assert_eq!(message.summary, "2 new, 1 graver than before.");
    assert_eq!(message.entries.len(), 3);
    assert_eq!(message.entries[2].title, "[now HIGH] rate_spike: acme");
}

#[test]
fn parts_hold_every_entry_once_and_stay_within_the_budget() {
    let many = crate::testing::outgoing_of((1..=10).map(finding).collect());
    let parts = Message::new(&many, &Layout::default()).split(35, 100, |_| 10);
    let ranges: Vec<Range<usize>> = parts.iter().map(|(range, _)| range.clone()).collect();
    assert_eq!(ranges, [0..3, 3..6, 6..9, 9..10]);
    assert!(parts[3].1.title.ends_with("(4 of 4)"));
    let parts = Message::new(&many, &Layout::default()).split(5, 100, |_| 10);
    assert_eq!(parts.len(), 10, "what is too large alone is a part alone");
}
