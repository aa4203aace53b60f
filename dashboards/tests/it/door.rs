//! What stands before the API and holds without a store: headers, guards, health, assets, errors.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use tokenwatch_dashboards::{DashboardsConfig, NotReady, Readiness};

use crate::console::{Console, METRICS_TOKEN};

async fn closed() -> Console {
    Console::without_store(DashboardsConfig::default()).await
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let console = closed().await;
    for path in [
        "/",
        "/healthz",
        "/api/v1/overview",
        "/api/v1/nothing",
        "/no.js",
        "/findings",
    ] {
        let answer = console.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{path}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.header("permissions-policy").contains("camera=()"));
        assert_eq!(answer.header("strict-transport-security"), "");
    }
}

#[tokio::test]
async fn behind_tls_browsers_are_told_to_stay_there() {
    let console = Console::without_store(DashboardsConfig {
        public_url: "https://tokenwatch.example.com".to_owned(),
        ..DashboardsConfig::default()
    })
    .await;
    let answer = console.get("/healthz").await;
    assert_eq!(
        answer.header("strict-transport-security"),
        "max-age=31536000"
    );
}

#[tokio::test]
async fn nothing_of_the_api_is_told_without_a_session() {
    let console = closed().await;
    let id = "tok_00000000000000000000000001";
    let finding = "fnd_00000000000000000000000001";
    let paths = [
        "/session".to_owned(),
        "/overview".to_owned(),
        "/pipeline".to_owned(),
        "/findings".to_owned(),
        format!("/findings/{finding}"),
        format!("/findings/{finding}/events"),
        "/tokens".to_owned(),
        format!("/tokens/{id}"),
        format!("/tokens/{id}/series"),
        format!("/tokens/{id}/geography"),
        format!("/tokens/{id}/routes"),
        format!("/tokens/{id}/clients"),
        format!("/tokens/{id}/events"),
        "/live".to_owned(),
    ];
    for path in paths {
        let answer = console.get(&format!("/api/v1{path}")).await;
        answer.assert_problem(StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn changes_from_elsewhere_are_refused() {
    let console = closed().await;
    let post = |headers: &[(&'static str, &str)]| {
        let mut request =
            Request::post("/api/v1/session").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Body::from(r#"{"username":"admin","password":"x"}"#);
        console.send(request.body(body).unwrap())
    };
    let own = ("origin", "http://localhost:8080");
    let mark = ("x-tokenwatch-request", "1");
    for headers in [
        &[own][..],
        &[mark],
        &[mark, ("origin", "https://evil.example")],
        &[mark, ("origin", "http://localhost:8081")],
    ] {
        post(headers).await.assert_problem(StatusCode::FORBIDDEN);
    }
    // The guard lets this one pass, and the store is not there.
    let answer = post(&[own, mark]).await;
    answer.assert_problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn without_the_store_a_session_cannot_be_known_and_the_client_is_told_to_wait() {
    let mut console = closed().await;
    console.cookie = Some(format!("tokenwatch_session={}", "A".repeat(43)));
    let answer = console.get("/api/v1/overview").await;
    answer.assert_problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "5");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn guessing_session_ids_is_limited_before_it_reaches_the_store() {
    let mut console = closed().await;
    let mut last = StatusCode::OK;
    for index in 0..61u8 {
        let id = data_encoding::BASE64URL_NOPAD.encode(&[index; 32]);
        console.cookie = Some(format!("tokenwatch_session={id}"));
        last = console.get("/api/v1/session").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_body_that_is_no_login_is_refused_without_quoting_it() {
    let console = closed().await;
    let check = async |kind: &str, body: String, status: StatusCode| {
        let request = Request::post("/api/v1/session")
            .header("content-type", kind)
            .header("x-tokenwatch-request", "1")
            .header("origin", "http://localhost:8080")
            .body(Body::from(body))
            .unwrap();
        let answer = console.send(request).await;
        answer.assert_problem(status);
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
    };
    let bad = StatusCode::BAD_REQUEST;
    check(
        "application/json",
        "{\"username\":\"hunter2\"".to_owned(),
        bad,
    )
    .await;
    check("application/json", r#"{"hunter2":1}"#.to_owned(), bad).await;
    check(
        "application/x-www-form-urlencoded",
        "password=hunter2".to_owned(),
        bad,
    )
    .await;
    check(
        "application/json",
        format!("{{\"x\":\"{}\"}}", "a".repeat(20_000)),
        bad,
    )
    .await;
    let long = format!(
        r#"{{"username":"admin","password":"{}"}}"#,
        "p".repeat(2_000)
    );
    check("application/json", long, StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let console = closed().await;
    assert_eq!(console.get("/readyz").await.status, StatusCode::OK);
    console.readiness.send_replace(Readiness {
        reasons: vec![NotReady {
            name: "store".to_owned(),
            detail: "ClickHouse does not answer".to_owned(),
        }],
    });
    let answer = console.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["ready"], false);
    assert_eq!(answer.json()["reasons"][0]["name"], "store");
    assert_eq!(console.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_can_ask_for_a_token() {
    let console = closed().await;
    console.get("/healthz").await;
    console
        .get("/api/v1/tokens/tok_00000000000000000000000001")
        .await;
    let text = String::from_utf8(console.get("/metrics").await.body.to_vec()).unwrap();
    let expected = [
        r#"tokenwatch_dashboards_requests_total{route="/healthz",class="Ok"} 1"#,
        r#"tokenwatch_dashboards_requests_total{route="/api/v1/tokens/{id}",class="ClientError"} 1"#,
    ];
    for line in expected {
        assert!(text.contains(line), "{text}");
    }
    let guarded = Console::without_store(DashboardsConfig {
        metrics_token_env: "METRICS_TOKEN".to_owned(),
        ..DashboardsConfig::default()
    })
    .await;
    let ask = async |token: &str| {
        let request = Request::get("/metrics").header("authorization", token);
        guarded
            .send(request.body(Body::empty()).unwrap())
            .await
            .status
    };
    assert_eq!(
        guarded.get("/metrics").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ask("Bearer wrong").await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask(&format!("Bearer {METRICS_TOKEN}")).await,
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_console_answers_on_every_page_and_only_there() {
    let console = closed().await;
    for path in ["/", "/findings", "/tokens/tok_00000000000000000000000001"] {
        let answer = console.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
    for path in [
        "/api/v1/nothing",
        "/api/nothing",
        "/missing.js",
        "/assets/x",
        "/../Cargo.toml",
    ] {
        console
            .get(path)
            .await
            .assert_problem(StatusCode::NOT_FOUND);
    }
    let post = Request::post("/findings").body(Body::empty()).unwrap();
    console
        .send(post)
        .await
        .assert_problem(StatusCode::METHOD_NOT_ALLOWED);
    let answer = console.change(Method::PUT, "/api/v1/findings", None).await;
    answer.assert_problem(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_page_that_the_browser_has_is_not_sent_again_and_others_go_out_compressed() {
    let console = closed().await;
    let tag = console.get("/").await.header("etag").to_owned();
    let ask = |name: &'static str, value: String| {
        let request = Request::get("/").header(name, value);
        console.send(request.body(Body::empty()).unwrap())
    };
    let again = ask("if-none-match", tag).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert!(again.body.is_empty());
    let packed = ask("accept-encoding", "gzip".to_owned()).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
}
