//! The ledger for timelines: outlives the dispatcher under test, and fails when told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokenwatch_model::{
    Acknowledgement, Finding, FindingId, Notification, NotificationResult, Response, ResponseOrder,
    Severity, Silence, Timestamp,
};
use tokenwatch_store::queries::NodeCalls;
use tokenwatch_store::{Lease, StoreError};

use crate::response::TokenFacts;

/// Shared between the test and the dispatchers that it starts one after the other.
#[derive(Clone, Default)]
pub(crate) struct MemoryLedger(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    findings: BTreeMap<FindingId, Finding>,
    notifications: Vec<Notification>,
    responses: Vec<Response>,
    responses_fail: bool,
    orders: Vec<ResponseOrder>,
    facts: TokenFacts,
    facts_take: Duration,
    calls: Vec<NodeCalls>,
    silences: Vec<Silence>,
    acknowledgements: Vec<Acknowledgement>,
    leases: Vec<Lease>,
    cut_off: Option<String>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "its functions have the shape of the store's"
)]
impl MemoryLedger {
    /// Stores findings, as the pipeline does before it offers them.
    pub(crate) fn store(&self, findings: &[Finding]) {
        let mut tables = self.0.lock().unwrap();
        for finding in findings {
            tables.findings.insert(finding.id, finding.clone());
        }
    }

    /// A store takes time, in which workers work.
    pub(super) async fn take_time(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// Every line of the ledger.
    pub(crate) fn all_notifications(&self) -> Vec<Notification> {
        self.0.lock().unwrap().notifications.clone()
    }

    /// Every line of the journal.
    pub(crate) fn all_responses(&self) -> Vec<Response> {
        self.0.lock().unwrap().responses.clone()
    }

    /// From now on the journal of responses cannot be written.
    pub(crate) fn fail_responses(&self) {
        self.0.lock().unwrap().responses_fail = true;
    }

    /// Somebody says something about a response.
    pub(crate) fn order(&self, order: ResponseOrder) {
        self.0.lock().unwrap().orders.push(order);
    }

    /// What is known of every token.
    pub(crate) fn know(&self, facts: TokenFacts) {
        self.0.lock().unwrap().facts = facts;
    }

    /// How long the store takes to say what is known of a token.
    pub(crate) fn delay_facts(&self, by: Duration) {
        self.0.lock().unwrap().facts_take = by;
    }

    /// What gateways did with every token's calls since a response.
    pub(crate) fn log_calls(&self, calls: Vec<NodeCalls>) {
        self.0.lock().unwrap().calls = calls;
    }

    /// From now on this instance cannot claim anything.
    pub(crate) fn cut_off(&self, holder: &str) {
        self.0.lock().unwrap().cut_off = Some(holder.to_owned());
    }

    /// Somebody makes a silence.
    pub(crate) fn silence(&self, silence: Silence) {
        self.0.lock().unwrap().silences.push(silence);
    }

    /// Somebody acknowledges a finding or incident.
    pub(crate) fn acknowledge(&self, subject: &str, at: Timestamp) {
        self.0
            .lock()
            .unwrap()
            .acknowledgements
            .push(Acknowledgement {
                subject: subject.to_owned(),
                at,
                actor: "ann".to_owned(),
                is_withdrawn: false,
            });
    }

    pub(super) fn silences(&self, since: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let mut silences = self.0.lock().unwrap().silences.clone();
        silences.retain(|silence| silence.ends_at > since);
        Ok(silences)
    }

    pub(super) fn acknowledgements(
        &self,
        since: Timestamp,
    ) -> Result<Vec<Acknowledgement>, StoreError> {
        let mut words = self.0.lock().unwrap().acknowledgements.clone();
        words.retain(|word| word.at >= since);
        Ok(words)
    }

    pub(super) async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        self.take_time().await;
        Ok(self.0.lock().unwrap().leases.clone())
    }

    pub(super) async fn claim(&self, lease: &Lease) -> Result<(), StoreError> {
        self.take_time().await;
        let mut tables = self.0.lock().unwrap();
        if tables.cut_off.as_ref() == Some(&lease.holder) {
            return Err(StoreError::Cancelled);
        }
        tables.leases.retain(|known| known.holder != lease.holder);
        tables.leases.push(lease.clone());
        Ok(())
    }

    pub(super) fn notifications_of(
        &self,
        findings: &[FindingId],
    ) -> Result<Vec<Notification>, StoreError> {
        let tables = self.0.lock().unwrap();
        let mut newest = BTreeMap::new();
        for line in &tables.notifications {
            if findings.contains(&line.finding_id) {
                newest.insert((line.finding_id, line.id.clone()), line.clone());
            }
        }
        Ok(newest.into_values().collect())
    }

    pub(super) fn insert_notifications(&self, lines: &[Notification]) -> Result<(), StoreError> {
        self.0
            .lock()
            .unwrap()
            .notifications
            .extend_from_slice(lines);
        Ok(())
    }

    pub(super) fn receivers_with_reason(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let tables = self.0.lock().unwrap();
        Ok(tables
            .notifications
            .iter()
            .filter(|line| line.reason.starts_with(prefix))
            .map(|line| (line.receiver.clone(), line.reason.clone()))
            .collect())
    }

    pub(super) fn responses_of(&self, findings: &[FindingId]) -> Result<Vec<Response>, StoreError> {
        let mut newest = self.newest_responses();
        newest.retain(|response| findings.contains(&response.finding_id));
        Ok(newest)
    }

    pub(super) fn responses_since(&self, since: Timestamp) -> Result<Vec<Response>, StoreError> {
        let mut newest = self.newest_responses();
        newest.retain(|response| response.at >= since || response.is_pending());
        Ok(newest)
    }

    pub(super) fn response(&self, id: &str) -> Result<Option<Response>, StoreError> {
        let mut newest = self.newest_responses().into_iter();
        Ok(newest.find(|response| response.id == id))
    }

    pub(super) fn response_orders(
        &self,
        since: Timestamp,
    ) -> Result<Vec<ResponseOrder>, StoreError> {
        let mut orders = self.0.lock().unwrap().orders.clone();
        orders.retain(|order| order.at >= since);
        Ok(orders)
    }

    pub(super) fn finding(&self, id: FindingId) -> Result<Option<Finding>, StoreError> {
        Ok(self.0.lock().unwrap().findings.get(&id).cloned())
    }

    pub(super) async fn token_facts(&self) -> Result<TokenFacts, StoreError> {
        let time = self.0.lock().unwrap().facts_take;
        tokio::time::sleep(time).await;
        Ok(self.0.lock().unwrap().facts.clone())
    }

    pub(super) fn calls_by_node(&self) -> Result<Vec<NodeCalls>, StoreError> {
        Ok(self.0.lock().unwrap().calls.clone())
    }

    pub(super) fn insert_responses(&self, lines: &[Response]) -> Result<(), StoreError> {
        let mut tables = self.0.lock().unwrap();
        if tables.responses_fail {
            return Err(StoreError::Cancelled);
        }
        tables.responses.extend_from_slice(lines);
        Ok(())
    }

    pub(super) fn findings_page(
        &self,
        since: Timestamp,
        severity: Severity,
        after: Option<FindingId>,
        limit: usize,
    ) -> Result<Vec<Finding>, StoreError> {
        let tables = self.0.lock().unwrap();
        Ok(tables
            .findings
            .values()
            .filter(|finding| finding.last_event_at >= since && finding.severity >= severity)
            .filter(|finding| after.is_none_or(|after| finding.id > after))
            .take(limit)
            .cloned()
            .collect())
    }

    fn newest_responses(&self) -> Vec<Response> {
        let tables = self.0.lock().unwrap();
        let mut newest = BTreeMap::new();
        for line in &tables.responses {
            newest.insert(line.id.clone(), line.clone());
        }
        newest.into_values().collect()
    }

    /// How many lines of the ledger have this result.
    pub(crate) fn count(&self, result: NotificationResult) -> usize {
        let lines = self.all_notifications();
        lines.iter().filter(|line| line.result == result).count()
    }
}
