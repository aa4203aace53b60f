//! What this process knows of the ledger: recent findings' lines, and the messages that are on their way.
//!
//! The cache saves a query for each version of a finding; what it forgot is read again. What is on its way is exact:
//! it is what keeps reconciliation from sending a message a second time.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use tokenwatch_model::{FindingId, Notification};

/// Findings whose lines are kept: a dozen lines of 200 bytes each at worst, 50 MB; 5 MB as a rule.
const FINDINGS_LIMIT: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");

/// Shared by the dispatcher, which decides, and the writer, which learns the outcomes.
pub(crate) struct Book(Mutex<Pages>);

struct Pages {
    lines: LruCache<FindingId, Vec<Notification>>,
    in_flight: HashSet<String>,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Pages {
            lines: LruCache::new(FINDINGS_LIMIT),
            in_flight: HashSet::new(),
        }))
    }

    /// Those of `findings` whose lines have to be read.
    pub(crate) fn unknown(&self, findings: impl Iterator<Item = FindingId>) -> Vec<FindingId> {
        let pages = self.pages();
        findings.filter(|id| !pages.lines.contains(id)).collect()
    }

    /// Takes in what was read about `findings`; none of their lines is known yet.
    pub(crate) fn learn(&self, findings: &[FindingId], lines: Vec<Notification>) {
        let mut pages = self.pages();
        for id in findings {
            pages.lines.put(*id, Vec::new());
        }
        for line in lines {
            pages.replace(line);
        }
    }

    /// The newest line of every message about `finding`.
    pub(crate) fn lines(&self, finding: FindingId) -> Vec<Notification> {
        self.pages()
            .lines
            .get(&finding)
            .cloned()
            .unwrap_or_default()
    }

    /// Takes in a line that was written.
    pub(crate) fn wrote(&self, line: &Notification) {
        self.pages().replace(line.clone());
    }

    /// Marks a message as on its way; false if it is already.
    pub(crate) fn depart(&self, id: &str) -> bool {
        self.pages().in_flight.insert(id.to_owned())
    }

    /// A message is not on its way any more: its outcome was recorded, or it was turned away.
    pub(crate) fn arrive(&self, id: &str) {
        self.pages().in_flight.remove(id);
    }

    /// Whether a message is on its way.
    pub(crate) fn is_in_flight(&self, id: &str) -> bool {
        self.pages().in_flight.contains(id)
    }

    /// Every message that is on its way.
    pub(crate) fn in_flight(&self) -> HashSet<String> {
        self.pages().in_flight.clone()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // Nothing in here panics half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn replace(&mut self, line: Notification) {
        if let Some(lines) = self.lines.get_mut(&line.finding_id) {
            lines.retain(|other| other.id != line.id);
            lines.push(line);
        }
    }
}
