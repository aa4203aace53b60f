//! What about a finding is announced, and the ids that make announcing it again harmless.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokenwatch_model::{FindingId, Severity};

/// What about a finding is worth a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// It is there, and a route wants it.
    Opened,
    /// It became graver than what was announced.
    Escalated,
    /// Its episode ended.
    Closed,
}

impl Occasion {
    /// The contract name; the webhook's type is `finding.` and this.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Closed => "closed",
        }
    }

    /// The occasion that a line of the ledger with this `id` was about, if it was about `finding` and `receiver`.
    pub(crate) fn of_id(
        id: &str,
        finding: FindingId,
        receiver: &str,
        severity: Severity,
    ) -> Option<Self> {
        [Self::Opened, Self::Escalated, Self::Closed]
            .into_iter()
            .find(|occasion| notification_id(finding, receiver, *occasion, severity) == id)
    }
}

/// The id of a message: the same however often it is computed. Escalations to different severities are different
/// messages; the severity plays no part otherwise.
pub fn notification_id(
    finding: FindingId,
    receiver: &str,
    occasion: Occasion,
    severity: Severity,
) -> String {
    let severity = match occasion {
        Occasion::Escalated => severity.name(),
        Occasion::Opened | Occasion::Closed => "",
    };
    let finding = finding.to_string();
    stable_id("ntf_", &[&finding, receiver, occasion.name(), severity])
}

/// The id of a response: one per finding and target, for ever.
pub fn response_id(finding: FindingId, target: &str) -> String {
    stable_id("rsp_", &[&finding.to_string(), target])
}

/// `prefix` and 128 bits of a hash over `parts`, in hexadecimal.
fn stable_id(prefix: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut id = prefix.to_owned();
    HEXLOWER.encode_append(&hash.finalize()[..16], &mut id);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINDING: FindingId = FindingId::from_bits(7);

    #[test]
    fn an_id_depends_on_finding_receiver_and_occasion() {
        let id =
            |receiver, occasion, severity| notification_id(FINDING, receiver, occasion, severity);
        let opened = id("ops", Occasion::Opened, Severity::Low);
        assert_eq!(opened, id("ops", Occasion::Opened, Severity::Critical));
        assert_eq!(opened.len(), 36);
        assert_ne!(opened, id("soc", Occasion::Opened, Severity::Low));
        assert_ne!(opened, id("ops", Occasion::Closed, Severity::Low));
        assert_ne!(
            id("ops", Occasion::Escalated, Severity::High),
            id("ops", Occasion::Escalated, Severity::Critical)
        );
        let other = notification_id(
            FindingId::from_bits(8),
            "ops",
            Occasion::Opened,
            Severity::Low,
        );
        assert_ne!(opened, other);
    }

    #[test]
    fn the_occasion_reads_back_from_the_id() {
        for occasion in [Occasion::Opened, Occasion::Escalated, Occasion::Closed] {
            let id = notification_id(FINDING, "ops", occasion, Severity::High);
            assert_eq!(
                Occasion::of_id(&id, FINDING, "ops", Severity::High),
                Some(occasion)
            );
            assert_eq!(Occasion::of_id(&id, FINDING, "soc", Severity::High), None);
        }
    }
}
