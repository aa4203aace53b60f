//! Against a real server on loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use secrecy::SecretString;

use super::*;

const TOKENS: &str = "[{\"token\":\"5cbc01\",\"owner\":\"Ada\"}]";

async fn tokens(State(asked): State<Arc<AtomicUsize>>, headers: HeaderMap) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    let bearer = headers.get(header::AUTHORIZATION);
    if bearer.is_none_or(|bearer| bearer != "Bearer s3cret") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|tag| tag == "\"1\"")
    {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, "\"1\"")], TOKENS).into_response()
}

async fn csv() -> Response {
    (
        [(header::CONTENT_TYPE, "text/csv")],
        "token,owner\n5cbc01,Ada\n",
    )
        .into_response()
}

async fn serve() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let app = Router::new()
        .route("/tokens", get(tokens))
        .route("/csv", get(csv))
        .route(
            "/wrong",
            get(|| async { "[{\"token\":\"a\"},\n{\"tokne\":\"b\"}]" }),
        )
        .route("/large", get(|| async { "x".repeat(2_000) }))
        .route("/away", get(|| async { Redirect::temporary("/tokens") }))
        .with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), asked)
}

fn inventory(url: &str) -> Inventory {
    Inventory::new(RegistryHttpSettings {
        url: url.parse().expect("a URL"),
        bearer: Some(SecretString::from("s3cret".to_owned())),
        poll_every: Duration::from_mins(1),
        timeout: Duration::from_secs(5),
        body_bytes_limit: 1_000,
    })
    .expect("a client")
}

#[tokio::test]
async fn what_is_unchanged_is_not_sent_again_once_it_was_taken_over() {
    let (base, asked) = serve().await;
    let mut inventory = inventory(&format!("{base}/tokens"));
    for _ in 0..2 {
        let Ok(Answer::Entries(entries, Some(tag))) = inventory.poll().await else {
            panic!("entries, for the tag is not taken over yet");
        };
        assert_eq!(entries[0].owner.as_deref(), Some("Ada"));
        assert_eq!(tag, "\"1\"");
    }
    inventory.accepted(Some(HeaderValue::from_static("\"1\"")));
    assert!(matches!(inventory.poll().await, Ok(Answer::Unchanged)));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_no_secret_with_it() {
    let (base, asked) = serve().await;
    for (path, want) in [
        (
            "/wrong",
            "the answer cannot be read: 2: tokne: unknown field",
        ),
        ("/large", "the answer is larger than 1000 bytes"),
        ("/away", "the answer was 307"),
        ("/nothing", "the answer was 404"),
    ] {
        let error = inventory(&format!("{base}{path}"))
            .poll()
            .await
            .expect_err(path);
        assert!(error.to_string().starts_with(want), "{path}: {error}");
    }
    assert_eq!(
        asked.load(Ordering::SeqCst),
        0,
        "a redirect is not followed"
    );
    let mut settings = inventory(&format!("{base}/csv"));
    settings.accepted(None);
    assert!(
        matches!(settings.poll().await, Ok(Answer::Entries(entries, None)) if entries.len() == 1)
    );
    let error = inventory("http://127.0.0.1:1/")
        .poll()
        .await
        .expect_err("nobody is there");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
