use std::time::Duration;

use tokenwatch_model::{
    FindingId, Registration, Response, ResponseMode, ResponseResult, Severity, TokenClass, TokenId,
    TokenKind,
};

use super::*;
use crate::testing::{NOW, finding, revised, settings};

fn enforcing(more: &str) -> AlertingSettings {
    settings(&format!(
        r#"
        [response]
        mode = "enforce"
        max_per_hour = 2
        [response.target]
        name = "gateway"
        url = "https://gateway.example.com/revoke"
        secret_env = ["HOOK_SECRET"]
        undo = true
        {more}
        "#
    ))
}

fn critical(number: u128) -> Finding {
    revised(&finding(number), Severity::Critical)
}

/// What is decided, in words: `act revoke`, `withhold rate_limited`, `nothing no_rule`.
fn decided(
    finding: &Finding,
    facts: &TokenFacts,
    past: ResponsePast,
    settings: &AlertingSettings,
) -> String {
    let by = |word: &str, rule: &ResponseRule| {
        format!("{word} {}", rule.action.expect("an action").name())
    };
    match decide_response(finding, facts, past, settings, NOW) {
        ResponseDecision::Nothing(reason) => format!("nothing {}", reason.name()),
        ResponseDecision::Withhold(_, reason) => format!("withhold {}", reason.name()),
        ResponseDecision::DryRun(rule) => by("dry_run", rule),
        ResponseDecision::Hold(rule) => by("hold", rule),
        ResponseDecision::Act(rule) => by("act", rule),
    }
}

fn check(finding: &Finding, past: ResponsePast, settings: &AlertingSettings, expected: &str) {
    let told = decided(finding, &TokenFacts::default(), past, settings);
    assert_eq!(told, expected);
}

const NEW: ResponsePast = ResponsePast {
    answered: None,
    done: None,
    last_hour: 0,
    last_hour_of_owner: 0,
};

#[test]
fn a_critical_finding_about_a_token_revokes_it_when_enforcing() {
    check(&critical(1), NEW, &enforcing(""), "act revoke");
}

#[test]
fn by_default_it_is_only_recorded_what_would_be_done() {
    check(&critical(1), NEW, &settings(""), "dry_run revoke");
}

#[test]
fn nothing_is_recorded_when_there_is_nothing_to_answer() {
    let settings = enforcing("");
    check(&finding(1), NEW, &settings, "nothing no_rule");
    let mut about_a_source = critical(1);
    about_a_source.token = None;
    check(&about_a_source, NEW, &settings, "nothing no_token");
    let answered = ResponsePast {
        answered: Some(ResponseAction::Revoke),
        ..NEW
    };
    check(
        &critical(1),
        answered,
        &settings,
        "nothing already_answered",
    );
    let off = crate::testing::settings("[response]\nmode = \"off\"");
    check(&critical(1), NEW, &off, "nothing off");
}

#[test]
fn protected_tokens_are_withheld_by_any_of_their_names() {
    let exhausted = ResponsePast {
        last_hour: 9,
        ..NEW
    };
    for (protected, reason) in [
        (
            "tokens = [\"tok_00000000000000000000000001\"]",
            "withhold protected_token",
        ),
        (
            "credential_ids = [\"5cbc\"]",
            "withhold protected_credential",
        ),
        ("consumers = [\"acme\"]", "withhold protected_consumer"),
    ] {
        let settings = enforcing(&format!("[response.protected]\n{protected}"));
        check(&critical(1), exhausted, &settings, reason);
    }
    let facts = TokenFacts {
        registration: Some(Registration {
            protected: true,
            ..Registration::default()
        }),
        ..TokenFacts::default()
    };
    let told = decided(&critical(1), &facts, exhausted, &enforcing(""));
    assert_eq!(told, "withhold protected_by_registry");
}

#[test]
fn limits_withhold_and_say_so() {
    let settings = enforcing("");
    let exhausted = ResponsePast {
        last_hour: 2,
        ..NEW
    };
    check(&critical(1), exhausted, &settings, "withhold rate_limited");
    let revoked = ResponsePast {
        done: Some(ResponseAction::Revoke),
        ..exhausted
    };
    check(&critical(1), revoked, &settings, "withhold already_revoked");
    let of_owner = ResponsePast {
        last_hour_of_owner: 20,
        ..NEW
    };
    check(
        &critical(1),
        of_owner,
        &settings,
        "withhold owner_rate_limited",
    );
    let mut old = critical(1);
    old.last_event_at = NOW - Duration::from_hours(48);
    check(&old, NEW, &settings, "withhold too_old");
}

#[test]
fn the_first_rule_that_matches_decides() {
    let settings = enforcing(
        r#"
        [[response.rules]]
        consumers = ["partner"]
        action = "notify"
        [[response.rules]]
        environments = ["production"]
        action = "revoke"
        hold = "15m"
        people = 2
        [[response.rules]]
        classes = ["privileged"]
        action = "suspend"
        lasts = "1h"
        [[response.rules]]
        kinds = ["jwt"]
        action = "revoke"
        dry_run = true
        [[response.rules]]
        severity = "high"
        detectors = ["rate_spike"]
        action = "throttle"
        lasts = "30m"
        "#,
    );
    let mut of_partner = critical(1);
    of_partner.token.as_mut().expect("a token").consumer = Some("partner".to_owned());
    check(&of_partner, NEW, &settings, "nothing notify_only");
    let mut production = critical(1);
    production.token.as_mut().expect("a token").environment = Some("production".to_owned());
    check(&production, NEW, &settings, "hold revoke");
    check(&finding(1), NEW, &settings, "act throttle");
    let privileged = TokenFacts {
        registration: Some(Registration {
            class: TokenClass::Privileged,
            ..Registration::default()
        }),
        ..TokenFacts::default()
    };
    let told = decided(&critical(1), &privileged, NEW, &settings);
    assert_eq!(told, "act suspend");
    let jwt = TokenFacts {
        kind: Some(TokenKind::Jwt),
        ..TokenFacts::default()
    };
    assert_eq!(
        decided(&critical(1), &jwt, NEW, &settings),
        "dry_run revoke"
    );
    let throttled = ResponsePast {
        answered: Some(ResponseAction::Throttle),
        ..NEW
    };
    check(
        &finding(1),
        throttled,
        &settings,
        "nothing already_answered",
    );
    let told = decided(&critical(1), &privileged, throttled, &settings);
    assert_eq!(told, "act suspend", "a graver action may follow");
}

#[test]
fn a_token_is_restricted_to_the_networks_that_are_known() {
    let settings = enforcing("[[response.rules]]\naction = \"restrict\"\nlasts = \"2h\"");
    check(&critical(1), NEW, &settings, "withhold no_known_networks");
    let facts = TokenFacts {
        networks: vec!["203.0.113.0/24".parse().expect("a network")],
        ..TokenFacts::default()
    };
    let decision = decide_response(&critical(1), &facts, NEW, &settings, NOW);
    let lines = lines_of(decision, &critical(1), &facts, &settings.response, NOW);
    assert_eq!(lines[0].details.networks, facts.networks);
    assert_eq!(lines[0].details.lasts_s, Some(7_200));
    assert_eq!(lines[0].result, ResponseResult::Intended);
}

fn recorded(number: u128, token: u128, result: ResponseResult, at: Timestamp) -> Response {
    let settings = enforcing("");
    let mut finding = critical(number);
    let named = finding.token.as_mut().expect("a token");
    named.id = TokenId::from_bits(token);
    let decision = ResponseDecision::Act(&settings.response.rules[0]);
    let facts = TokenFacts::default();
    let lines = lines_of(decision, &finding, &facts, &settings.response, at);
    Response {
        result,
        ..lines.into_iter().next().expect("an action has a line")
    }
}

#[test]
fn history_knows_revoked_tokens_for_a_day_and_the_last_hours_count() {
    let settings = enforcing("").response;
    let mut history = ResponseHistory::new();
    let first = recorded(1, 7, ResponseResult::Delivered, NOW);
    history.learn(&[first.finding_id], vec![first.clone()]);
    history.record(first);
    history.record(recorded(2, 8, ResponseResult::Failed, NOW));
    history.record(recorded(3, 9, ResponseResult::Withheld, NOW));
    history.record(recorded(5, 10, ResponseResult::Vetoed, NOW));
    let mut past = |number: u128, token, after| {
        let mut named = finding(number).token.expect("a token");
        named.id = TokenId::from_bits(token);
        history.past(FindingId::from_bits(number), &named, &settings, NOW + after)
    };
    let soon = Duration::from_mins(1);
    assert_eq!(
        past(4, 7, soon),
        ResponsePast {
            answered: None,
            done: Some(ResponseAction::Revoke),
            last_hour: 2,
            last_hour_of_owner: 2,
        }
    );
    assert_eq!(past(1, 7, soon).answered, Some(ResponseAction::Revoke));
    for (token, why) in [(8, "failed"), (9, "was withheld"), (10, "was vetoed")] {
        assert_eq!(past(4, token, soon).done, None, "its revocation {why}");
    }
    let later = Duration::from_hours(2);
    assert_eq!(past(4, 7, later).last_hour, 0);
    assert!(past(4, 7, later).done.is_some());
    let next_day = Duration::from_hours(25);
    assert_eq!(past(4, 7, next_day).done, None);
}

#[test]
fn what_a_dry_run_would_have_done_does_not_bind_the_enforcer() {
    let settings = enforcing("").response;
    let mut history = ResponseHistory::new();
    history.record(Response {
        mode: ResponseMode::DryRun,
        ..recorded(1, 7, ResponseResult::WouldRespond, NOW)
    });
    let mut named = finding(2).token.expect("a token");
    named.id = TokenId::from_bits(7);
    let past = history.past(FindingId::from_bits(2), &named, &settings, NOW);
    assert_eq!(past, NEW);
}
