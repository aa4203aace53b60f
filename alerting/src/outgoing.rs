//! One message to one receiver: what it is about, before any channel laid it out.

use std::sync::Arc;

use tokenwatch_model::{Finding, FindingId, Response, Severity};

use crate::occasion::{Occasion, notification_id};

/// One message to one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// The notification's id, the same for every attempt and after every restart.
    pub id: String,
    /// The receiver's name.
    pub receiver: Arc<str>,
    /// The weightiest of its items' occasions.
    pub occasion: Occasion,
    /// The gravest severity that is announced.
    pub severity: Severity,
    /// The findings, the gravest first; empty for a notice.
    pub items: Vec<Item>,
    /// The group that they belong to.
    pub group: String,
    /// Which repetition, or which step of an escalation; 0 where neither.
    pub step: u32,
    /// Whether nothing of the group goes on any more.
    pub is_over: bool,
    /// Whether it was collected for a digest.
    pub is_digest: bool,
    /// Whether an earlier attempt may have reached the receiver.
    pub repeated: bool,
    /// What Tokenwatch says of itself, where that is what it is about.
    pub notice: Option<Notice>,
}

/// A finding in a message.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The finding.
    pub finding: Arc<Finding>,
    /// What about it.
    pub occasion: Occasion,
    /// The severity that is announced.
    pub severity: Severity,
    /// What was done about it before anybody was told.
    pub response: Option<Response>,
    /// How to decide on it, where it waits and the receiver may.
    pub links: Option<Links>,
}

/// Signed links by which a response that waits is decided on. Whoever has them may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Links {
    /// Does it now.
    pub approve: String,
    /// Does not do it.
    pub veto: String,
}

/// What Tokenwatch says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// In a few words.
    pub title: String,
    /// In a sentence or two.
    pub text: String,
    /// Label and value.
    pub facts: Vec<(&'static str, String)>,
}

impl Item {
    /// A finding that is told of for the first time.
    pub(crate) fn opening(finding: Finding) -> Self {
        Self {
            occasion: Occasion::Opened,
            severity: finding.severity,
            finding: Arc::new(finding),
            response: None,
            links: None,
        }
    }

    /// The id that a message about this item alone would have.
    pub(crate) fn id(&self, receiver: &str, step: u32) -> String {
        notification_id(
            self.finding.id,
            receiver,
            self.occasion,
            self.severity,
            step,
        )
    }
}

impl Outgoing {
    /// A message under `id` that opens `findings` to `receiver`, before anything else is known of it.
    pub(crate) fn opening(
        id: String,
        receiver: Arc<str>,
        group: String,
        findings: Vec<Finding>,
    ) -> Self {
        let items: Vec<Item> = findings.into_iter().map(Item::opening).collect();
        let severity = items.iter().map(|item| item.severity).max();
        Self {
            id,
            receiver,
            occasion: Occasion::Opened,
            severity: severity.unwrap_or(Severity::Info),
            items,
            group,
            step: 0,
            is_over: false,
            is_digest: false,
            repeated: false,
            notice: None,
        }
    }

    /// The findings that its lines in the ledger are about; a notice has one line, about none.
    pub(crate) fn finding_ids(&self) -> Vec<FindingId> {
        if self.items.is_empty() {
            vec![FindingId::NIL]
        } else {
            self.items.iter().map(|item| item.finding.id).collect()
        }
    }
}
