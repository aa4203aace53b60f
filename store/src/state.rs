//! Whether ClickHouse answers, for `/readyz`, the console and logs.

use serde::Serialize;
use tokenwatch_model::{Clock, Timestamp};
use tokio::sync::watch;

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
}

impl StateKeeper {
    /// Down until the first answer.
    pub(crate) fn new(clock: Clock) -> Self {
        let since = clock.now();
        let detail = "not connected yet".to_owned();
        let (sender, _) = watch::channel(StoreState::Down { since, detail });
        Self { sender, clock }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<StoreState> {
        self.sender.subscribe()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// ClickHouse answered.
    pub(crate) fn up(&self) {
        let since = self.clock.now();
        let changed = self.sender.send_if_modified(|state| {
            let was_down = !state.is_up();
            if was_down {
                *state = StoreState::Up { since };
            }
            was_down
        });
        if changed {
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
        if changed {
            tracing::warn!(error = why, "ClickHouse does not answer; trying again");
        }
    }
}
