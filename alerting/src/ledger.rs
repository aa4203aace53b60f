//! The ledger as alerting sees it: what the store knows, what is on its way, and the writer of outcomes.

mod facts;
mod writer;

#[cfg(test)]
pub(crate) mod memory;

use tokenwatch_model::{
    Acknowledgement, Finding, FindingId, Notification, Response, ResponseOrder, Severity, Silence,
    Timestamp, TokenId,
};
use tokenwatch_store::queries::NodeCalls;
use tokenwatch_store::{Lease, Store, StoreError};

use crate::response::TokenFacts;

pub(crate) use writer::{LedgerWriter, Line, WriterParts, publish, run as run_writer};

/// What the instances' claims are to.
const LEASE_NAME: &str = "alerting";

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

    /// The silences that end after `since`.
    pub(crate) async fn silences(&self, since: Timestamp) -> Result<Vec<Silence>, StoreError> {
        match self {
            Self::Store(store) => store.silences(since).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.silences(since),
        }
    }

    /// What people said of findings and incidents since `since`.
    pub(crate) async fn acknowledgements(
        &self,
        since: Timestamp,
    ) -> Result<Vec<Acknowledgement>, StoreError> {
        match self {
            Self::Store(store) => store.acknowledgements(since).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.acknowledgements(since),
        }
    }

    /// Every instance's newest claim.
    pub(crate) async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        match self {
            Self::Store(store) => store.leases(LEASE_NAME).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.leases().await,
        }
    }

    /// Writes this instance's claim.
    pub(crate) async fn claim(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Store(store) => store.claim_lease(LEASE_NAME, lease, now).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.claim(lease).await,
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

    /// The newest line of a response.
    pub(crate) async fn response(&self, id: &str) -> Result<Option<Response>, StoreError> {
        match self {
            Self::Store(store) => store.response(id).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.response(id),
        }
    }

    /// What people said about responses since `since`.
    pub(crate) async fn response_orders(
        &self,
        since: Timestamp,
    ) -> Result<Vec<ResponseOrder>, StoreError> {
        match self {
            Self::Store(store) => store.response_orders(since).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.response_orders(since),
        }
    }

    /// The newest version of a finding.
    pub(crate) async fn finding(&self, id: FindingId) -> Result<Option<Finding>, StoreError> {
        match self {
            Self::Store(store) => store.queries().finding(id).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.finding(id),
        }
    }

    /// What is known of the finding's token, `with_networks` that it is used from.
    pub(crate) async fn token_facts(
        &self,
        finding: &Finding,
        with_networks: bool,
    ) -> Result<TokenFacts, StoreError> {
        match self {
            Self::Store(store) => facts::read(store, finding, with_networks).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.token_facts().await,
        }
    }

    /// What each gateway node did with the calls of `token` since `since`.
    pub(crate) async fn calls_by_node(
        &self,
        token: TokenId,
        since: Timestamp,
    ) -> Result<Vec<NodeCalls>, StoreError> {
        match self {
            Self::Store(store) => store.queries().calls_by_node(token, since).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.calls_by_node(),
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
