//! A real store for tests: a server if `TOKENWATCH_TEST_CLICKHOUSE_URL` names one, else the embedded engine.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokenwatch_model::{AccessEvent, Clock, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{StoreConfig, StoreSettings, Target};
use crate::embedded::find_library;
use crate::error::StoreError;
use crate::metrics::StoreMetrics;
use crate::store::Store;

/// A store with a database of its own; [`TestStore::close`] ends its engine.
pub struct TestStore {
    /// The store, migrated.
    pub store: Store,
    /// How it was opened.
    pub settings: StoreSettings,
    /// Holds the embedded engine's data.
    pub folder: TempDir,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

struct NoSecrets;

impl tokenwatch_model::SecretSource for NoSecrets {
    fn env(&self, _name: &str) -> Option<secrecy::SecretString> {
        None
    }

    fn file(&self, _path: &str) -> Result<secrecy::SecretString, String> {
        Err("tests have no secrets".to_owned())
    }
}

impl TestStore {
    /// A fresh, migrated store; `None`, with a line that says why, where there is no ClickHouse.
    ///
    /// # Panics
    /// If there is one and it does not work.
    pub async fn open() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = settings_in(&folder)?;
        Some(Self::open_with(settings, folder).await)
    }

    /// A store with these settings.
    ///
    /// # Panics
    /// If it does not open.
    pub async fn open_with(settings: StoreSettings, folder: TempDir) -> Self {
        let tracker = TaskTracker::new();
        let cancel = CancellationToken::new();
        let clock = Clock::fixed(Timestamp::from_secs(1_795_329_600));
        let store = Store::open(
            &settings,
            clock,
            StoreMetrics::default(),
            &tracker,
            cancel.clone(),
        )
        .await
        .expect("the store opens");
        store.migrate().await.expect("the schema is applied");
        Self {
            store,
            settings,
            folder,
            tracker,
            cancel,
        }
    }

    /// The client, to look at what is stored.
    pub fn client(&self) -> &clickhouse::Client {
        self.store.client()
    }

    /// The stored events, with what follows `FROM events`.
    pub async fn events(&self, rest: &str) -> Result<Vec<AccessEvent<'static>>, StoreError> {
        let sql = format!("SELECT ?fields FROM events {rest}");
        self.store.fetch_events(self.client().query(&sql)).await
    }

    /// Ends the engine and gives its settings and folder for another start.
    pub async fn close(self) -> (StoreSettings, TempDir) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        (self.settings, self.folder)
    }
}

/// Settings for a fresh store; `None`, with a line that says why, where there is no ClickHouse.
///
/// # Panics
/// If the defaults are not valid.
pub fn settings_in(folder: &TempDir) -> Option<StoreSettings> {
    static DATABASES: AtomicU32 = AtomicU32::new(0);
    let config = StoreConfig::default();
    let mut settings = config
        .validate("store", &NoSecrets)
        .expect("the defaults are valid");
    settings.database = format!(
        "tokenwatch_test_{}_{}",
        std::process::id(),
        DATABASES.fetch_add(1, Ordering::Relaxed)
    );
    if let Ok(url) = std::env::var("TOKENWATCH_TEST_CLICKHOUSE_URL") {
        settings.target = Target::Server {
            url,
            user: None,
            password: None,
        };
        return Some(settings);
    }
    if let Target::Embedded(embedded) = &mut settings.target {
        if let Err(why) = find_library(None) {
            eprintln!("SKIPPED: no ClickHouse to test with: {why}; run make fetch");
            return None;
        }
        let Some(program) = engine_program() else {
            eprintln!("SKIPPED: store-engine is not built: cargo build -p tokenwatch-store --bins");
            return None;
        };
        embedded.path = folder.path().join("clickhouse");
        embedded.command = Some((program, Vec::new()));
    }
    Some(settings)
}

/// The binary that runs the engine for tests, in the folder of the test binary or above it.
fn engine_program() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("store-engine"))
        .find(|path| path.is_file())
}
