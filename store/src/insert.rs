//! Typed inserts that outlast an outage: tried again with growing pauses until they succeed or shutdown comes.
//!
//! A lost acknowledgement leaves it open whether a batch was stored, and a batch that spans several partitions may be
//! stored in part. Tables other than `events` collapse equal rows by their key, so the same rows are simply sent again.
//! `events` holds every event exactly once: see [`crate::replay`].

use std::time::Duration;

use clickhouse::{Row, RowWrite};
use tokenwatch_model::{Finding, Incident, Notification, Response, Signal};
use tokio::time::Instant;

use crate::error::StoreError;
use crate::rows::{
    AuditRow, FindingRow, IncidentRow, NotificationRow, ResponseRow, SignalRow, SilenceRow,
    UserRow, VerdictRow,
};
use crate::state::Waiting;
use crate::store::Store;

/// The first pause before another attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest: short enough that recovery is noticed within seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The attempts of one request; from its first failure on it counts as waiting for the store.
#[derive(Debug)]
pub(crate) struct Retry {
    pause: Duration,
    waiting: Option<Waiting>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            pause: FIRST_PAUSE,
            waiting: None,
        }
    }
}

impl Store {
    /// Stores signals; an equal signal that is stored already stays one row.
    pub async fn insert_signals(&self, signals: &[Signal]) -> Result<(), StoreError> {
        let rows: Vec<_> = signals.iter().map(SignalRow::of).collect();
        self.insert_rows("signals", &rows).await
    }

    /// Stores versions of findings; the highest revision of an id is the finding.
    pub async fn insert_findings(&self, findings: &[Finding]) -> Result<(), StoreError> {
        let rows: Vec<_> = findings.iter().map(FindingRow::of).collect();
        self.insert_rows("findings", &rows).await
    }

    /// Stores versions of incidents; the highest revision of an id is the incident.
    pub async fn insert_incidents(&self, incidents: &[Incident]) -> Result<(), StoreError> {
        let rows: Vec<_> = incidents.iter().map(IncidentRow::of).collect();
        self.insert_rows("incidents", &rows).await
    }

    /// Adds lines to the ledger of notifications.
    pub async fn insert_notifications(&self, lines: &[Notification]) -> Result<(), StoreError> {
        let rows: Vec<_> = lines.iter().map(NotificationRow::of).collect();
        self.insert_rows("notifications", &rows).await
    }

    /// Adds lines to the journal of responses.
    pub async fn insert_responses(&self, lines: &[Response]) -> Result<(), StoreError> {
        let rows: Vec<_> = lines.iter().map(ResponseRow::of).collect();
        self.insert_rows("responses", &rows).await
    }

    /// Stores verdicts.
    pub async fn insert_verdicts(&self, rows: &[VerdictRow]) -> Result<(), StoreError> {
        self.insert_rows("verdicts", rows).await
    }

    /// Stores versions of silences.
    pub async fn insert_silences(&self, rows: &[SilenceRow]) -> Result<(), StoreError> {
        self.insert_rows("silences", rows).await
    }

    /// Adds lines to the audit trail.
    pub async fn insert_audit(&self, rows: &[AuditRow]) -> Result<(), StoreError> {
        self.insert_rows("audit", rows).await
    }

    /// Stores versions of users.
    pub async fn insert_users(&self, rows: &[UserRow]) -> Result<(), StoreError> {
        self.insert_rows("users", rows).await
    }

    /// Inserts `rows` into a table that collapses equal rows, until it succeeds.
    pub(crate) async fn insert_rows<R>(
        &self,
        table: &'static str,
        rows: &[R],
    ) -> Result<(), StoreError>
    where
        R: for<'r> Row<Value<'r> = R> + RowWrite,
    {
        if rows.is_empty() {
            return Ok(());
        }
        self.until_done(|| async { self.insert_once::<R>(table, rows).await })
            .await
    }

    /// One attempt to insert `rows`.
    pub(crate) async fn insert_once<R>(
        &self,
        table: &'static str,
        rows: &[R::Value<'_>],
    ) -> Result<(), StoreError>
    where
        R: Row + RowWrite,
    {
        let started = Instant::now();
        let mut insert = self
            .insert_client()
            .insert::<R>(table)
            .await?
            .with_timeouts(Some(self.timeout()), Some(self.timeout()));
        for row in rows {
            insert.write(row).await?;
        }
        insert.end().await?;
        self.metrics()
            .inserted(table, rows.len(), started.elapsed());
        Ok(())
    }

    /// Repeats `attempt` with growing, jittered pauses while its error may pass.
    // `AsyncFn` cannot promise that its futures are `Send`, which tasks that call this need.
    pub(crate) async fn until_done<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut retry = Retry::default();
        loop {
            let error = match attempt().await {
                Ok(value) => {
                    drop(retry);
                    self.state_keeper().answered();
                    return Ok(value);
                }
                Err(error) => error,
            };
            self.pause_after(error, &mut retry).await?;
        }
    }

    /// Waits before another attempt; gives the error back if there shall be none.
    pub(crate) async fn pause_after(
        &self,
        error: StoreError,
        retry: &mut Retry,
    ) -> Result<(), StoreError> {
        let Some(reason) = error.retry_reason() else {
            return Err(error);
        };
        self.metrics().retried(reason);
        self.state_keeper().down(&error.to_string());
        let keeper = self.state_keeper();
        retry.waiting.get_or_insert_with(|| keeper.wait());
        // Between half and all of it, so that processes do not knock in step.
        let wait = retry.pause.mul_f64(0.5 + 0.5 * random_fraction());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.cancel().cancelled() => return Err(StoreError::Cancelled),
        }
        retry.pause = retry.pause.saturating_mul(2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// From 0 to 1; 0.5 if the system has no randomness, which only costs the jitter.
fn random_fraction() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}
