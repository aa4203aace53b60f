//! An embedded store as a service leaves it behind: events, and what the engine made of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokenwatch_detectors::{Detections, DetectorsConfig, Engine};
use tokenwatch_model::{
    AccessEvent, Client, Clock, CountryCode, EventFlags, Format, Http, Origin, Outcome,
    SecretSource, Timestamp, TokenId, TokenKind, TokenUse,
};
use tokenwatch_store::{Store, StoreConfig, StoreMetrics, Target};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Monday, 2026-11-02, 00:00 UTC.
pub(crate) const MONDAY: i64 = 1_793_577_600;
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;

/// A call of `token`, `at` seconds after Monday.
pub(crate) fn call(token: u128, at: i64, path: &str, status: u16) -> AccessEvent<'static> {
    AccessEvent {
        ts: Timestamp::from_secs(MONDAY + at),
        format: Format::Kong,
        request_id: Some(format!("req-{token}-{at}").into()),
        token: Some(TokenUse {
            id: TokenId::from_bits(token),
            kind: TokenKind::ApiKey,
            credential_id: Some(format!("key-{token}").into()),
            instance: None,
            consumer: Some("acme".into()),
            scopes: Vec::new(),
            fingerprint: None,
            issued_at: None,
            expires_at: None,
            jwt: None,
        }),
        client: Client {
            ip: Some([192, 0, 2, 7].into()),
            country: CountryCode::parse("DE"),
            asn: Some(3_320),
            user_agent: Some("acme-sdk/2.1".into()),
            ..Client::default()
        },
        http: Http {
            method: Some("GET".into()),
            path: Some(path.to_owned().into()),
            status: Some(status),
            ..Http::default()
        },
        tls: None,
        outcome: Outcome::of_status(Some(status)),
        flags: EventFlags::default(),
        origin: Origin::default(),
    }
}

/// A folder with a configuration and the store that it names.
pub(crate) struct Deployment {
    folder: TempDir,
}

/// The part of a configuration that the engine needs.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    detectors: DetectorsConfig,
}

struct NoSecrets;

impl SecretSource for NoSecrets {
    fn env(&self, _: &str) -> Option<secrecy::SecretString> {
        None
    }

    fn file(&self, _: &str) -> Result<secrecy::SecretString, String> {
        Err("tests have no secrets".to_owned())
    }
}

impl Deployment {
    /// A store with `events` and what the engine finds in them with the settings in `detectors` (TOML); `None`, with a
    /// line that says why, where there is no engine.
    pub(crate) fn with(mut events: Vec<AccessEvent<'static>>, detectors: &str) -> Option<Self> {
        let library = library()?;
        let deployment = Self {
            folder: TempDir::new().unwrap(),
        };
        deployment.configure("stored.toml", detectors, &library);
        events.sort_by_key(|event| event.ts);
        for (offset, event) in events.iter_mut().enumerate() {
            event.origin.topic = Some("gateway.access".into());
            event.origin.partition = Some(0);
            event.origin.offset = Some(offset as i64);
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(deployment.fill(&events, detectors, library));
        Some(deployment)
    }

    /// Writes a configuration with these settings of the detectors.
    pub(crate) fn configure(&self, name: &str, detectors: &str, library: &Path) {
        let text = format!(
            "[log]\nlevel = \"warn\"\n\n[store.embedded]\npath = \"{}\"\nlibrary = \"{}\"\n\n{detectors}\n",
            self.data().display(),
            library.display()
        );
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The same with the library of the store that there is.
    pub(crate) fn reconfigure(&self, name: &str, detectors: &str) {
        self.configure(name, detectors, &library().unwrap());
    }

    /// Runs `tokenwatch` in the folder.
    pub(crate) fn tokenwatch(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tokenwatch"))
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("TOKENWATCH_CONFIG")
            .output()
            .unwrap()
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("clickhouse")
    }

    async fn fill(&self, events: &[AccessEvent<'static>], detectors: &str, library: PathBuf) {
        let written: Written = toml::from_str(detectors).unwrap();
        let settings = written.detectors.validate("detectors").unwrap();
        let mut engine = Engine::new(Arc::new(settings));
        let mut found = Detections::default();
        engine.process(events, &mut found);
        let mut store = StoreConfig::default()
            .validate("store", &NoSecrets)
            .unwrap();
        if let Target::Embedded(embedded) = &mut store.target {
            embedded.path = self.data();
            embedded.library = Some(library);
            let program = PathBuf::from(env!("CARGO_BIN_EXE_tokenwatch"));
            embedded.command = Some((program, vec!["embedded-clickhouse".to_owned()]));
        }
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let clock = Clock::fixed(Timestamp::from_secs(MONDAY + 30 * DAY));
        let metrics = StoreMetrics::default();
        let store = Store::open(&store, clock, metrics, &tasks, cancel.clone()).await;
        let store = store.unwrap();
        store.migrate().await.unwrap();
        for batch in events.chunks(50_000) {
            store.insert_events(batch).await.unwrap();
        }
        store.insert_signals(&found.signals).await.unwrap();
        store.insert_findings(&found.findings).await.unwrap();
        store.insert_incidents(&found.incidents).await.unwrap();
        cancel.cancel();
        tasks.close();
        tasks.wait().await;
    }
}

/// The lines of standard output.
pub(crate) fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The embedded engine's library, in the project's folder.
fn library() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/fetched/chdb/libchdb.so");
    if path.is_file() {
        return path.canonicalize().ok();
    }
    eprintln!("SKIPPED: no ClickHouse to test with: run make fetch");
    None
}
