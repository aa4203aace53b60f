//! What the engine has learned of a token, in the form that people read.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, TokenId};

/// The readable baseline of one token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenProfile {
    /// The token.
    pub token_id: TokenId,
    /// Its first event.
    pub first_seen: Timestamp,
    /// Its newest event.
    pub last_seen: Timestamp,
    /// Days of habit that the baseline rests on.
    pub baseline_days: u32,
    /// Whether the baseline is old enough for findings.
    pub mature: bool,
    /// Calls expected in each hour of a weekday, UTC; 24 values.
    pub weekday_hourly: Vec<f32>,
    /// Calls expected in each hour of a weekend day, UTC; 24 values.
    pub weekend_hourly: Vec<f32>,
    /// How far above the expectation its busiest windows of a usual day are.
    pub peaks: Vec<ProfilePeak>,
    /// Where it is used from, most used first.
    pub places: Vec<ProfilePlace>,
}

/// The busiest window of one length on a usual day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfilePeak {
    /// The window's length in seconds.
    pub window_s: u64,
    /// Calls in it on a usual day.
    pub calls: f32,
    /// The most in 28 days.
    pub max_28d: f32,
}

/// A network that a token is used from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfilePlace {
    /// The country, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The autonomous system, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// First day seen.
    pub first_seen: Timestamp,
    /// Last day seen.
    pub last_seen: Timestamp,
}
