//! How a service ends: sources stop, what they sent is written and checkpointed, alerts are flushed, HTTP closes, the
//! store ends.

use std::time::Duration;

use anyhow::Context as _;
use tokenwatch_store::StoreError;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// An HTTP connection or a child process that does not end is not waited for longer.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// One switch for each stage of a shutdown, and the tasks that it waits for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    /// Stops the sources; the pipeline ends by itself once it has taken what they sent.
    pub(crate) sources: CancellationToken,
    /// Tells the pipeline not to make a last checkpoint: the store is not there to take it.
    pub(crate) pipeline: CancellationToken,
    /// Makes alerting send what is due and end.
    pub(crate) alerting: CancellationToken,
    /// Closes the HTTP server.
    pub(crate) http: CancellationToken,
    /// Ends retries of the store, and the embedded engine.
    pub(crate) store: CancellationToken,
    /// Alerting's tasks.
    pub(crate) alerts: TaskTracker,
    /// Every other task.
    pub(crate) tasks: TaskTracker,
}

impl Stops {
    /// Ends stage after stage, each within what is left of `limit`.
    pub(crate) async fn in_order(
        self,
        pipeline: JoinHandle<Result<(), StoreError>>,
        limit: Duration,
    ) -> anyhow::Result<()> {
        self.sources.cancel();
        let drained = timeout(limit, pipeline).await;
        if drained.is_err() {
            tracing::warn!(
                "what the sources sent could not be written in time; it will be read again"
            );
            self.pipeline.cancel();
        }
        self.alerting.cancel();
        self.alerts.close();
        if timeout(limit, self.alerts.wait()).await.is_err() {
            tracing::warn!("alerts could not be flushed in time; they are due at the next start");
        }
        self.close().await;
        match drained {
            Ok(result) => result?.context("the pipeline failed"),
            Err(_) => Ok(()),
        }
    }

    /// Closes HTTP and the store and waits for every task.
    pub(crate) async fn close(&self) {
        self.http.cancel();
        self.store.cancel();
        self.tasks.close();
        if timeout(CLOSE_LIMIT, self.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
    }

    /// Ends everything: nothing can be saved any more.
    pub(crate) fn all_at_once(&self) {
        for stop in [
            &self.sources,
            &self.pipeline,
            &self.alerting,
            &self.http,
            &self.store,
        ] {
            stop.cancel();
        }
    }
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be watched");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be watched");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
