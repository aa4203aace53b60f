//! The ledger as alerting sees it: what the store knows, what is on its way, and the writer of outcomes.

mod book;
mod writer;

#[cfg(test)]
pub(crate) mod memory;

use tokenwatch_model::{Finding, FindingId, Notification, Response, Severity, Timestamp};
use tokenwatch_store::{Store, StoreError};

pub(crate) use book::Book;
pub(crate) use writer::{LedgerWriter, Line, WriterParts, publish, run as run_writer};

/// Where the ledger is kept.
#[derive(Clone)]
pub(crate) enum Ledger {
    /// In the store.
    Store(Store),
    /// In memory, so that timelines can stop a process at any moment and start it again.
    #[cfg(test)]
    Memory(memory::MemoryLedger),
}

impl Ledger {
    pub(crate) async fn notifications_of(
        &self,
        findings: &[FindingId],
    ) -> Result<Vec<Notification>, StoreError> {
        match self {
            Self::Store(store) => store.notifications_of(findings).await,
            #[cfg(test)]
            Self::Memory(memory) => {
                memory.take_time().await;
                memory.notifications_of(findings)
            }
        }
    }

    pub(crate) async fn insert_notifications(
        &self,
        lines: &[Notification],
    ) -> Result<(), StoreError> {
        match self {
            Self::Store(store) => store.insert_notifications(lines).await,
            #[cfg(test)]
            Self::Memory(memory) => {
                memory.take_time().await;
                memory.insert_notifications(lines)
            }
        }
    }

    pub(crate) async fn receivers_with_reason(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        match self {
            Self::Store(store) => store.receivers_with_reason(prefix).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.receivers_with_reason(prefix),
        }
    }

    pub(crate) async fn responses_of(
        &self,
        findings: &[FindingId],
    ) -> Result<Vec<Response>, StoreError> {
        match self {
            Self::Store(store) => store.responses_of(findings).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.responses_of(findings),
        }
    }

    pub(crate) async fn responses_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<Response>, StoreError> {
        match self {
            Self::Store(store) => store.responses_since(since).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.responses_since(since),
        }
    }

    pub(crate) async fn insert_responses(&self, lines: &[Response]) -> Result<(), StoreError> {
        match self {
            Self::Store(store) => store.insert_responses(lines).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.insert_responses(lines),
        }
    }

    pub(crate) async fn findings_page(
        &self,
        since: Timestamp,
        severity: Severity,
        after: Option<FindingId>,
        limit: usize,
    ) -> Result<Vec<Finding>, StoreError> {
        match self {
            Self::Store(store) => store.findings_page(since, severity, after, limit).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.findings_page(since, severity, after, limit),
        }
    }
}
