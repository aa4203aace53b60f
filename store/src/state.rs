//! Whether ClickHouse answers, for `/readyz`, the console and logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tokenwatch_model::{Clock, Timestamp};
use tokio::sync::watch;

use crate::metrics::StoreMetrics;

/// Whether ClickHouse answers, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StoreState {
    /// It answers.
    Up {
        /// Since when.
        since: Timestamp,
    },
    /// It does not.
    Down {
        /// Since when.
        since: Timestamp,
        /// What the last attempt said.
        detail: String,
    },
}

impl StoreState {
    /// Whether ClickHouse answers.
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

/// Keeps the state and tells who watches it; logs each change once.
#[derive(Clone, Debug)]
pub(crate) struct StateKeeper {
    sender: watch::Sender<StoreState>,
    clock: Clock,
    metrics: StoreMetrics,
    /// Requests that failed and are tried again: while there are any, the store is not up, whatever else it answers.
    waiting: Arc<AtomicUsize>,
}

/// A request that failed and is tried again, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl StateKeeper {
    /// Down until the first answer.
    pub(crate) fn new(clock: Clock, metrics: StoreMetrics) -> Self {
        let since = clock.now();
        let detail = "not connected yet".to_owned();
        let (sender, _) = watch::channel(StoreState::Down { since, detail });
        Self {
            sender,
            clock,
            metrics,
            waiting: Arc::default(),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<StoreState> {
        self.sender.subscribe()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A request is tried again from now on.
    pub(crate) fn wait(&self) -> Waiting {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(Arc::clone(&self.waiting))
    }

    /// ClickHouse answered a request: it is up, unless others wait for it.
    pub(crate) fn answered(&self) {
        if self.waiting.load(Ordering::Acquire) > 0 {
            return;
        }
        let since = self.clock.now();
        let changed = self.sender.send_if_modified(|state| {
            let was_down = !state.is_up();
            if was_down {
                *state = StoreState::Up { since };
            }
            was_down
        });
        if changed {
            self.metrics.is_up(true);
            tracing::info!("ClickHouse answers");
        }
    }

    /// ClickHouse did not answer.
    pub(crate) fn down(&self, why: &str) {
        let now = self.clock.now();
        let changed = self.sender.send_if_modified(|state| match state {
            StoreState::Up { .. } => {
                *state = StoreState::Down {
                    since: now,
                    detail: why.to_owned(),
                };
                true
            }
            StoreState::Down { detail, .. } if detail != why => {
                why.clone_into(detail);
                true
            }
            StoreState::Down { .. } => false,
        });
        self.metrics.is_up(false);
        if changed {
            tracing::warn!(error = why, "ClickHouse does not answer; trying again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_does_not_hide_that_another_request_is_refused() {
        let keeper = StateKeeper::new(
            Clock::fixed(Timestamp::from_secs(0)),
            StoreMetrics::default(),
        );
        let state = keeper.subscribe();
        keeper.answered();
        assert!(state.borrow().is_up());
        keeper.down("the disk is full");
        let waiting = keeper.wait();
        keeper.answered();
        assert!(!state.borrow().is_up());
        drop(waiting);
        keeper.answered();
        assert!(state.borrow().is_up());
    }
}
