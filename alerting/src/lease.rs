//! Which of several instances announces: one holds a lease in the store, the others wait for it to run out.
//!
//! ClickHouse has no compare-and-swap, so a claim is written, given time to be seen, and read back: of those that claim
//! at the same time the earliest wins. Whoever cannot renew in time stops sending by its own clock, before anybody else
//! may begin. Clocks may be apart by a fifth of the time that a lease is good for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokenwatch_model::{Clock, Timestamp};
use tokenwatch_store::{Lease, StoreError};

use crate::ledger::Ledger;

/// How long a claim is left to be seen by others that claim at the same time: an insert takes milliseconds.
const SETTLE: Duration = Duration::from_millis(250);

/// What to do, as the claims stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Another instance has it.
    Leave,
    /// It is free, or ours: claim it.
    Take,
}

/// Until when this instance may act; shared with the workers. What was handed to them in one term is not sent in
/// another: somebody else may have sent it in between.
#[derive(Clone, Debug)]
pub(crate) struct Mandate(Arc<Term>);

#[derive(Debug)]
struct Term {
    number: AtomicU64,
    until: AtomicI64,
}

/// This instance's part in it.
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) lasts: Duration,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    pub(crate) mandate: Mandate,
    pub(crate) claimed_at: Option<Timestamp>,
}

impl Mandate {
    /// For an instance that is alone.
    pub(crate) fn unlimited() -> Self {
        Self::until(i64::MAX)
    }

    /// For one of several, which has to win it first.
    pub(crate) fn none() -> Self {
        Self::until(i64::MIN)
    }

    fn until(micros: i64) -> Self {
        Self(Arc::new(Term {
            number: AtomicU64::new(0),
            until: AtomicI64::new(micros),
        }))
    }

    /// The number of the term.
    pub(crate) fn term(&self) -> u64 {
        self.0.number.load(Ordering::Acquire)
    }

    /// Whether it holds at `now`.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        now.as_micros() < self.0.until.load(Ordering::Acquire)
    }

    fn set(&self, until: Timestamp) {
        self.0.until.store(until.as_micros(), Ordering::Release);
    }
}

/// What `me` may do at `now`, as the claims stand.
pub(crate) fn decide_claim(leases: &[Lease], me: &str, now: Timestamp) -> Claim {
    let taken = leases
        .iter()
        .any(|lease| lease.holder != me && lease.held_until > now);
    if taken { Claim::Leave } else { Claim::Take }
}

/// Whether `me` won, of all that claim at `now`: the earliest claim does, and of two at once the first by name.
pub(crate) fn has_won(leases: &[Lease], me: &str, now: Timestamp) -> bool {
    leases
        .iter()
        .filter(|lease| lease.held_until > now)
        .min_by_key(|lease| (lease.claimed_at, lease.holder.clone()))
        .is_some_and(|lease| lease.holder == me)
}

impl Candidate {
    /// Claims or renews; says whether this instance may act.
    pub(crate) async fn campaign(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        if self.claimed_at.is_some() && self.mandate.holds(now) {
            self.claim(now).await?;
            return Ok(true);
        }
        let leases = self.ledger.leases().await?;
        if decide_claim(&leases, &self.name, now) == Claim::Leave {
            self.claimed_at = None;
            return Ok(false);
        }
        self.claimed_at = Some(now);
        self.write(now, now + self.lasts).await?;
        tokio::time::sleep(SETTLE).await;
        let leases = self.ledger.leases().await?;
        let now = self.clock.now();
        if has_won(&leases, &self.name, now) {
            self.mandate.0.number.fetch_add(1, Ordering::AcqRel);
            self.claim(now).await?;
            tracing::info!(instance = self.name, "this instance announces findings now");
            return Ok(true);
        }
        self.claimed_at = None;
        // Takes the claim back, so that it does not stand in the way of the winner's successors.
        self.write(now, now).await?;
        Ok(false)
    }

    /// Leaves it to others at once, at a shutdown.
    pub(crate) async fn resign(&mut self) {
        let now = self.clock.now();
        self.mandate.set(Timestamp::from_micros(i64::MIN));
        if self.claimed_at.take().is_some()
            && let Err(error) = self.write(now, now).await
        {
            tracing::warn!(%error, "the lease was not given back; another instance takes over when it has run out");
        }
    }

    async fn claim(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.write(now, now + self.lasts).await?;
        // By our own clock it ends earlier than others see it end.
        self.mandate.set(now + self.lasts.mul_f64(0.8));
        Ok(())
    }

    async fn write(&self, now: Timestamp, until: Timestamp) -> Result<(), StoreError> {
        let lease = Lease {
            holder: self.name.clone(),
            claimed_at: self.claimed_at.unwrap_or(now),
            held_until: until,
        };
        self.ledger.claim(&lease, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, claimed: i64, until: i64) -> Lease {
        Lease {
            holder: holder.to_owned(),
            claimed_at: Timestamp::from_secs(claimed),
            held_until: Timestamp::from_secs(until),
        }
    }

    #[test]
    fn a_lease_is_left_to_its_holder_until_it_runs_out() {
        let leases = [lease("a", 0, 10)];
        let claim = |me, secs| decide_claim(&leases, me, Timestamp::from_secs(secs));
        assert_eq!(claim("b", 9), Claim::Leave);
        assert_eq!(claim("b", 10), Claim::Take);
        assert_eq!(
            claim("a", 5),
            Claim::Take,
            "after a restart it is ours still"
        );
    }

    #[test]
    fn of_claims_at_the_same_time_exactly_one_wins() {
        let leases = [lease("b", 5, 20), lease("a", 5, 20), lease("c", 6, 20)];
        let now = Timestamp::from_secs(7);
        let winners: Vec<&str> = ["a", "b", "c"]
            .into_iter()
            .filter(|me| has_won(&leases, me, now))
            .collect();
        assert_eq!(winners, ["a"]);
        assert!(!has_won(&[], "a", now), "an unseen claim wins nothing");
    }
}
