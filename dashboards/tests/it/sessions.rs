//! Accounts, login and sessions over a real store.

use std::time::Duration;

use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokenwatch_dashboards::{AccountError, Role, create_user, ensure_first_admin, set_password};

use crate::console::Console;

const PASSWORD: &str = "correct horse battery staple";

async fn console_with_ada() -> Option<Console> {
    let console = Console::open().await?;
    let password = SecretString::from(PASSWORD);
    create_user(
        &console.store,
        &console.clock(),
        "ada",
        Role::Viewer,
        &password,
    )
    .await
    .unwrap();
    Some(console)
}

#[tokio::test]
async fn a_session_lasts_from_login_to_logout() {
    let Some(mut console) = console_with_ada().await else {
        return;
    };
    let login = console.log_in("ada", PASSWORD).await;
    assert_eq!(login.status, StatusCode::OK);
    assert_eq!(login.json()["user"]["name"], "ada");
    assert_eq!(login.json()["user"]["role"], "viewer");
    let cookie = login.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    console.cookie = Some(login.cookie());
    let who = console.get_json("/api/v1/session").await;
    assert_eq!(who["user"]["name"], "ada");
    let out = console
        .change(Method::DELETE, "/api/v1/session", None)
        .await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    // The browser may still have the cookie; it is worth nothing now.
    let answer = console.get("/api/v1/session").await;
    answer.assert_problem(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_outlasts_a_restart_and_a_logout_does_too() {
    let Some(mut console) = console_with_ada().await else {
        return;
    };
    console.cookie = Some(console.log_in("ada", PASSWORD).await.cookie());
    let mut restarted = console.restarted();
    assert_eq!(
        restarted.get("/api/v1/session").await.status,
        StatusCode::OK
    );
    let out = restarted
        .change(Method::DELETE, "/api/v1/session", None)
        .await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    restarted = restarted.restarted();
    let answer = restarted.get("/api/v1/session").await;
    answer.assert_problem(StatusCode::UNAUTHORIZED);
    // The first process asks the store again within a minute.
    console.pass(Duration::from_secs(61));
    let answer = console.get("/api/v1/session").await;
    answer.assert_problem(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_unused_session_ends_and_a_used_one_ends_too() {
    let Some(mut console) = console_with_ada().await else {
        return;
    };
    console.cookie = Some(console.log_in("ada", PASSWORD).await.cookie());
    console.pass(Duration::from_secs(3_599));
    assert_eq!(console.get("/api/v1/session").await.status, StatusCode::OK);
    console.pass(Duration::from_hours(1));
    assert_eq!(
        console.get("/api/v1/session").await.status,
        StatusCode::UNAUTHORIZED
    );

    console.cookie = Some(console.log_in("ada", PASSWORD).await.cookie());
    for _ in 0..12 {
        assert_eq!(console.get("/api/v1/session").await.status, StatusCode::OK);
        console.pass(Duration::from_secs(3_599));
    }
    assert_eq!(console.get("/api/v1/session").await.status, StatusCode::OK);
    console.pass(Duration::from_secs(12));
    assert_eq!(
        console.get("/api/v1/session").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_new_password_ends_every_session() {
    let Some(mut console) = console_with_ada().await else {
        return;
    };
    console.cookie = Some(console.log_in("ada", PASSWORD).await.cookie());
    console.pass(Duration::from_secs(61));
    let password = SecretString::from("another long password");
    set_password(&console.store, &console.clock(), "ada", &password)
        .await
        .unwrap();
    assert_eq!(
        console.get("/api/v1/session").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        console.log_in("ada", PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    let login = console.log_in("ada", password.expose_secret()).await;
    assert_eq!(login.status, StatusCode::OK);
}

#[tokio::test]
async fn wrong_names_and_passwords_look_alike_and_are_limited() {
    let Some(console) = console_with_ada().await else {
        return;
    };
    let wrong = console.log_in("ada", "wrong").await;
    let unknown = console.log_in("nobody", "wrong").await;
    let hostile = console.log_in("ada'; DROP TABLE users; --", "wrong").await;
    wrong.assert_problem(StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.body, unknown.body);
    assert_eq!(wrong.body, hostile.body);
    for _ in 0..9 {
        console.log_in("ada", "wrong").await;
    }
    let limited = console.log_in("ada", PASSWORD).await;
    limited.assert_problem(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.header("retry-after"), "30");
    console.pass(Duration::from_secs(30));
    assert_eq!(console.log_in("ada", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    let clock = console.clock();
    let again = ensure_first_admin(&console.store, &clock).await.unwrap();
    assert!(again.is_none());
    let password = SecretString::from(PASSWORD);
    let create = |name| create_user(&console.store, &clock, name, Role::Admin, &password);
    assert!(matches!(create("admin").await, Err(AccountError::Exists)));
    assert!(matches!(create("no spaces").await, Err(AccountError::Name)));
    let unknown = set_password(&console.store, &clock, "nobody", &password).await;
    assert!(matches!(unknown, Err(AccountError::Unknown)));
}
