//! What the API registers, who may, and where it shows.

use http::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::json;
use tokenwatch_dashboards::{Role, create_user};

use crate::console::Console;
use crate::seed::{BUSY, fill};

fn path() -> String {
    format!("/api/v1/tokens/{BUSY}/registration")
}

#[tokio::test]
async fn a_registration_is_written_shown_and_taken_back() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    fill(&console).await;
    let path = path();
    console
        .get(&path)
        .await
        .assert_problem(StatusCode::NOT_FOUND);
    let page = console.get_json(&format!("/api/v1/tokens/{BUSY}")).await;
    assert!(page["registration"].is_null());

    let entry = json!({"owner": "Ada", "class": "sensitive", "allowed_networks": ["192.0.2.7"], "quota": "100/day"});
    let answer = console.change(Method::PUT, &path, Some(&entry)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let written = answer.json();
    assert_eq!(written["registration"]["token"], BUSY.to_string());
    assert_eq!(
        written["registration"]["allowed_networks"][0],
        "192.0.2.7/32"
    );
    let shown = console.get_json(&path).await;
    assert_eq!(
        (&shown["of"], &shown["origin"]),
        (&json!("token"), &json!("api"))
    );
    assert_eq!(shown["since"], written["since"]);
    assert_eq!(shown["registration"], written["registration"]);
    let page = console.get_json(&format!("/api/v1/tokens/{BUSY}")).await;
    assert_eq!(page["registration"], shown);

    let answer = console.change(Method::DELETE, &path, None).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    console
        .get(&path)
        .await
        .assert_problem(StatusCode::NOT_FOUND);
    let answer = console.change(Method::DELETE, &path, None).await;
    answer.assert_problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_field() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    for (entry, want) in [
        (json!({"ownr": "Ada"}), "ownr: unknown field `ownr`"),
        (json!({"token": "5cbc"}), "token: the address says already"),
        (
            json!({"allowed_networks": ["ten"]}),
            "allowed_networks: \"ten\" is neither a network",
        ),
        (
            json!({"created": "2026-02-01", "expires": "2026-01-01"}),
            "expires: must lie after created",
        ),
    ] {
        let answer = console.change(Method::PUT, &path(), Some(&entry)).await;
        answer.assert_problem(StatusCode::BAD_REQUEST);
        let detail = answer.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(detail.starts_with(want), "{detail}");
    }
    let nobody = "/api/v1/tokens/5cbc/registration";
    let answer = console.change(Method::PUT, nobody, Some(&json!({}))).await;
    answer.assert_problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_administrators_register() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    let entry = json!({"owner": "Ada"});
    let answer = console.change(Method::PUT, &path(), Some(&entry)).await;
    answer.assert_problem(StatusCode::UNAUTHORIZED);
    console.log_in_as_admin().await;
    let password = SecretString::from("a long enough password".to_owned());
    create_user(
        &console.store,
        &console.clock(),
        "eve",
        Role::Viewer,
        &password,
    )
    .await
    .unwrap();
    let answer = console.log_in("eve", "a long enough password").await;
    console.cookie = Some(answer.cookie());
    for method in [Method::PUT, Method::DELETE] {
        let answer = console.change(method, &path(), Some(&entry)).await;
        answer.assert_problem(StatusCode::FORBIDDEN);
    }
    assert_eq!(console.store.registrations().await.unwrap(), []);
}
