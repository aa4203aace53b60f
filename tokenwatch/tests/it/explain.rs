//! `tokenwatch explain` over a real store.

use serde_json::Value;
use tokenwatch_model::{AccessEvent, TokenId};

use crate::stored::{DAY, Deployment, HOUR, call, lines};

/// The walk through ids begins at noon of the fifteenth of November.
const NOON: i64 = 13 * DAY + 12 * HOUR;

/// Fourteen days of quiet calls; then one token walks through ids that it may not see. Another has only just begun.
fn events() -> Vec<AccessEvent<'static>> {
    let mut events = Vec::new();
    for day in 0..14 {
        for minute in (0..600).step_by(10) {
            let at = day * DAY + 8 * HOUR + minute * 60;
            events.push(call(1, at, "/v1/orders/17", 200));
        }
    }
    events.extend((0..150).map(|n| call(1, NOON + n * 2, &format!("/v1/orders/{n}"), 403)));
    events.push(call(3, NOON, "/v1/orders/17", 200));
    events
}

fn explain(deployment: &Deployment, config: &str, token: &str, at: &str) -> Value {
    let args = [
        "explain", "--config", config, "--token", token, "--at", at, "--json",
    ];
    lines(&deployment.tokenwatch(&args)).remove(0)
}

fn view<'a>(account: &'a Value, detector: &str) -> &'a Value {
    let views = account["explanation"]["detectors"].as_array().unwrap();
    let found = views.iter().find(|view| view["detector"] == detector);
    found.unwrap()
}

#[test]
fn why_and_why_not_are_told_at_any_time() {
    let Some(deployment) = Deployment::with(events(), "") else {
        return;
    };
    let token = TokenId::from_bits(1).to_string();

    let after = explain(&deployment, "stored.toml", &token, "2026-11-15T12:10:00Z");
    assert_eq!(after["events"]["count"], 60 * 13 + 26 + 150);
    assert_eq!(after["token"]["credential_id"], "key-1");
    let burst = view(&after, "failure_burst");
    assert_eq!(burst["verdict"], "finding", "{burst}");
    let stored = after["findings"].as_array().unwrap();
    assert!(
        stored
            .iter()
            .any(|told| told["finding"]["id"] == burst["finding_id"]),
        "{after}"
    );

    // The same by the gateway's name of the credential, before anything happened.
    let before = explain(&deployment, "stored.toml", "key-1", "2026-11-15T11:59:59Z");
    assert_eq!(before["token"]["id"], token);
    let burst = view(&before, "failure_burst");
    assert_eq!(burst["verdict"], "below_threshold", "{burst}");

    let off = "[detectors.failure_burst]\nmode = \"off\"\n";
    deployment.reconfigure("off.toml", off);
    let off = explain(&deployment, "off.toml", &token, "2026-11-15T12:10:00Z");
    assert_eq!(view(&off, "failure_burst")["verdict"], "off");

    let young = explain(&deployment, "stored.toml", "key-3", "2026-11-15T12:10:00Z");
    assert_eq!(view(&young, "rate_spike")["verdict"], "learning");
    for (detector, reason) in [
        ("jwt_weakness", "it is no JWT, or the log shows neither"),
        (
            "binding_mismatch",
            "the log shows neither a key that it is bound to",
        ),
        ("leaked_token", "nobody has reported"),
    ] {
        let view = view(&young, detector);
        assert_eq!(view["verdict"], "no_data", "{view}");
        assert!(
            view["reason"].as_str().unwrap().starts_with(reason),
            "{view}"
        );
    }
    // Nights without calls are gaps, and told.
    assert_eq!(young["gaps"][0]["to"], "2026-11-15T08:00:00.000Z");
}

#[test]
fn people_read_who_was_told_and_what_is_not_there() {
    let Some(deployment) = Deployment::with(events(), "") else {
        return;
    };
    let read = |token: &str, at: &str| {
        let args = [
            "explain",
            "--config",
            "stored.toml",
            "--token",
            token,
            "--at",
            at,
        ];
        deployment.tokenwatch(&args)
    };
    let output = read("key-1", "2026-11-15T12:10:00Z");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("failure_burst: finding"), "{text}");
    assert!(text.contains("nobody was told of it"), "{text}");
    assert!(text.contains("out_of_scope: no data for it"), "{text}");
    assert!(
        text.contains("no event of any token is stored from"),
        "{text}"
    );

    let none = read("key-3", "2026-11-10T00:00:00Z");
    let text = String::from_utf8(none.stdout).unwrap();
    assert!(text.contains("no event of this token is stored"), "{text}");

    let unknown = read("key-9", "2026-11-15T12:10:00Z");
    assert!(!unknown.status.success());
    let stderr = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        stderr.contains("no stored token is called \"key-9\""),
        "{stderr}"
    );
}
