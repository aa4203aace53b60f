//! What an operator writes about how long tokens live and how much they may be used: `[detectors.expired_token_use]`,
//! `[detectors.revoked_token_use]`, `[detectors.long_lived_token]`, `[detectors.rotation_overdue]` and
//! `[detectors.quota_approach]`. What single tokens are allowed is in the registry.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problems, TokenClass};

use super::DetectorMode;

const DAY: Duration = Duration::from_hours(24);

/// `[detectors.expired_token_use]` and `[detectors.revoked_token_use]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// How long after its end a token may still be let in: clocks differ, and gateways remember for a while.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

/// `[detectors.long_lived_token]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LongLivedTokenConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// How long a registered token may live; the age counts where no end is known.
    #[serde(with = "humantime_serde")]
    pub lifetime: Duration,
    /// How long a token may live that says so itself (`iat`, `exp`).
    #[serde(with = "humantime_serde")]
    pub claimed_lifetime: Duration,
    /// How often it is told.
    #[serde(with = "humantime_serde")]
    pub remind_every: Duration,
}

/// `[detectors.rotation_overdue]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RotationOverdueConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// How long an ordinary token may be used before it is replaced, if its registration does not say.
    #[serde(with = "humantime_serde")]
    pub standard: Duration,
    /// The same for a sensitive one.
    #[serde(with = "humantime_serde")]
    pub sensitive: Duration,
    /// The same for one that administers.
    #[serde(with = "humantime_serde")]
    pub privileged: Duration,
    /// How long a token may still be used once its successor is there.
    #[serde(with = "humantime_serde")]
    pub overlap: Duration,
    /// How often it is told.
    #[serde(with = "humantime_serde")]
    pub remind_every: Duration,
}

/// `[detectors.quota_approach]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaApproachConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Share of the quota from which it is forecast when it will be used up.
    pub share: f64,
}

impl Default for EndConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            grace: Duration::from_mins(5),
        }
    }
}

impl Default for LongLivedTokenConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            lifetime: 365 * DAY,
            claimed_lifetime: 30 * DAY,
            remind_every: 30 * DAY,
        }
    }
}

impl Default for RotationOverdueConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            standard: 90 * DAY,
            sensitive: 60 * DAY,
            privileged: 30 * DAY,
            overlap: 7 * DAY,
            remind_every: 30 * DAY,
        }
    }
}

impl Default for QuotaApproachConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            share: 0.8,
        }
    }
}

impl LongLivedTokenConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        for (key, duration) in [
            ("lifetime", self.lifetime),
            ("claimed_lifetime", self.claimed_lifetime),
            ("remind_every", self.remind_every),
        ] {
            if duration < DAY {
                problems.add(format!("long_lived_token.{key}"), "must be at least 1day");
            }
        }
    }
}

impl RotationOverdueConfig {
    /// How long a token of `class` may be used.
    pub(crate) const fn period(&self, class: TokenClass) -> Duration {
        match class {
            TokenClass::Standard => self.standard,
            TokenClass::Sensitive => self.sensitive,
            TokenClass::Privileged => self.privileged,
        }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        for (key, duration) in [
            ("standard", self.standard),
            ("sensitive", self.sensitive),
            ("privileged", self.privileged),
            ("remind_every", self.remind_every),
        ] {
            if duration < DAY {
                problems.add(format!("rotation_overdue.{key}"), "must be at least 1day");
            }
        }
    }
}

impl QuotaApproachConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !(0.1..1.0).contains(&self.share) {
            problems.add("quota_approach.share", "must lie between 0.1 and 1");
        }
    }
}
