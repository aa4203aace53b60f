//! What people said, and what other instances do: both come through the store.

use std::time::Duration;

use tokenwatch_store::StoreError;
use tokio::time::Instant;

use super::intake::{Inputs, Intake};
use crate::metrics::LedgerOperation;

/// Acknowledgements that are older were of findings that are no news any more.
const ACKNOWLEDGEMENTS_SPAN: Duration = Duration::from_hours(30 * 24);
/// How often one of several instances asks whether it may act.
const CAMPAIGN_EVERY: Duration = Duration::from_secs(1);
/// How far back findings are looked for that another instance stored.
const OTHERS_SPAN: Duration = Duration::from_mins(10);
/// A lease is renewed this many times while it lasts.
const RENEWALS: u32 = 3;

impl Intake {
    /// Waits until this instance may act. Findings that are offered meanwhile are stored: whoever acts finds them.
    pub(super) async fn stand_by(&mut self, inputs: &mut Inputs) {
        loop {
            let Some(candidate) = &mut self.candidate else {
                return;
            };
            match candidate.campaign().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => self.people_failed(&error),
            }
            let pause = tokio::time::sleep(CAMPAIGN_EVERY);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    Some(_) = inputs.offered.recv() => {}
                    Some(_) = inputs.health.recv() => {}
                    Some(outcome) = inputs.outcomes.recv() => self.heard_outcome(outcome),
                }
            }
        }
    }

    /// When to renew the lease.
    pub(super) fn renewal(&self) -> Instant {
        Instant::now() + (self.settings.takeover_after / RENEWALS).min(Duration::from_secs(2))
    }

    /// Renews the lease; false once another instance has it.
    pub(super) async fn renew(&mut self) -> bool {
        let Some(candidate) = &mut self.candidate else {
            return true;
        };
        if !candidate.mandate.holds(self.runtime.clock.now()) {
            // It ran out: whatever is known here may be out of date.
            candidate.claimed_at = None;
            return false;
        }
        match candidate.campaign().await {
            Ok(is_ours) => is_ours,
            Err(error) => {
                // While the store does not answer nobody else can claim it either; the workers stop by the clock.
                self.people_failed(&error);
                true
            }
        }
    }

    /// Findings that another instance's pipeline stored.
    pub(super) async fn look_for_others_findings(&mut self) {
        if self.read_findings(OTHERS_SPAN).await {
            self.flush().await;
        }
    }

    pub(super) async fn recall_people(&self) -> Result<(), StoreError> {
        let now = self.runtime.clock.now();
        let silences = self.ledger.silences(now).await?;
        let since = now - ACKNOWLEDGEMENTS_SPAN;
        let words = self.ledger.acknowledgements(since).await?;
        self.desk.with(|desk| {
            desk.set_silences(silences, now);
            desk.set_acknowledgements(words, now);
        });
        Ok(())
    }

    /// Reads silences and acknowledgements; what could not be read now is read in a few seconds.
    pub(super) async fn hear_people(&mut self) {
        if let Err(error) = self.recall_people().await {
            self.people_failed(&error);
        }
    }

    fn people_failed(&self, error: &StoreError) {
        self.runtime.metrics.ledger_failed(LedgerOperation::read);
        tracing::warn!(%error, "silences, acknowledgements or the lease could not be read; asked again soon");
    }
}
