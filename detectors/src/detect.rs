//! The detectors: each looks at one event of one token and says whether it is a hit. One file, one variant of
//! [`tokenwatch_model::Detector`], one call in [`crate::Engine`], one folder of scenarios, one page of documentation.

pub(crate) mod advice;
pub(crate) mod binding_mismatch;
pub(crate) mod blind_window;
mod breach;
pub(crate) mod concurrent_use;
pub(crate) mod credential_stuffing;
pub(crate) mod data_volume_spike;
pub(crate) mod dormant_reactivation;
pub(crate) mod endpoint_enumeration;
pub(crate) mod expired_token_use;
pub(crate) mod failure_burst;
pub(crate) mod fleet_failure;
pub(crate) mod geofence_violation;
mod hygiene;
pub(crate) mod impossible_travel;
pub(crate) mod insecure_transport;
pub(crate) mod ip_not_allowed;
pub(crate) mod jwt_weakness;
pub(crate) mod leaked_token;
pub(crate) mod long_lived_token;
pub(crate) mod new_client;
pub(crate) mod new_endpoint;
pub(crate) mod new_geography;
pub(crate) mod off_hours_use;
pub(crate) mod out_of_scope;
pub(crate) mod privilege_use;
pub(crate) mod quota_approach;
pub(crate) mod rate_spike;
pub(crate) mod revoked_token_use;
pub(crate) mod rotation_overdue;
pub(crate) mod slow_drift;
pub(crate) mod token_guessing;
pub(crate) mod token_in_url;
pub(crate) mod token_sharing;

use crate::habit::Judgement;

/// Weight of a broken habit in decibans: 20 at one in a thousand, 30 at one in ten million and beyond.
fn habit_db(judgement: &Judgement) -> f64 {
    let nines = -libm::log10(judgement.p_value());
    (20.0 + 2.5 * (nines - 3.0)).clamp(10.0, 30.0)
}

/// The start of the window of `width_s` that lies `age` windows before that of `newest_s`.
fn window_start(newest_s: i64, width_s: i64, age: i64) -> tokenwatch_model::Timestamp {
    tokenwatch_model::Timestamp::from_secs((newest_s.div_euclid(width_s) - age) * width_s)
}
