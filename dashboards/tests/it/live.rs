//! The live stream: what it tells, and when it ends.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use http::{Method, Request, StatusCode};
use tokenwatch_dashboards::{LiveEvent, LiveStats};
use tokenwatch_model::{FindingStatus, Severity};
use tower::ServiceExt;

use crate::console::Console;
use crate::seed::finding;

/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(console: &Console) -> BodyDataStream {
    let request = Request::get("/api/v1/live")
        .header("cookie", console.cookie.clone().unwrap())
        .header("accept-encoding", "gzip")
        .body(Body::empty())
        .unwrap();
    let response = console.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(!response.headers().contains_key("content-encoding"));
    let mut stream = response.into_body().into_data_stream();
    assert!(read_until(&mut stream, "\n\n").await.contains("retry"));
    stream
}

/// What comes, up to and with `end`.
async fn read_until(stream: &mut BodyDataStream, end: &str) -> String {
    let read = async {
        let mut text = String::new();
        while !text.contains(end) {
            let chunk = stream.next().await.expect("the stream goes on").unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        text
    };
    tokio::time::timeout(PATIENCE, read)
        .await
        .expect("it comes in time")
}

async fn ends(stream: &mut BodyDataStream) -> bool {
    tokio::time::timeout(PATIENCE, stream.next())
        .await
        .is_ok_and(|end| end.is_none())
}

#[tokio::test]
async fn findings_and_figures_arrive_as_they_happen() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    let mut stream = connect(&console).await;
    let opened = finding(0, Severity::High, FindingStatus::Open);
    console
        .live
        .send(LiveEvent::Finding(Arc::new(opened.clone())))
        .unwrap();
    let text = read_until(&mut stream, "\n\n").await;
    let data = text.strip_prefix("event: finding\ndata: ").unwrap();
    assert_eq!(
        serde_json::from_str::<tokenwatch_model::Finding>(data).unwrap(),
        opened
    );
    console
        .live
        .send(LiveEvent::Stats(LiveStats::default()))
        .unwrap();
    let text = read_until(&mut stream, "\n\n").await;
    assert!(text.starts_with("event: stats\ndata: {\"t\":\"1970-01-01T00:00:00.000Z\","));
}

#[tokio::test]
async fn a_client_that_is_too_slow_is_told_to_load_afresh() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    let mut stream = connect(&console).await;
    for _ in 0..10 {
        console
            .live
            .send(LiveEvent::Stats(LiveStats::default()))
            .unwrap();
    }
    let text = read_until(&mut stream, "\n\n").await;
    assert_eq!(text, "event: resync\ndata: {\"missed\":6}\n\n");
}

#[tokio::test]
async fn streams_end_at_shutdown() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    let mut stream = connect(&console).await;
    console.shutdown.cancel();
    assert!(ends(&mut stream).await);
}

#[tokio::test]
async fn streams_end_with_their_session() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    let mut stream = connect(&console).await;
    let out = console
        .change(Method::DELETE, "/api/v1/session", None)
        .await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(ends(&mut stream).await);
}
