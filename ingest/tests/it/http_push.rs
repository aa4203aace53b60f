//! The HTTP source: durable before 200, who may push, and every limit.

use std::io::Write;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use tempfile::TempDir;
use tokenwatch_ingest::{
    EventProducer, FileSource, FilesMetrics, HttpPushConfig, HttpPushSettings, KafkaConfig,
    PushKeyConfig, PushMetrics, PushSink, PushSinkSettings, PushTarget, Spool, push_router,
};
use tokenwatch_model::Position;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::{NoSecrets, PATIENCE, Pipeline};

const KEY: &str = "Bearer correct horse battery staple";

fn config() -> HttpPushConfig {
    HttpPushConfig {
        enabled: true,
        keys: vec![PushKeyConfig {
            name: "gateway".to_owned(),
            key_env: Some("KEY".to_owned()),
            key_file: None,
        }],
        ..HttpPushConfig::default()
    }
}

fn settings(config: &HttpPushConfig, dir: &Path) -> HttpPushSettings {
    config
        .validate("push", dir, None, &NoSecrets)
        .expect("valid")
        .expect("turned on")
}

struct Running {
    router: Router,
    metrics: PushMetrics,
    writer: JoinHandle<()>,
}

/// A router over a spool whose writer runs until the router is dropped.
#[expect(
    clippy::disallowed_methods,
    reason = "the writer ends with the test's runtime"
)]
fn start(config: &HttpPushConfig, dir: &Path) -> Running {
    let settings = settings(config, dir);
    let PushSinkSettings::Spool(spool) = &settings.sink else {
        panic!("a spool is configured");
    };
    let metrics = PushMetrics::default();
    let (spool, writer) = Spool::open(spool, metrics.clone()).expect("the spool opens");
    let writer = tokio::spawn(async move {
        writer.run(CancellationToken::new()).await.expect("writes");
    });
    Running {
        router: push_router(settings, PushSink::Spool(spool), metrics.clone()),
        metrics,
        writer,
    }
}

fn request() -> http::request::Builder {
    Request::post("/ingest/v1/events").header("authorization", KEY)
}

async fn push(router: &Router, body: &str) -> Response<Body> {
    send(
        router,
        request()
            .body(Body::from(body.to_owned()))
            .expect("a request"),
    )
    .await
}

async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.expect("an answer")
}

async fn json(response: Response<Body>) -> serde_json::Value {
    let body = axum::body::to_bytes(response.into_body(), 10_000)
        .await
        .expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}

fn spooled(dir: &Path) -> String {
    let mut paths: Vec<_> = std::fs::read_dir(dir.join("spool"))
        .expect("a spool")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("text"))
        .collect()
}

#[tokio::test]
async fn an_answer_of_200_means_that_the_lines_are_in_the_spool() {
    let dir = TempDir::new().expect("a folder");
    let running = start(&config(), dir.path());
    let response = push(&running.router, "{\"a\":1}\n{\"a\":2}\n").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(spooled(dir.path()), "{\"a\":1}\n{\"a\":2}\n");
    assert_eq!(json(response).await, serde_json::json!({"accepted": 2}));
    let array = push(&running.router, "[{\"a\":3}, {\"a\":4}]").await;
    assert_eq!(json(array).await, serde_json::json!({"accepted": 2}));
    assert!(spooled(dir.path()).ends_with("{\"a\":3}\n{\"a\":4}\n"));
    assert_eq!(running.metrics.records.get(), 4);
}

#[tokio::test]
async fn what_was_acknowledged_is_read_after_a_crash_and_a_torn_line_is_not() {
    let dir = TempDir::new().expect("a folder");
    let running = start(&config(), dir.path());
    assert_eq!(
        push(&running.router, "one\ntwo").await.status(),
        StatusCode::OK
    );
    running.writer.abort();
    let segment = dir.path().join("spool/events-00000000000000000000.ndjson");
    let mut torn = std::fs::OpenOptions::new()
        .append(true)
        .open(segment)
        .expect("opens");
    torn.write_all(b"three, which nobody was told is sto")
        .expect("writes");

    let running = start(&config(), dir.path());
    assert_eq!(push(&running.router, "four").await.status(), StatusCode::OK);
    let PushSinkSettings::Spool(spool) = settings(&config(), dir.path()).sink else {
        panic!("a spool is configured");
    };
    let (tx, mut pipeline) = Pipeline::new(4);
    let source = FileSource::new(spool.files(1_000), FilesMetrics::default());
    let reading = source.run(tx, CancellationToken::new());
    tokio::select! {
        result = reading => panic!("the source goes on: {result:?}"),
        () = pipeline.run_until(|pipeline| pipeline.count() == 3) => {}
    }
    let texts: Vec<_> = pipeline
        .received
        .values()
        .flatten()
        .map(|line| line.1.as_str())
        .collect();
    for text in ["one", "two", "four"] {
        assert!(texts.contains(&text), "{texts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushed_lines_leave_the_disk_once_they_are_checkpointed() {
    let dir = TempDir::new().expect("a folder");
    let running = start(&config(), dir.path());
    let secret = "GET /?key=a-planted-secret";
    assert_eq!(push(&running.router, secret).await.status(), StatusCode::OK);
    let PushSinkSettings::Spool(spool) = settings(&config(), dir.path()).sink else {
        panic!("a spool is configured");
    };
    let (tx, mut pipeline) = Pipeline::new(4);
    let source = FileSource::new(spool.files(1_000), FilesMetrics::default());
    let handle = source.handle();
    let checkpointing = async {
        pipeline.run_until(|pipeline| pipeline.count() == 1).await;
        let checkpoint = pipeline
            .positions
            .iter()
            .map(|(stream, next_offset)| Position {
                stream: stream.clone(),
                next_offset: *next_offset,
            });
        handle.committed(&checkpoint.collect::<Vec<_>>());
        pipeline
            .run_until(|pipeline| pipeline.assigned.is_empty())
            .await;
    };
    tokio::select! {
        result = source.run(tx, CancellationToken::new()) => panic!("the source goes on: {result:?}"),
        () = checkpointing => {}
    }
    assert_eq!(spooled(dir.path()), "");
}

#[tokio::test]
async fn many_requests_share_a_sync() {
    let dir = TempDir::new().expect("a folder");
    let mut config = config();
    config.concurrent_requests_limit = 64;
    let running = start(&config, dir.path());
    let answers = futures::future::join_all((0..64).map(|_| push(&running.router, "line"))).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status() == StatusCode::OK)
    );
    assert_eq!(running.metrics.records.get(), 64);
    let syncs = running.metrics.syncs.get();
    assert!(syncs <= 32, "{syncs} syncs for 64 requests");
}

#[tokio::test]
async fn requests_are_refused_with_the_reason() {
    let dir = TempDir::new().expect("a folder");
    let mut config = config();
    config.body_bytes_limit = bytesize::ByteSize::b(100);
    let running = start(&config, dir.path());
    let base = || Request::post("/ingest/v1/events");
    let with_key = || base().header("authorization", KEY);
    let large = "x".repeat(101);
    let cases = [
        (base(), "{}", StatusCode::UNAUTHORIZED),
        (
            base().header("x-api-key", "a wrong key, long enough"),
            "{}",
            StatusCode::UNAUTHORIZED,
        ),
        (
            with_key().header("content-type", "image/png"),
            "{}",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            with_key().header("content-encoding", "br"),
            "{}",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (with_key(), large.as_str(), StatusCode::PAYLOAD_TOO_LARGE),
        (
            with_key().header("content-length", "101"),
            "{}",
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            with_key().header("content-encoding", "gzip"),
            "{}",
            StatusCode::BAD_REQUEST,
        ),
        (with_key(), "[{\"a\":1},", StatusCode::OK),
        (with_key(), "[{\"a\":1},]", StatusCode::BAD_REQUEST),
    ];
    for (builder, body, status) in cases {
        let request = builder
            .body(Body::from(body.to_owned()))
            .expect("a request");
        let response = send(&running.router, request).await;
        assert_eq!(response.status(), status, "{body}");
        if status != StatusCode::OK {
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json"
            );
            assert_eq!(json(response).await["status"], status.as_u16());
        }
    }
    assert_eq!(running.metrics.refused.get(), 8);
    let get = Request::get("/ingest/v1/events")
        .body(Body::empty())
        .expect("a request");
    assert_eq!(
        send(&running.router, get).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn more_requests_than_the_limit_are_put_off() {
    let dir = TempDir::new().expect("a folder");
    let mut config = config();
    config.concurrent_requests_limit = 1;
    let running = start(&config, dir.path());
    // A body that never ends holds the only place.
    let endless = Body::from_stream(futures::stream::pending::<
        Result<bytes::Bytes, std::io::Error>,
    >());
    let held = running
        .router
        .clone()
        .oneshot(request().body(endless).expect("a request"));
    let mut held = Box::pin(held);
    assert!(futures::poll!(&mut held).is_pending());
    let response = push(&running.router, "line").await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "1");
    drop(held);
    assert_eq!(push(&running.router, "line").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_full_spool_puts_requests_off() {
    let dir = TempDir::new().expect("a folder");
    let mut config = config();
    config.inflated_bytes_limit = bytesize::ByteSize::b(100);
    config.spool_bytes_limit = bytesize::ByteSize::b(100);
    let running = start(&config, dir.path());
    let line = "x".repeat(60);
    assert_eq!(push(&running.router, &line).await.status(), StatusCode::OK);
    let response = push(&running.router, &line).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(running.metrics.failed.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pushed_lines_may_go_to_a_topic_and_are_there_when_the_answer_comes() {
    let cluster = MockCluster::new(1).expect("a mock cluster starts");
    cluster
        .create_topic("pushed", 1, 1)
        .expect("a topic is created");
    let kafka = KafkaConfig {
        brokers: vec![cluster.bootstrap_servers()],
        topics: vec!["pushed".to_owned()],
        ..KafkaConfig::default()
    };
    let kafka = kafka
        .validate("kafka", &NoSecrets)
        .expect("valid")
        .expect("turned on");
    let mut config = config();
    config.to = PushTarget::Kafka;
    config.topic = "pushed".to_owned();
    let settings = config
        .validate("push", Path::new("/"), Some(&kafka.connection), &NoSecrets)
        .expect("valid")
        .expect("turned on");
    let producer = EventProducer::new(&kafka.connection, "pushed").expect("a producer");
    let router = push_router(settings, PushSink::Kafka(producer), PushMetrics::default());
    let response = push(&router, "one\ntwo\n").await;
    assert_eq!(json(response).await, serde_json::json!({"accepted": 2}));

    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .create()
        .expect("a consumer");
    assert_eq!(
        consumer
            .fetch_watermarks("pushed", 0, PATIENCE)
            .expect("offsets"),
        (0, 2)
    );
}
