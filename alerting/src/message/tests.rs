use std::sync::Arc;

use tokenwatch_model::{ResponseMode, Severity};

use super::*;
use crate::response::{ResponseDecision, ResponseReason, line_of};
use crate::testing::{NOW, finding, settings};

fn message(occasion: Occasion, finding: Finding, response: Option<Response>) -> Message {
    let outgoing = Outgoing {
        id: "ntf_1".to_owned(),
        occasion,
        severity: Severity::Critical,
        finding: Arc::new(finding),
        response,
        repeated: occasion == Occasion::Escalated,
    };
    Message::new(&outgoing, None)
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
        let token = finding.token.as_ref().expect("a token").id;
        let line = line_of(decision, &finding, token, &settings, NOW);
        fact(&message(Occasion::Opened, finding, line), "Done already")
    };
    assert_eq!(
        done(ResponseDecision::Revoke),
        "revoke was asked to revoke the token"
    );
    assert_eq!(
        done(ResponseDecision::Withhold(ResponseReason::ProtectedToken)),
        "nothing; revoking was withheld (protected_token)"
    );
    assert!(done(ResponseDecision::DryRun).contains("if mode were enforce"));
    assert!(done(ResponseDecision::Nothing(ResponseReason::Off)).starts_with("nothing"));
    assert_eq!(settings.mode, ResponseMode::DryRun);
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
