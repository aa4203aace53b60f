//! What has changed on the deny list lately, for gateways that ask for no more than that.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use super::DeniedToken;

/// Changes that are remembered: 100 bytes each. Who has missed more takes the whole list.
const CHANGES_LIMIT: usize = 10_000;

/// From one version of the list to the newest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delta {
    /// The newest.
    pub version: String,
    /// What is new, or says something else than before.
    pub added: Vec<Arc<DeniedToken>>,
    /// The ids of responses that have left the list.
    pub removed: Vec<String>,
}

/// Changes in their order.
#[derive(Debug, Default)]
pub(super) struct Changes(VecDeque<Change>);

#[derive(Debug)]
struct Change {
    /// The version that it changed.
    of: u128,
    response_id: String,
}

impl Changes {
    pub(super) fn push(&mut self, of: u128, response_id: &str) {
        if self.0.len() >= CHANGES_LIMIT {
            self.0.pop_front();
        }
        self.0.push_back(Change {
            of,
            response_id: response_id.to_owned(),
        });
    }

    /// Forgets the newest changes, back to the version `of`: they came to nothing.
    pub(super) fn undo(&mut self, of: u128) {
        while let Some(change) = self.0.pop_back() {
            if change.of == of {
                return;
            }
        }
    }

    /// The responses that were touched since the list was `since`; nothing if that is not remembered.
    pub(super) fn since(&self, since: u128, newest: u128) -> Option<BTreeSet<String>> {
        if since == newest {
            return Some(BTreeSet::new());
        }
        let first = self.0.iter().rposition(|change| change.of == since)?;
        let changes = self.0.iter().skip(first);
        Some(changes.map(|change| change.response_id.clone()).collect())
    }
}
