use tokenwatch_model::Finding;
use url::Url;

use super::*;
use crate::channel::Payload;
use crate::layout::Layout;
use crate::testing::{channel, finding, outgoing, outgoing_of};

fn payload_of(finding: Finding) -> Value {
    let base = Url::parse("https://tw.example.com/console/").expect("a URL");
    payload(&Message::new(
        &outgoing(finding),
        &Layout::new(Some(base), None),
    ))
}

fn length(value: &Value) -> usize {
    value.as_str().expect("a text").chars().count()
}

/// Checks a payload against the limits that Slack documents, and the total that it enforces.
pub(in crate::channel) fn assert_within_limits(payload: &Value) {
    let blocks = payload["blocks"].as_array().expect("blocks");
    assert!(blocks.len() <= 50);
    for block in blocks {
        match block["type"].as_str().expect("a type") {
            "header" => assert!(length(&block["text"]["text"]) <= 150),
            "section" => {
                if let Some(fields) = block["fields"].as_array() {
                    assert!((1..=10).contains(&fields.len()));
                    assert!(fields.iter().all(|field| length(&field["text"]) <= 2_000));
                } else {
                    assert!((1..=3_000).contains(&length(&block["text"]["text"])));
                }
            }
            "actions" => assert!(block["elements"].as_array().expect("elements").len() <= 25),
            "context" => assert!(block["elements"].as_array().expect("elements").len() <= 10),
            other => panic!("{other}"),
        }
    }
    assert!(payload.to_string().chars().count() <= 13_200);
}

#[test]
fn a_message_says_what_whose_and_where_to_look() {
    let payload = payload_of(finding(1));
    assert_within_limits(&payload);
    let text = payload.to_string();
    for part in [
        "[HIGH] rate_spike: acme",
        "tok_0000",
        "5cbc",
        "93 %",
        "4312 observed, 61 expected",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let link = "https://tw.example.com/console/findings/fnd_00000000000000000000000001";
    assert!(text.contains(link));
}

#[test]
fn the_longest_finding_stays_within_the_limits() {
    let mut long = finding(1);
    let endless = "<&>".repeat(5_000);
    long.summary.clone_from(&endless);
    let token = long.token.as_mut().expect("a token");
    token.consumer = Some(endless.clone());
    token.credential_id = Some(endless.clone());
    token.owner = Some(endless.clone());
    let evidence = &mut long.evidence;
    evidence.statistic.clone_from(&endless);
    evidence.usual = Some(endless.clone());
    for list in [
        &mut evidence.source_ips,
        &mut evidence.countries,
        &mut evidence.routes,
        &mut evidence.user_agents,
    ] {
        *list = vec![endless.clone(); 10];
    }
    assert_within_limits(&payload_of(long));
}

#[test]
fn other_peoples_text_cannot_mention_or_link() {
    let mut hostile = finding(1);
    hostile.summary = "<!channel> & <https://evil.example|click>".to_owned();
    let payload = payload_of(hostile);
    let section = &payload["blocks"][1]["text"];
    assert_eq!(
        section["text"],
        "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;"
    );
    assert_eq!(section["verbatim"], true);
}

#[test]
fn an_escape_is_never_cut_in_half() {
    assert_eq!(escape("a&b", 10), "a&amp;b");
    assert_eq!(escape("a&b", 6), "a…");
    assert_eq!(escape("abc", 3), "abc");
    assert_eq!(escape("abcd", 3), "ab…");
}

#[test]
fn a_group_names_every_finding_in_as_few_messages_as_hold_them() {
    let message = outgoing_of((1..=100).map(finding).collect());
    let parts = channel("kind = \"slack\"\nurl_env = \"SLACK_URL\"").render(&message);
    let mut text = String::new();
    for part in &parts {
        let Payload::Body(body) = &part.payload else {
            panic!("a body");
        };
        let payload: Value = serde_json::from_slice(body).expect("JSON");
        assert_within_limits(&payload);
        text.push_str(&payload.to_string());
    }
    for number in 1..=100 {
        let id = finding(number).id.to_string();
        assert!(text.contains(&id), "{id}");
    }
    assert!((2..=10).contains(&parts.len()), "{}", parts.len());
    assert!(text.contains("100 findings, the gravest rate_spike: acme (1 of "));
}
