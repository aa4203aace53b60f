//! Compares what the store holds with what the ledger says, at start and later; goes on where a process died.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokenwatch_model::{FindingId, Severity};
use tokenwatch_store::StoreError;

use super::intake::Intake;
use crate::metrics::LedgerOperation;
use crate::receiver::GONE_REASON;

/// Findings in one read: 2 KB each.
const PAGE_LIMIT: usize = 256;
/// What waits for a digest or a time window may do so for a long weekend.
const LONGEST_WAIT: Duration = Duration::from_hours(9 * 24);
/// The first pause before another attempt to read the ledger at start.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Intake {
    /// Reads what has to be known before anything may be decided; tries until the store answers.
    pub(super) async fn begin(&mut self) {
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.recall().await {
            self.ledger_failed(LedgerOperation::read, &error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn recall(&mut self) -> Result<(), StoreError> {
        self.recall_disabled().await?;
        self.recall_responses().await?;
        self.recall_people().await?;
        let notices = self.ledger.notifications_of(&[FindingId::NIL]).await?;
        self.desk.with(|desk| desk.learn_notices(&notices));
        Ok(())
    }

    /// Endpoints that answered 410 stay disabled. One with another URL is another endpoint.
    async fn recall_disabled(&self) -> Result<(), StoreError> {
        let gone = self.ledger.receivers_with_reason(GONE_REASON).await?;
        for outlet in &self.outlets {
            let is_gone = gone.iter().any(|(receiver, reason)| {
                **receiver == *outlet.name
                    && reason.strip_prefix(GONE_REASON) == outlet.digest.as_deref()
            });
            if is_gone && !outlet.state.disabled.swap(true, Ordering::AcqRel) {
                self.runtime.metrics.endpoint_disabled();
                tracing::warn!(
                    receiver.name = &*outlet.name,
                    "the receiver answered 410 Gone earlier and stays disabled until its URL is changed"
                );
            }
        }
        Ok(())
    }

    /// Puts every finding that may be news on the desk, goes on with what was begun and is sent by nobody, and sends
    /// what is due.
    pub(super) async fn reconcile(&mut self) {
        self.runtime.metrics.reconciled();
        // Twice the age: what was begun and has become too old in the meantime is recorded as such.
        let mut span = self.settings.max_age * 2;
        if self.settings.routing.waits_long() {
            span = span.max(LONGEST_WAIT);
        }
        if !self.read_findings(span).await {
            return;
        }
        let now = self.runtime.clock.now();
        let departures = self.desk.with(|desk| desk.resume(now));
        self.dispatch(departures, now).await;
        self.flush().await;
    }

    /// Puts stored findings of the last `span` on the desk; says whether all could be read.
    pub(super) async fn read_findings(&mut self, span: Duration) -> bool {
        let Some(severity) = self.mildest() else {
            return true;
        };
        let since = self.runtime.clock.now() - span;
        let mut after = None;
        loop {
            let page = match self
                .ledger
                .findings_page(since, severity, after, PAGE_LIMIT)
                .await
            {
                Ok(page) => page,
                Err(error) => {
                    self.ledger_failed(LedgerOperation::read, &error);
                    return false;
                }
            };
            let is_last = page.len() < PAGE_LIMIT;
            after = page.last().map(|finding| finding.id);
            let news = self.desk.with(|desk| {
                let page = page.into_iter();
                page.filter(|finding| !desk.is_known(finding)).collect()
            });
            if !self.take_in(news).await {
                return false;
            }
            if is_last || self.runtime.cancel.is_cancelled() {
                return true;
            }
        }
    }

    /// The mildest severity that anything is done about.
    fn mildest(&self) -> Option<Severity> {
        let announced = self.settings.routing.mildest();
        let answered = self.settings.response.mildest();
        announced.into_iter().chain(answered).min()
    }
}
