//! The handle that everything else holds: one client of ClickHouse's HTTP interface, whichever ClickHouse it is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clickhouse::{Client, Compression};
use secrecy::ExposeSecret as _;
use tokenwatch_model::{AccessEvent, Clock};
use tokio::sync::{Mutex, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{RetentionConfig, StoreSettings, Target};
use crate::embedded;
use crate::error::StoreError;
use crate::metrics::StoreMetrics;
use crate::migrations;
use crate::rows::EventRow;
use crate::state::{StateKeeper, StoreState};

/// How often ClickHouse is asked whether it answers.
const PING_EVERY: Duration = Duration::from_secs(2);
/// And how long it may take: a query of nothing takes milliseconds.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// The store; clones share one connection pool and one state.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    client: Client,
    insert_client: Client,
    database: String,
    timeout: Duration,
    retention: RetentionConfig,
    metrics: StoreMetrics,
    state: StateKeeper,
    cancel: CancellationToken,
    /// Held while a checkpoint is written; whether the redo log holds nothing that was given up half way.
    checkpoint_log: Mutex<bool>,
}

impl Store {
    /// Opens the store; starts the embedded engine if that is what the settings say. A server need not be there yet.
    ///
    /// Requests are tried again until `cancel`; the engine's supervisor runs on `tracker` and ends the engine then.
    pub async fn open(
        settings: &StoreSettings,
        clock: Clock,
        metrics: StoreMetrics,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        let state = StateKeeper::new(clock, metrics.clone());
        let client = match &settings.target {
            Target::Embedded(embedded) => {
                let endpoint = embedded::start(
                    embedded,
                    metrics.clone(),
                    state.clone(),
                    tracker,
                    cancel.clone(),
                )
                .await?;
                Client::default()
                    .with_url(endpoint.url)
                    .with_user(embedded::USER)
                    .with_password(endpoint.password.expose_secret())
                    // Over loopback, compressing costs more than it saves.
                    .with_compression(Compression::None)
            }
            Target::Server {
                url,
                user,
                password,
            } => {
                let mut client = Client::default()
                    .with_url(url)
                    .with_compression(Compression::Lz4);
                if let Some(user) = user {
                    client = client.with_user(user);
                }
                if let Some(password) = password {
                    client = client.with_password(password.expose_secret());
                }
                client
            }
        };
        let client = client.with_database(&settings.database);
        let insert_client = client
            .clone()
            // Batches are made here, and an acknowledgement must mean that the rows are stored.
            .with_setting("async_insert", "0")
            .with_setting("max_partitions_per_insert_block", "0");
        let store = Self(Arc::new(Inner {
            client,
            insert_client,
            database: settings.database.clone(),
            timeout: settings.timeout,
            retention: settings.retention.clone(),
            metrics,
            state,
            cancel,
            checkpoint_log: Mutex::new(false),
        }));
        tracker.spawn(store.clone().keep_pinging());
        Ok(store)
    }

    /// Brings the schema up to date and applies the retention; waits for a server that is not there yet.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrations::migrate(self).await
    }

    /// Whether ClickHouse answers, and soon.
    pub async fn ping(&self) -> Result<(), StoreError> {
        // Our own database need not be there yet; this one always is.
        let client = self.client().clone().with_database("system");
        let answer = client.query("SELECT 1").fetch_one::<u8>();
        let result = match tokio::time::timeout(PING_TIMEOUT, answer).await {
            Ok(answer) => answer.map(|_| ()).map_err(StoreError::from),
            Err(_) => Err(StoreError::from(clickhouse::error::Error::TimedOut)),
        };
        match &result {
            Ok(()) => self.state_keeper().answered(),
            Err(error) => self.state_keeper().down(&error.to_string()),
        }
        result
    }

    /// Asks now and then until shutdown: nobody else would notice, while nothing is written or an answer does not come.
    async fn keep_pinging(self) {
        let mut ticks = tokio::time::interval(PING_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let cancel = self.cancel().clone();
        let pings = async {
            loop {
                ticks.tick().await;
                // The state has it, and what could not wait is tried again elsewhere.
                self.ping().await.ok();
            }
        };
        cancel.run_until_cancelled(pings).await;
    }

    /// Runs a query whose columns are those of [`EventRow`] (`SELECT ?fields FROM events …`).
    pub(crate) async fn fetch_events(
        &self,
        query: clickhouse::query::Query,
    ) -> Result<Vec<AccessEvent<'static>>, StoreError> {
        let mut cursor = query.fetch::<EventRow<'_>>()?;
        let mut events = Vec::new();
        while let Some(row) = cursor.next().await? {
            events.push(row.to_event()?);
        }
        Ok(events)
    }

    /// Whether ClickHouse answers, as of the last request; changes wake the receiver.
    pub fn state(&self) -> watch::Receiver<StoreState> {
        self.0.state.subscribe()
    }

    /// The client, on our database, for the query files of this crate.
    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// The client with the settings of inserts.
    pub(crate) fn insert_client(&self) -> &Client {
        &self.0.insert_client
    }

    pub(crate) fn database(&self) -> &str {
        &self.0.database
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    pub(crate) fn retention(&self) -> &RetentionConfig {
        &self.0.retention
    }

    pub(crate) fn metrics(&self) -> &StoreMetrics {
        &self.0.metrics
    }

    pub(crate) fn state_keeper(&self) -> &StateKeeper {
        &self.0.state
    }

    pub(crate) fn checkpoint_log(&self) -> &Mutex<bool> {
        &self.0.checkpoint_log
    }

    pub(crate) fn cancel(&self) -> &CancellationToken {
        &self.0.cancel
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("client", &self.0.client)
            .finish_non_exhaustive()
    }
}
