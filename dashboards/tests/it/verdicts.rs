//! The life of findings: acknowledged, judged, closed, opened again; what that makes of lists, detectors and the trail.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokenwatch_model::FindingId;

use crate::console::Console;
use crate::seed::{INCIDENT, fill, findings};

async fn filled() -> Option<Console> {
    let mut console = Console::open().await?;
    console.log_in_as_admin().await;
    fill(&console).await;
    Some(console)
}

/// The ids of the seed's findings, the mildest first.
fn ids() -> Vec<String> {
    let ids = findings().into_iter().map(|finding| finding.id.to_string());
    ids.collect()
}

async fn say(console: &Console, body: &Value) -> Value {
    let path = "/api/v1/verdicts";
    let answer = console.change(Method::POST, path, Some(body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{body}: {answer:?}");
    // Words of the same moment have no order.
    console.pass(std::time::Duration::from_secs(1));
    answer.json()
}

async fn listed(console: &Console, query: &str) -> Vec<String> {
    let page = console.get_json(&format!("/api/v1/findings?{query}")).await;
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn several_findings_are_acknowledged_judged_closed_and_opened_again() {
    let Some(console) = filled().await else {
        return;
    };
    let ids = ids();
    let new = async |console: &Console| listed(console, "handling=new&sort=detected_at").await;
    assert_eq!(new(&console).await, ids);

    let said = json!({"subjects": [ids[0], ids[1]], "verdict": "acknowledged", "note": "mine"});
    assert_eq!(say(&console, &said).await["said_of"], 2);
    assert_eq!(new(&console).await, ids[2..]);
    assert_eq!(listed(&console, "handling=acknowledged").await.len(), 2);
    let page = console.get_json("/api/v1/findings").await;
    assert_eq!(page["handling"][&ids[0]]["actor"], "admin");
    assert_eq!(page["handling"][&ids[0]]["state"], "acknowledged");
    assert!(page["handling"][&ids[4]].is_null());

    let said = json!({"subjects": [ids[1]], "verdict": "duplicate", "duplicate_of": ids[0], "close": true, "note": "same calls"});
    say(&console, &said).await;
    assert_eq!(listed(&console, "handling=closed").await, ids[1..2]);
    let story = console
        .get_json(&format!("/api/v1/findings/{}", ids[1]))
        .await;
    let verdict = &story["handling"]["verdict"];
    assert_eq!(
        (
            &verdict["word"],
            &verdict["duplicate_of"],
            &verdict["note"],
            story["sayings"].as_array().map(Vec::len)
        ),
        (
            &json!("duplicate"),
            &json!(ids[0]),
            &json!("same calls"),
            Some(3)
        )
    );

    let said = json!({"subjects": [ids[1]], "verdict": "reopened"});
    say(&console, &said).await;
    assert_eq!(new(&console).await, ids[1..]);
    let story = console
        .get_json(&format!("/api/v1/findings/{}", ids[1]))
        .await;
    assert_eq!(story["handling"]["state"], "new");
    assert!(story["handling"]["verdict"].is_null());
}

#[tokio::test]
async fn a_word_on_an_incident_is_one_on_its_findings() {
    let Some(console) = filled().await else {
        return;
    };
    let said = json!({"subjects": [INCIDENT], "verdict": "true", "close": true});
    assert_eq!(say(&console, &said).await["said_of"], 3);
    let story = console
        .get_json(&format!("/api/v1/incidents/{INCIDENT}"))
        .await;
    assert_eq!(story["handling"]["state"], "closed");
    for id in &ids()[3..] {
        let of_one = &story["findings_handling"][id];
        assert_eq!(
            (&of_one["state"], &of_one["verdict"]["word"]),
            (&json!("closed"), &json!("true"))
        );
    }
    let page = console.get_json("/api/v1/incidents").await;
    assert_eq!(page["handling"][INCIDENT]["state"], "closed");
}

#[tokio::test]
async fn words_that_make_no_sense_are_refused() {
    let Some(console) = filled().await else {
        return;
    };
    let (ids, unknown) = (ids(), FindingId::from_bits(77).to_string());
    for (body, status) in [
        (
            json!({"subjects": [], "verdict": "true"}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"subjects": [ids[0]], "verdict": "perhaps"}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"subjects": [ids[0]], "verdict": "duplicate"}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"subjects": [ids[0]], "verdict": "duplicate", "duplicate_of": ids[0]}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"subjects": [ids[0]], "verdict": "duplicate", "duplicate_of": unknown}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"subjects": [ids[0]], "verdict": "acknowledged", "close": true}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"subjects": [ids[0], unknown], "verdict": "true"}),
            StatusCode::NOT_FOUND,
        ),
        (
            json!({"subjects": ["inc_none"], "verdict": "true"}),
            StatusCode::NOT_FOUND,
        ),
    ] {
        let answer = console
            .change(Method::POST, "/api/v1/verdicts", Some(&body))
            .await;
        answer.assert_problem(status);
    }
    assert_eq!(listed(&console, "handling=new").await.len(), 5);
}

#[tokio::test]
async fn verdicts_tell_how_often_a_detector_is_right() {
    let Some(console) = filled().await else {
        return;
    };
    let ids = ids();
    for (subjects, verdict) in [
        (&ids[2..], "true"),
        (&ids[..1], "benign"),
        (&ids[1..2], "expected_change"),
    ] {
        say(&console, &json!({"subjects": subjects, "verdict": verdict})).await;
    }
    let page = console.get_json("/api/v1/detectors").await;
    let record = &page["items"][0];
    assert_eq!(record["detector"], "failure_burst");
    let figures = [
        ("findings", 5),
        ("judged", 5),
        ("true_positives", 3),
        ("benign", 1),
        ("expected_changes", 1),
        ("messages", 1),
        ("false_messages", 0),
    ];
    for (name, figure) in figures {
        assert_eq!(record[name], figure, "{name}: {record}");
    }
    assert_eq!(record["precision"]["share"], 0.6);
    assert!(record["demotion"].is_null());
    say(
        &console,
        &json!({"subjects": [ids[4]], "verdict": "reopened"}),
    )
    .await;
    let page = console.get_json("/api/v1/detectors").await;
    assert_eq!(page["items"][0]["true_positives"], 2);
    let none = console
        .get_json("/api/v1/detectors?from=2025-12-01T00:00:00Z&to=2026-01-01T00:00:00Z")
        .await;
    assert_eq!(none["items"], json!([]));

    let path = "/api/v1/detectors/failure_burst/demotion";
    let demoted = console.change(Method::POST, path, None).await.json();
    let lines = "[detectors.failure_burst]\nmode = \"signal\"\n";
    assert_eq!(demoted["configuration"], lines);
    let unknown = "/api/v1/detectors/crystal_ball/demotion";
    let answer = console.change(Method::POST, unknown, None).await;
    answer.assert_problem(StatusCode::NOT_FOUND);
    let trail = console
        .get_json("/api/v1/audit?action=detector_demotion")
        .await;
    assert_eq!(trail["items"][0]["subject"], "failure_burst");
}

#[tokio::test]
async fn the_audit_trail_is_filtered_and_paged() {
    let Some(console) = filled().await else {
        return;
    };
    let ids = ids();
    for id in &ids {
        say(
            &console,
            &json!({"subjects": [id], "verdict": "acknowledged", "note": format!("word on {id}")}),
        )
        .await;
    }
    let subjects = async |query: &str| {
        let page = console.get_json(&format!("/api/v1/audit?{query}")).await;
        let items = page["items"].as_array().unwrap();
        let subjects = items.iter().map(|line| line["subject"].clone());
        (
            subjects.collect::<Vec<_>>(),
            page["next_cursor"].as_str().map(str::to_owned),
        )
    };
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let query = format!("action=acknowledged&limit=2&cursor={cursor}");
        let (page, next) = subjects(&query).await;
        seen.extend(page);
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    let newest_first: Vec<_> = ids.iter().rev().map(|id| json!(id)).collect();
    assert_eq!(seen, newest_first);
    assert_eq!(subjects(&format!("subject={}", ids[2])).await.0.len(), 1);
    assert_eq!(subjects("q=WORD%20ON&actor=admin").await.0.len(), 5);
    assert_eq!(subjects("actor=nobody").await.0.len(), 0);
    let page = console.get_json("/api/v1/audit?limit=1").await;
    assert_eq!(
        page["actions"],
        json!(["acknowledged", "login", "user_created"])
    );
}

#[tokio::test]
async fn the_way_of_a_finding_is_told_as_of_its_detection() {
    let Some(console) = filled().await else {
        return;
    };
    let worst = &findings()[4];
    let path = format!("/api/v1/findings/{}/routing", worst.id);
    let told = console.get_json(&path).await;
    assert_eq!(
        (&told["at"], &told["ways"][0]["receiver"]),
        (&json!(worst.detected_at), &json!("critical"))
    );
    let unknown = format!("/api/v1/findings/{}/routing", FindingId::from_bits(77));
    console
        .get(&unknown)
        .await
        .assert_problem(StatusCode::NOT_FOUND);
}
