//! What `ip_not_allowed`, `geofence_violation`, `expired_token_use` and `revoked_token_use` share: one call that the registry
//! rules out.

use tokenwatch_model::{AccessEvent, Detector, Evidence, Severity};

use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};

/// A call that should not have been.
pub(crate) struct Breach {
    pub(crate) detector: Detector,
    pub(crate) tier: Tier,
    pub(crate) severity: Severity,
    pub(crate) evidence_db: f64,
    pub(crate) hard: bool,
    /// Of two calls of one episode that of higher rank is told.
    pub(crate) rank: u8,
    pub(crate) text: String,
    pub(crate) statistic: &'static str,
    /// What the registry says.
    pub(crate) usual: String,
}

impl Breach {
    /// The hit.
    pub(crate) fn hit(self, event: &AccessEvent<'_>) -> Hit {
        Hit {
            tier: self.tier,
            severity: self.severity,
            evidence_db: self.evidence_db,
            hard: self.hard,
            size: 1.0,
            window_start: event.ts,
            quiet_s: QUIET_S,
            confirm: false,
            story: Story {
                detector: self.detector,
                rank: self.rank,
                belonging: Belonging::OwnHits,
                text: self.text,
                figures: Evidence {
                    expected: Some(0.0),
                    statistic: self.statistic.to_owned(),
                    usual: Some(self.usual),
                    ..Evidence::default()
                },
            },
            bulk: None,
        }
    }
}

/// `a, b and 3 more`, at most ten by name.
pub(crate) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    const NAMED: usize = 10;
    let more = names.len().saturating_sub(NAMED);
    let text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 {
        text
    } else {
        format!("{text} and {more} more")
    }
}
