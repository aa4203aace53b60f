use std::time::Duration;

use super::*;
use crate::testing::{NOW, finding, revised, settings};

fn enforcing(protected: &str) -> AlertingSettings {
    settings(&format!(
        r#"
        [response]
        mode = "enforce"
        max_per_hour = 2
        [response.protected]
        {protected}
        [response.target]
        name = "gateway"
        url = "https://gateway.example.com/revoke"
        secret_env = ["HOOK_SECRET"]
        "#
    ))
}

fn critical(number: u128) -> Finding {
    revised(&finding(number), Severity::Critical)
}

fn decided(finding: &Finding, past: ResponsePast, settings: &AlertingSettings) -> ResponseDecision {
    decide_response(finding, past, settings, NOW)
}

const NEW: ResponsePast = ResponsePast {
    is_answered: false,
    is_revoked: false,
    last_hour: 0,
};

#[test]
fn a_critical_finding_about_a_token_revokes_it_when_enforcing() {
    let settings = enforcing("");
    assert_eq!(
        decided(&critical(1), NEW, &settings),
        ResponseDecision::Revoke
    );
}

#[test]
fn by_default_it_is_only_recorded_what_would_be_done() {
    let settings = settings("");
    assert_eq!(
        decided(&critical(1), NEW, &settings),
        ResponseDecision::DryRun
    );
}

#[test]
fn nothing_is_recorded_when_there_is_nothing_to_answer() {
    use ResponseDecision::Nothing;
    let settings = enforcing("");
    let check = |finding: &Finding, past, reason| {
        assert_eq!(decided(finding, past, &settings), Nothing(reason));
    };
    check(&finding(1), NEW, ResponseReason::NotCritical);
    let mut about_a_source = critical(1);
    about_a_source.token = None;
    check(&about_a_source, NEW, ResponseReason::NoToken);
    let answered = ResponsePast {
        is_answered: true,
        ..NEW
    };
    check(&critical(1), answered, ResponseReason::AlreadyAnswered);
    let off = crate::testing::settings("[response]\nmode = \"off\"");
    assert_eq!(
        decided(&critical(1), NEW, &off),
        Nothing(ResponseReason::Off)
    );
}

#[test]
fn protected_tokens_are_withheld_by_any_of_their_names() {
    for (protected, reason) in [
        (
            "tokens = [\"tok_00000000000000000000000001\"]",
            ResponseReason::ProtectedToken,
        ),
        (
            "credential_ids = [\"5cbc\"]",
            ResponseReason::ProtectedCredential,
        ),
        ("consumers = [\"acme\"]", ResponseReason::ProtectedConsumer),
    ] {
        let settings = enforcing(protected);
        let exhausted = ResponsePast {
            last_hour: 9,
            ..NEW
        };
        assert_eq!(
            decided(&critical(1), exhausted, &settings),
            ResponseDecision::Withhold(reason)
        );
    }
}

#[test]
fn limits_withhold_and_say_so() {
    let settings = enforcing("");
    let withheld = |finding: &Finding, past| match decided(finding, past, &settings) {
        ResponseDecision::Withhold(reason) => reason.name(),
        other => panic!("{other:?}"),
    };
    let exhausted = ResponsePast {
        last_hour: 2,
        ..NEW
    };
    assert_eq!(withheld(&critical(1), exhausted), "rate_limited");
    let revoked = ResponsePast {
        is_revoked: true,
        last_hour: 2,
        ..NEW
    };
    assert_eq!(withheld(&critical(1), revoked), "already_revoked");
    let mut old = critical(1);
    old.last_event_at = NOW - Duration::from_hours(48);
    assert_eq!(withheld(&old, NEW), "too_old");
}

fn recorded(number: u128, token: u128, result: ResponseResult, at: Timestamp) -> Response {
    let settings = enforcing("");
    let finding = critical(number);
    let line = line_of(
        ResponseDecision::Revoke,
        &finding,
        TokenId::from_bits(token),
        &settings.response,
        at,
    );
    Response {
        result,
        ..line.expect("a revocation has a line")
    }
}

#[test]
fn history_knows_revoked_tokens_for_a_day_and_the_last_hours_count() {
    let settings = enforcing("").response;
    let mut history = ResponseHistory::new();
    history.record(recorded(1, 7, ResponseResult::Delivered, NOW));
    history.record(recorded(2, 8, ResponseResult::Failed, NOW));
    history.record(recorded(3, 9, ResponseResult::Withheld, NOW));
    let mut past = |finding, token, after| {
        let finding = tokenwatch_model::FindingId::from_bits(finding);
        history.past(finding, TokenId::from_bits(token), &settings, NOW + after)
    };
    let soon = Duration::from_mins(1);
    assert_eq!(
        past(4, 7, soon),
        ResponsePast {
            is_answered: false,
            is_revoked: true,
            last_hour: 2
        }
    );
    assert!(past(1, 7, soon).is_answered);
    assert!(!past(4, 8, soon).is_revoked, "its revocation failed");
    assert!(!past(4, 9, soon).is_revoked, "it was withheld");
    let later = Duration::from_hours(2);
    assert_eq!(past(4, 7, later).last_hour, 0);
    assert!(past(4, 7, later).is_revoked);
    let next_day = Duration::from_hours(25);
    assert!(!past(4, 7, next_day).is_revoked);
}

#[test]
fn what_a_dry_run_would_have_done_does_not_bind_the_enforcer() {
    let settings = enforcing("").response;
    let mut history = ResponseHistory::new();
    history.record(Response {
        mode: ResponseMode::DryRun,
        ..recorded(1, 7, ResponseResult::WouldRespond, NOW)
    });
    let finding = tokenwatch_model::FindingId::from_bits(2);
    let past = history.past(finding, TokenId::from_bits(7), &settings, NOW);
    assert_eq!(past, NEW);
}
