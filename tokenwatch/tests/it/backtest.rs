//! `tokenwatch backtest` over a real store.

use serde_json::Value;
use tokenwatch_model::AccessEvent;

use crate::stored::{DAY, Deployment, HOUR, call, lines};

/// Fourteen days of quiet calls of two tokens; then one walks through ids that it may not see, and the other calls what
/// policy forbids.
fn events() -> Vec<AccessEvent<'static>> {
    let mut events = Vec::new();
    for day in 0..14 {
        for minute in (0..600).step_by(10) {
            let at = day * DAY + 8 * HOUR + minute * 60;
            events.push(call(1, at, "/v1/orders/17", 200));
            events.push(call(2, at + 7, "/v1/invoices", 200));
        }
    }
    let noon = 13 * DAY + 12 * HOUR;
    events.extend((0..150).map(|n| call(1, noon + n * 2, &format!("/v1/orders/{n}"), 403)));
    events.extend((0..5).map(|n| call(2, noon + n * 60, "/v1/admin/users", 200)));
    events
}

const POLICY: &str = r#"
[[detectors.out_of_scope.policies]]
consumers = ["acme"]
allow = [{ routes = ["/v1/orders/{id}", "/v1/invoices"] }]
"#;

fn backtest(deployment: &Deployment, config: &str, from: &str, to: &str) -> (Vec<Value>, String) {
    let args = ["backtest", "--config", config, "--from", from, "--to", to];
    let output = deployment.tokenwatch(&args);
    let found = lines(&output);
    (found, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_same_configuration_makes_no_difference_and_one_switched_off_loses_its_findings() {
    let Some(deployment) = Deployment::with(events(), POLICY) else {
        return;
    };
    let (from, to) = ("2026-11-15T00:00:00Z", "2026-11-16T00:00:00Z");
    let (same, summary) = backtest(&deployment, "stored.toml", from, to);
    assert_eq!(same, [Value::Null; 0], "{summary}");
    assert!(summary.contains("1835 events of 2 tokens"), "{summary}");
    assert!(!summary.contains("\n0 findings kept"), "{summary}");

    let off = format!("[detectors.failure_burst]\nmode = \"off\"\n{POLICY}");
    deployment.reconfigure("off.toml", &off);
    let (differences, summary) = backtest(&deployment, "off.toml", from, to);
    let changes = |change: &str| -> Vec<&Value> {
        differences
            .iter()
            .filter(|line| line["change"] == change)
            .collect()
    };
    assert!(!changes("removed").is_empty(), "{summary}");
    for line in changes("removed") {
        assert_eq!(line["finding"]["detector"], "failure_burst");
    }
    assert!(changes("added").is_empty(), "{differences:?}");
    let told = format!("failure_burst: {} removed", changes("removed").len());
    assert!(summary.contains(&told), "{summary}");

    // Before anything happened there is nothing to compare.
    let (none, summary) = backtest(&deployment, "off.toml", "2026-11-10T00:00:00Z", from);
    assert_eq!(none, [Value::Null; 0], "{summary}");
    assert!(summary.contains("0 findings kept"), "{summary}");
}

#[test]
fn a_policy_that_is_new_adds_its_findings() {
    let Some(deployment) = Deployment::with(events(), "") else {
        return;
    };
    deployment.reconfigure("new.toml", POLICY);
    let (differences, summary) = backtest(
        &deployment,
        "new.toml",
        "2026-11-14T00:00:00Z",
        "2026-11-16T00:00:00Z",
    );
    let added: Vec<_> = differences
        .iter()
        .filter(|line| line["change"] == "added")
        .collect();
    assert_eq!(added.len(), 1, "{summary}");
    assert_eq!(added[0]["finding"]["detector"], "out_of_scope");
    assert_eq!(added[0]["finding"]["event_count"], 5);
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let Some(deployment) = Deployment::with(Vec::new(), "") else {
        return;
    };
    let elsewhere = "[store.embedded]\npath = \"nowhere\"\n";
    std::fs::write(deployment.path().join("elsewhere.toml"), elsewhere).unwrap();
    let output = deployment.tokenwatch(&[
        "backtest",
        "--config",
        "elsewhere.toml",
        "--from",
        "2026-11-14T00:00:00Z",
        "--to",
        "2026-11-15T00:00:00Z",
    ]);
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("there is no store at nowhere"), "{stderr}");
    assert!(!deployment.path().join("nowhere").exists());
}
