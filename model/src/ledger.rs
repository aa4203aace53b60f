//! Who was told of a finding: one line for every message and receiver.

use serde::{Deserialize, Serialize};

use crate::{FindingId, Severity, Timestamp};

/// One line of the ledger: what became of one message to one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Stable however often it is computed; what receivers dedupe on. A message about many findings has a line for
    /// each, with the same id.
    pub id: String,
    /// The finding; [`FindingId::NIL`] where Tokenwatch speaks of itself.
    pub finding_id: FindingId,
    /// The receiver's name in the configuration.
    pub receiver: String,
    /// `log`, `email`, `slack`, `webhook` and so on.
    pub channel: String,
    /// What about the finding: `opened`, `escalated`, `closed`, `repeated`, `unacknowledged`, `notice`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub occasion: String,
    /// The group that it was announced with: `grp_…`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Which repetition, or which step of an escalation, counted from 1; 0 where neither.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step: u32,
    /// The severity that was announced.
    pub severity: Severity,
    /// When the message was decided on; the same in all of its lines.
    #[serde(default)]
    pub begun_at: Timestamp,
    /// When this line was written.
    pub at: Timestamp,
    /// How many attempts were made.
    pub attempts: u32,
    /// What became of it.
    pub result: NotificationResult,
    /// Why, where there is more to say; never a secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationResult {
    /// About to be sent: written before the first attempt.
    Sending,
    /// The receiver took it.
    Sent,
    /// Every attempt failed.
    Failed,
    /// Not sent on purpose.
    Muted,
    /// To be sent later: with its group, in the next digest, when a time window opens.
    Waiting,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if hands over a reference"
)]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl NotificationResult {
    /// Every result.
    pub const ALL: [Self; 5] = [
        Self::Sending,
        Self::Sent,
        Self::Failed,
        Self::Muted,
        Self::Waiting,
    ];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Muted => "muted",
            Self::Waiting => "waiting",
        }
    }
}
