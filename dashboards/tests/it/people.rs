//! What operators do: silences with a preview, acknowledgements, and the ledger that says what came of them.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokenwatch_dashboards::{Role, create_user};

use crate::console::Console;
use crate::seed::{INCIDENT, fill, findings};

async fn filled() -> Option<Console> {
    let mut console = Console::open().await?;
    console.log_in_as_admin().await;
    fill(&console).await;
    Some(console)
}

fn silence(consumer: &str) -> Value {
    json!({"ends_at": "2026-11-21T14:00:00Z", "reason": "load test", "matcher": {"consumers": [consumer]}})
}

#[tokio::test]
async fn a_silence_is_previewed_made_extended_and_ended() {
    let Some(console) = filled().await else {
        return;
    };
    let matcher = json!({"matcher": {"severity": "high"}});
    let path = "/api/v1/silences/preview";
    let preview = console.change(Method::POST, path, Some(&matcher)).await;
    assert_eq!(preview.status, StatusCode::OK, "{preview:?}");
    let preview = preview.json();
    assert_eq!(
        (&preview["open"], &preview["matched"]),
        (&2.into(), &2.into())
    );
    assert_eq!(preview["looked_at"], 5);
    assert_eq!(preview["findings"].as_array().map(Vec::len), Some(2));

    let made = console
        .change(Method::POST, "/api/v1/silences", Some(&silence("acme")))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let made = made.json();
    assert_eq!(
        (&made["state"], &made["created_by"]),
        (&"active".into(), &"admin".into())
    );
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("sil_"));

    let path = format!("/api/v1/silences/{id}");
    let later = json!({"ends_at": "2026-11-22T14:00:00Z"});
    let changed = console.change(Method::PATCH, &path, Some(&later)).await;
    assert_eq!(changed.json()["ends_at"], "2026-11-22T14:00:00.000Z");
    assert_eq!(changed.json()["reason"], "load test");
    let stored = console.store.silences(console.clock().now()).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].matcher.consumers, ["acme"]);

    let ended = console.change(Method::DELETE, &path, None).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    let listed = console.get_json("/api/v1/silences").await;
    assert_eq!(listed["items"][0]["state"], "ended");
    console
        .change(Method::DELETE, &path, None)
        .await
        .assert_problem(StatusCode::NOT_FOUND);
    let trail = console.get_json("/api/v1/audit").await;
    let of_it: Vec<&str> = trail["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["subject"] == id && line["actor"] == "admin")
        .filter_map(|line| line["action"].as_str())
        .collect();
    for action in ["silence_created", "silence_changed", "silence_ended"] {
        assert!(of_it.contains(&action), "{of_it:?}");
    }
}

#[tokio::test]
async fn a_silence_that_makes_no_sense_is_refused() {
    let Some(console) = filled().await else {
        return;
    };
    let mut everything = silence("acme");
    everything["matcher"] = json!({});
    let mut past = silence("acme");
    past["ends_at"] = json!("2026-11-21T11:00:00Z");
    let mut endless = silence("acme");
    endless["ends_at"] = json!("2028-01-01T00:00:00Z");
    let mut wordless = silence("acme");
    wordless["reason"] = json!(" ");
    for body in [everything, past, endless, wordless] {
        console
            .change(Method::POST, "/api/v1/silences", Some(&body))
            .await
            .assert_problem(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn viewers_look_and_change_nothing() {
    let Some(mut console) = filled().await else {
        return;
    };
    let password = "a long enough password".into();
    create_user(
        &console.store,
        &console.clock(),
        "vera",
        Role::Viewer,
        &password,
    )
    .await
    .unwrap();
    let answer = console.log_in("vera", "a long enough password").await;
    console.cookie = Some(answer.cookie());
    console.get_json("/api/v1/silences").await;
    console
        .change(Method::POST, "/api/v1/silences", Some(&silence("acme")))
        .await
        .assert_problem(StatusCode::FORBIDDEN);
    let path = format!("/api/v1/incidents/{INCIDENT}/acknowledgement");
    console
        .change(Method::POST, &path, Some(&json!({})))
        .await
        .assert_problem(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn findings_and_incidents_are_acknowledged_and_that_is_withdrawn() {
    let Some(console) = filled().await else {
        return;
    };
    let finding = findings()[4].id;
    let path = format!("/api/v1/findings/{finding}/acknowledgement");
    let body = json!({"note": "looking into it"});
    let answer = console.change(Method::POST, &path, Some(&body)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    let since = console.clock().now() - std::time::Duration::from_hours(1);
    let words = console.store.acknowledgements(since).await.unwrap();
    assert_eq!(words.len(), 1);
    assert_eq!(
        (words[0].subject.as_str(), words[0].is_withdrawn),
        (&*finding.to_string(), false)
    );
    console.pass(std::time::Duration::from_secs(1));
    console.change(Method::DELETE, &path, None).await;
    let words = console.store.acknowledgements(since).await.unwrap();
    assert!(words[0].is_withdrawn);
    let path = format!("/api/v1/incidents/{INCIDENT}/acknowledgement");
    let answer = console.change(Method::POST, &path, Some(&json!({}))).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    for unknown in [
        "/api/v1/findings/fnd_7zzzzzzzzzzzzzzzzzzzzzzzzz/acknowledgement",
        "/api/v1/incidents/inc_none/acknowledgement",
    ] {
        console
            .change(Method::POST, unknown, Some(&json!({})))
            .await
            .assert_problem(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_ledger_is_filtered_and_paged() {
    let Some(console) = filled().await else {
        return;
    };
    let count = async |query: &str| {
        let page = console
            .get_json(&format!("/api/v1/notifications?{query}"))
            .await;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 1);
    assert_eq!(count("result=sent&receiver=on-call").await, 1);
    assert_eq!(count("result=failed,muted,waiting").await, 0);
    assert_eq!(count(&format!("finding={}", findings()[4].id)).await, 1);
    assert_eq!(count(&format!("finding={}", findings()[0].id)).await, 0);
    assert_eq!(
        count("from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z").await,
        0
    );
    let page = console.get_json("/api/v1/notifications?limit=1").await;
    assert_eq!(page["items"][0]["occasion"], "opened");
    console
        .get("/api/v1/notifications?result=eaten")
        .await
        .assert_problem(StatusCode::BAD_REQUEST);
}
