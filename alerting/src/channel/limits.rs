//! A group of 500 findings in every channel: no part is over what the channel's makers document, and none is lost.

use std::collections::BTreeSet;

use serde_json::Value;
use tokenwatch_model::{Finding, FindingId};

use super::slack::tests::assert_within_limits;
use super::{Part, Payload};
use crate::testing::{channel, finding, outgoing_of};

const COUNT: u128 = 500;

/// Findings with texts as long as they come, and with characters that have to be escaped everywhere.
fn findings() -> Vec<Finding> {
    (1..=COUNT)
        .map(|number| {
            let mut finding = finding(number);
            finding.summary = "<\"&|]\\_*ä=>".repeat(60);
            finding.incident_id = Some(format!("inc_{number}"));
            let token = finding.token.as_mut().expect("a token");
            token.consumer = Some("<&|\"_*".repeat(30));
            token.owner = Some("ä".repeat(300));
            finding
        })
        .collect()
}

fn bytes(part: &Part) -> Vec<u8> {
    match &part.payload {
        Payload::Body(body) | Payload::Below { body, .. } | Payload::Keyed { body, .. } => {
            body.clone()
        }
        other => other.preview().into_bytes(),
    }
}

fn json(part: &Part) -> Value {
    serde_json::from_slice(&bytes(part)).expect("JSON")
}

fn characters(value: &Value) -> usize {
    value.as_str().expect("a text").chars().count()
}

/// Renders the group and checks each part by itself, and that every finding is named in the part that settles it.
fn check(keys: &str, within_limits: impl Fn(&Part)) -> usize {
    let message = outgoing_of(findings());
    let parts = channel(keys).render(&message);
    let mut named: BTreeSet<FindingId> = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for part in &parts {
        within_limits(part);
        assert!(ids.insert(part.id.clone()), "parts are told apart");
        let text = String::from_utf8(bytes(part))
            .expect("UTF-8")
            .replace("\\_", "_");
        for item in &message.items[part.items.clone()] {
            assert!(text.contains(&item.finding.id.to_string()));
            assert!(named.insert(item.finding.id), "once");
        }
    }
    assert_eq!(named.len(), COUNT as usize, "none is lost");
    let again: Vec<String> = channel(keys)
        .render(&message)
        .into_iter()
        .map(|part| part.id)
        .collect();
    let first: Vec<String> = parts.iter().map(|part| part.id.clone()).collect();
    assert_eq!(first, again, "the same parts every time");
    parts.len()
}

#[test]
fn slack() {
    let count = check("kind = \"slack\"\nurl_env = \"SLACK_URL\"", |part| {
        assert_within_limits(&json(part));
    });
    assert!(count > 1);
}

#[test]
fn teams() {
    let count = check("kind = \"teams\"\nurl_env = \"SLACK_URL\"", |part| {
        assert!(bytes(part).len() <= 27_000, "{}", bytes(part).len());
    });
    assert!(count > 1);
}

#[test]
fn pagerduty() {
    let keys = "kind = \"pagerduty\"\nrouting_key_env = \"PAGERDUTY_KEY\"";
    check(keys, |part| {
        assert!(bytes(part).len() <= 512 * 1_000, "{}", bytes(part).len());
        let event = json(part);
        assert!(characters(&event["payload"]["summary"]) <= 1_024);
        assert!(characters(&event["dedup_key"]) <= 255);
    });
}

#[test]
fn opsgenie() {
    let keys = "kind = \"opsgenie\"\napi_key_env = \"OPSGENIE_KEY\"";
    let count = check(keys, |part| {
        let request = json(part);
        if request.get("message").is_some() {
            assert!(characters(&request["message"]) <= 130);
            assert!(characters(&request["alias"]) <= 512);
            assert!(characters(&request["description"]) <= 15_000);
            assert!(characters(&request["entity"]) <= 512);
            assert!(request["details"].to_string().chars().count() <= 8_000);
        } else {
            assert!(characters(&request["note"]) <= 25_000);
        }
    });
    assert!(count > 1);
}

#[test]
fn alertmanager() {
    let keys = "kind = \"alertmanager\"\nurl = \"https://am.example.com\"";
    let count = check(keys, |part| {
        assert!(json(part).as_array().expect("alerts").len() <= 100);
    });
    assert_eq!(count, 5);
}

#[test]
fn webhook() {
    for format in ["tokenwatch", "ocsf"] {
        let keys = format!(
            "kind = \"webhook\"\nurl = \"https://hook.example.com\"\nsecret_env = [\"HOOK_SECRET\"]\nformat = \"{format}\""
        );
        let count = check(&keys, |part| assert!(bytes(part).len() < 20_000));
        assert_eq!(count, COUNT as usize);
    }
}

#[tokio::test]
async fn kafka() {
    for format in ["tokenwatch", "ocsf"] {
        let keys = format!(
            "kind = \"kafka\"\ntopic = \"alerts\"\nformat = \"{format}\"\noptions = {{ \"bootstrap.servers\" = \"127.0.0.1:1\" }}"
        );
        let count = check(&keys, |part| assert!(bytes(part).len() < 1_000_000));
        assert_eq!(count, COUNT as usize);
    }
}

#[test]
fn syslog() {
    for (transport, format, limit) in [
        ("udp", "rfc5424", 2_048),
        ("udp", "cef", 2_048),
        ("tcp", "rfc5424", 8_192),
        ("tcp", "ocsf", 8_192),
    ] {
        let keys = format!(
            "kind = \"syslog\"\nhost = \"syslog.example.com\"\ntransport = \"{transport}\"\nformat = \"{format}\""
        );
        check(&keys, |part| {
            assert!(bytes(part).len() <= limit, "{}", bytes(part).len());
        });
    }
}

#[tokio::test]
async fn email() {
    let keys = "kind = \"email\"\nhost = \"smtp.example.com\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]";
    assert_eq!(check(keys, |_| {}), 1);
}

#[test]
fn log() {
    assert_eq!(check("kind = \"log\"", |_| {}), COUNT as usize);
}
