//! The router under test, with a clock that tests move and a client that speaks like the console.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokenwatch_dashboards::{
    DashboardParts, DashboardState, DashboardsConfig, DashboardsMetrics, Explainer, LiveEvent,
    PipelineStatus, Readiness, Registrar, RegistrarError, RouteTeller, ensure_first_admin, router,
};
use tokenwatch_model::{Clock, RegistryOrigin, ResponseLinkKey, SecretSource, Timestamp};
use tokenwatch_store::testing::TestStore;
use tokenwatch_store::{RegistrationVersion, Store, StoreConfig, StoreMetrics};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Saturday, 21 November 2026, 12:00 UTC.
pub(crate) const NOON: i64 = 1_795_262_400;
pub(crate) const METRICS_TOKEN: &str = "scrape-me";
pub(crate) const LINK_KEY: &[u8] = b"a key of thirty-two bytes, or so.";

/// A console that requests go into.
pub(crate) struct Console {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) live: broadcast::Sender<LiveEvent>,
    pub(crate) readiness: watch::Sender<Readiness>,
    pub(crate) pipeline: watch::Sender<PipelineStatus>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) cookie: Option<String>,
    now: Arc<AtomicI64>,
    _engine: Option<TestStore>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

struct Secrets;

impl SecretSource for Secrets {
    fn env(&self, name: &str) -> Option<SecretString> {
        (name == "METRICS_TOKEN").then(|| SecretString::from(METRICS_TOKEN))
    }

    fn file(&self, path: &str) -> Result<SecretString, String> {
        Err(format!("there is no {path}"))
    }
}

impl Console {
    /// Over a real store; `None`, loudly, where there is no ClickHouse.
    pub(crate) async fn open() -> Option<Self> {
        let engine = TestStore::open().await?;
        let store = engine.store.clone();
        Some(Self::over(
            store,
            Some(engine),
            &DashboardsConfig::default(),
        ))
    }

    /// Over a store that does not answer.
    pub(crate) async fn without_store(config: DashboardsConfig) -> Self {
        let written = StoreConfig {
            // Nothing listens on port 1.
            url: "http://127.0.0.1:1".to_owned(),
            ..StoreConfig::default()
        };
        let settings = written.validate("store", &Secrets).unwrap();
        let store = Store::open(
            &settings,
            Clock::fixed(Timestamp::from_secs(NOON)),
            StoreMetrics::default(),
            &TaskTracker::new(),
            CancellationToken::new(),
        )
        .await
        .unwrap();
        Self::over(store, None, &config)
    }

    /// The same console after a restart: a new process over the same store, and the browser's cookie.
    pub(crate) fn restarted(&self) -> Self {
        let mut next = Self::over(self.store.clone(), None, &DashboardsConfig::default());
        next.cookie.clone_from(&self.cookie);
        next.now
            .store(self.now.load(Ordering::Relaxed), Ordering::Relaxed);
        next
    }

    fn over(store: Store, engine: Option<TestStore>, config: &DashboardsConfig) -> Self {
        let now = Arc::new(AtomicI64::new(NOON));
        let hand = Arc::clone(&now);
        let clock = Clock::new(move || Timestamp::from_secs(hand.load(Ordering::Relaxed)));
        let metrics = DashboardsMetrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let (live, _) = broadcast::channel(4);
        let (readiness, readiness_seen) = watch::channel(Readiness::default());
        let (pipeline, pipeline_seen) = watch::channel(PipelineStatus::default());
        let shutdown = CancellationToken::new();
        let state = DashboardState::new(DashboardParts {
            settings: config.validate("dashboards", &Secrets).unwrap(),
            store: store.clone(),
            clock,
            metrics,
            registry: Arc::new(registry),
            readiness: readiness_seen,
            pipeline: pipeline_seen,
            live: live.clone(),
            explainer: Explainer::new(async |token, at: Timestamp| {
                Ok(json!({"token": {"id": token}, "at": at}))
            }),
            routing: RouteTeller::new(|finding, at| {
                json!({"at": at, "steps": [], "ways": [{"receiver": finding.severity.name()}]})
            }),
            registrar: registrar(store.clone(), Arc::clone(&now)),
            link_key: Some(ResponseLinkKey::new(LINK_KEY)),
            shutdown: shutdown.clone(),
        })
        .unwrap();
        Self {
            router: router(state),
            store,
            live,
            readiness,
            pipeline,
            shutdown,
            cookie: None,
            now,
            _engine: engine,
        }
    }

    /// Moves the clock on.
    pub(crate) fn pass(&self, time: Duration) {
        let secs = i64::try_from(time.as_secs()).unwrap();
        self.now.fetch_add(secs, Ordering::Relaxed);
    }

    pub(crate) fn clock(&self) -> Clock {
        let hand = Arc::clone(&self.now);
        Clock::new(move || Timestamp::from_secs(hand.load(Ordering::Relaxed)))
    }

    /// Creates the first administrator and logs in.
    pub(crate) async fn log_in_as_admin(&mut self) {
        let password = ensure_first_admin(&self.store, &self.clock())
            .await
            .unwrap()
            .expect("a fresh store has no user");
        let answer = self.log_in("admin", password.expose_secret()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        self.cookie = Some(answer.cookie());
    }

    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Answer {
        let body = json!({"username": name, "password": password});
        self.change(Method::POST, "/api/v1/session", Some(&body))
            .await
    }

    /// A request of the console that changes something.
    pub(crate) async fn change(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-tokenwatch-request", "1")
            .header(ORIGIN, "http://localhost:8080");
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, format!("theme=dark; {cookie}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut request = Request::builder().uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// What a page of the console asks for; it must be answered.
    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request
            .headers_mut()
            .entry(HOST)
            .or_insert("localhost:8080".parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }
}

/// Writes what it is told, as of the console's time; the service lets its pipeline do so.
fn registrar(store: Store, now: Arc<AtomicI64>) -> Registrar {
    Registrar::new(move |key, entry, actor| {
        let (store, now) = (store.clone(), Arc::clone(&now));
        async move {
            // Every change is later than the one before.
            let since = Timestamp::from_secs(now.fetch_add(1, Ordering::Relaxed));
            let known = store.registrations().await?;
            let last = known.iter().rfind(|version| version.key == key);
            if entry.is_none() && last.is_none_or(|version| version.entry.is_none()) {
                return Err(RegistrarError::Unknown);
            }
            let version = RegistrationVersion {
                key,
                origin: RegistryOrigin::Api,
                since,
                actor,
                entry: entry.map(|entry| *entry),
            };
            store.insert_registrations(&[version]).await?;
            Ok(since)
        }
    })
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// What a browser would send back of the session cookie.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.headers[SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The answer is an error of this status, told as problem details.
    pub(crate) fn assert_problem(&self, status: StatusCode) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status.as_u16());
        for key in ["type", "title", "detail"] {
            assert!(problem[key].is_string(), "{problem}");
        }
    }
}
