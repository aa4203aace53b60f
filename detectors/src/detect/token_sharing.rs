//! `token_sharing`: a token used from far more address ranges within an hour than ever, with success.
//!
//! Catches a key that went round: published by accident, sold, passed on; and a thief behind proxies that rotate. Misses
//! sharing that has always been there, and a handful of users. Its main false positive is the launch of something many
//! people use with one key. Data centres, relays and mobile carriers count as one range each, so that a service that scales
//! out, or a phone, is no crowd. Low alone; medium with three clients or six networks. Bytes per token: 2
//! of the 52 of [`crate::whereabouts`], 40 more once there were four ranges in an hour. Rule: research note 3.2.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Problems, Severity, Timestamp};

use crate::arrival::{Arrival, Experience};
use crate::calendar::{HOUR, hour_of};
use crate::config::DetectorMode;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::prefixes::Counts;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::whereabouts::Roaming;
use crate::wording::count;

/// Weight at the limit, and at most.
const LIMIT_DB: f64 = 20.0;
const CAP_DB: f64 = 28.0;
/// A crowd has at least so many clients, or comes from so many networks.
const CROWD_CLIENTS: u32 = 3;
const CROWD_NETWORKS: u32 = 6;

/// `[detectors.token_sharing]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSharingConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Fewer address ranges than this within an hour never matter.
    pub floor: u32,
    /// Nor do fewer than this many times the most of any hour in four weeks.
    pub ratio: f64,
    /// Nor do ranges of fewer networks.
    pub networks: u32,
}

impl Default for TokenSharingConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            floor: 8,
            ratio: 2.5,
            networks: 4,
        }
    }
}

impl TokenSharingConfig {
    pub(crate) fn check(&self, problems: &mut Problems) {
        if self.floor < 4 {
            problems.add(
                "token_sharing.floor",
                "must be at least 4: fewer are not counted",
            );
        }
        if !(1.0..=1e6).contains(&self.ratio) {
            problems.add("token_sharing.ratio", "must lie between 1 and 1,000,000");
        }
    }
}

/// A hit if the call's range makes too many in this hour.
pub(crate) fn observe(
    token: &Token,
    arrival: &Arrival<'_, '_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let counts = arrival.visit.spread?;
    let limits = &settings.sharing;
    let most = Roaming::most_ranges(token.parts.roaming());
    let limit = f64::from(limits.floor).max(limits.ratio * f64::from(most));
    if arrival.experience != Experience::Learned
        || f64::from(counts.ranges) < limit
        || counts.networks < limits.networks
    {
        return None;
    }
    Some(hit(token, arrival.event.ts, counts, most, limit))
}

fn hit(token: &Token, ts: Timestamp, counts: Counts, most: u32, limit: f64) -> Hit {
    let ranges = f64::from(counts.ranges);
    let is_crowd = counts.clients >= CROWD_CLIENTS || counts.networks >= CROWD_NETWORKS;
    let Counts {
        networks, clients, ..
    } = counts;
    Hit {
        tier: Tier::Finding,
        severity: if is_crowd {
            Severity::Medium
        } else {
            Severity::Low
        },
        evidence_db: (LIMIT_DB + 10.0 * libm::log10(ranges / limit)).min(CAP_DB),
        hard: false,
        size: ranges,
        window_start: Timestamp::from_secs(hour_of(ts) * HOUR),
        quiet_s: QUIET_S.max(HOUR),
        confirm: true,
        story: Story {
            detector: Detector::TokenSharing,
            rank: u8::from(is_crowd),
            belonging: Belonging::Ranges {
                half: counts.ranges / 2,
            },
            text: format!(
                "{{name}} was used from about {} address ranges of about {networks} networks with {clients} {} within the hour \
                 from {{since}}; at most {most} ranges in any hour of 28 days{{sources}}",
                count(ranges),
                if clients == 1 { "client" } else { "clients" },
            ),
            figures: Evidence {
                observed: Some(ranges),
                habitual_peak: Some(f64::from(most)),
                window_s: u64::try_from(HOUR).ok(),
                statistic:
                    "distinct /24 and /48 with success, against the most in any hour of 28 days"
                        .to_owned(),
                baseline_days: Some(u32::from(token.active_days)),
                usual: Some(format!("at most {most} address ranges in an hour")),
                ..Evidence::default()
            },
        },
        bulk: None,
    }
}
