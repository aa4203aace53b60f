//! What about a finding is announced, and the ids that make announcing it again harmless.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokenwatch_model::{FindingId, ResponseAction, Severity};

/// What about a finding is worth a message. Later ones outweigh earlier ones where a message holds several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Occasion {
    /// Tokenwatch speaks of itself.
    Notice,
    /// Its episode ended.
    Closed,
    /// It goes on, and nobody acknowledged it.
    Repeated,
    /// It is there, and a route wants it.
    Opened,
    /// It became graver than what was announced.
    Escalated,
    /// Nobody acknowledged it in time, so somebody else is told.
    Unacknowledged,
}

impl Occasion {
    /// Every occasion.
    pub const ALL: [Self; 6] = [
        Self::Opened,
        Self::Escalated,
        Self::Closed,
        Self::Repeated,
        Self::Unacknowledged,
        Self::Notice,
    ];

    /// The contract name; the webhook's type is `finding.` and this.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Closed => "closed",
            Self::Repeated => "repeated",
            Self::Unacknowledged => "unacknowledged",
            Self::Notice => "notice",
        }
    }

    /// The occasion of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|occasion| occasion.name() == name)
    }

    /// The occasion that a line of the ledger with this `id` was about, if it was about `finding` and `receiver`
    /// alone: lines of earlier releases do not name it.
    pub(crate) fn of_id(
        id: &str,
        finding: FindingId,
        receiver: &str,
        severity: Severity,
    ) -> Option<Self> {
        [Self::Opened, Self::Escalated, Self::Closed]
            .into_iter()
            .find(|occasion| notification_id(finding, receiver, *occasion, severity, 0) == id)
    }
}

/// The id of a message about one finding: the same however often it is computed. Escalations to different severities
/// are different messages, and so are repetitions (`step` counts them); neither plays a part otherwise.
pub fn notification_id(
    finding: FindingId,
    receiver: &str,
    occasion: Occasion,
    severity: Severity,
    step: u32,
) -> String {
    let severity = match occasion {
        Occasion::Escalated => severity.name(),
        _ => "",
    };
    let finding = finding.to_string();
    let mut parts = vec![finding.as_str(), receiver, occasion.name(), severity];
    let step = step.to_string();
    if matches!(occasion, Occasion::Repeated | Occasion::Unacknowledged) {
        parts.push(&step);
    }
    stable_id("ntf_", &parts)
}

/// The id of a message about several findings, from those that it would have about each.
pub(crate) fn group_message_id(receiver: &str, each: &[String]) -> String {
    let mut parts = vec!["group", receiver];
    parts.extend(each.iter().map(String::as_str));
    stable_id("ntf_", &parts)
}

/// The id of a response: one per finding, target and action, for ever. A revocation's does not name the action.
pub fn response_id(finding: FindingId, target: &str, action: ResponseAction) -> String {
    let finding = finding.to_string();
    match action {
        ResponseAction::Revoke => stable_id("rsp_", &[&finding, target]),
        milder => stable_id("rsp_", &[&finding, target, milder.name()]),
    }
}

/// `prefix` and 128 bits of a hash over `parts`, in hexadecimal.
pub(crate) fn stable_id(prefix: &str, parts: &[&str]) -> String {
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
        let id = |receiver, occasion, severity| {
            notification_id(FINDING, receiver, occasion, severity, 0)
        };
        let opened = id("ops", Occasion::Opened, Severity::Low);
        assert_eq!(opened, id("ops", Occasion::Opened, Severity::Critical));
        // What earlier releases computed: what they had begun is still known.
        assert_eq!(opened, "ntf_1ab6762b907b69f92235a2e31d254a80");
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
            0,
        );
        assert_ne!(opened, other);
    }

    #[test]
    fn repetitions_are_messages_of_their_own() {
        let repeated =
            |step| notification_id(FINDING, "ops", Occasion::Repeated, Severity::High, step);
        assert_ne!(repeated(1), repeated(2));
        let opened = |step| notification_id(FINDING, "ops", Occasion::Opened, Severity::High, step);
        assert_eq!(opened(0), opened(1));
    }

    #[test]
    fn the_occasion_reads_back_from_the_id() {
        for occasion in [Occasion::Opened, Occasion::Escalated, Occasion::Closed] {
            let id = notification_id(FINDING, "ops", occasion, Severity::High, 0);
            assert_eq!(
                Occasion::of_id(&id, FINDING, "ops", Severity::High),
                Some(occasion)
            );
            assert_eq!(Occasion::of_id(&id, FINDING, "soc", Severity::High), None);
        }
        for occasion in Occasion::ALL {
            assert_eq!(Occasion::named(occasion.name()), Some(occasion));
        }
    }
}
