//! What people said about findings that changes who is told: silences and acknowledgements.

use serde::{Deserialize, Serialize};

use crate::{Finding, FindingMatcher, Timestamp};

/// A time in which matching findings are recorded and announced to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// `sil_` and 26 characters.
    pub id: String,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when. A silence that was ended early ends then.
    pub ends_at: Timestamp,
    /// Who made it, or changed it last.
    pub created_by: String,
    /// Why.
    pub reason: String,
    /// Which findings it mutes.
    pub matcher: FindingMatcher,
}

/// Somebody deals with a finding, or with everything of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The finding's or incident's id.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Whether it was taken back.
    pub is_withdrawn: bool,
}

impl Silence {
    /// Whether it holds at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }

    /// Whether it mutes `finding` at `now`.
    pub fn mutes(&self, finding: &Finding, now: Timestamp) -> bool {
        self.is_active(now) && self.matcher.matches(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_holds_from_its_start_until_just_before_its_end() {
        let silence = Silence {
            id: "sil_1".to_owned(),
            starts_at: Timestamp::from_secs(10),
            ends_at: Timestamp::from_secs(20),
            created_by: "ann".to_owned(),
            reason: "load test".to_owned(),
            matcher: FindingMatcher::default(),
        };
        let active = |secs| silence.is_active(Timestamp::from_secs(secs));
        assert!(!active(9) && active(10) && active(19) && !active(20));
    }
}
