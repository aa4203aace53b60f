//! The habit engine: what a count stream of a token does in windows of several lengths, on usual days.
//!
//! A window breaks the habit only when three keys turn (`reference`: research note 3.1): its count is unlikely for this
//! hour ([`Scale::judge`], negative binomial), unlike this token's own daily maxima (Student's t on their logarithms),
//! and large enough to matter (floor, ratio, one and a half times the largest window of 28 days). Keys two and three are
//! turned into one integer, the trip count, off the hot path; an event costs an addition and a comparison.
//!
//! Windows are aligned to 1970, so that their final counts do not depend on the order of events. The newest window and
//! the one before it are open; older events count for nothing but are harmless.

#[cfg(test)]
mod model;
mod peaks;
mod scale;
mod slots;

pub(crate) use peaks::{Basis, Fold, Habit, Judgement, ScaleSpec, very_far_floor};
pub(crate) use scale::Scale;
pub(crate) use slots::Slots;

/// The windows of the call rate, in seconds. The last lives in the token itself, the others in its [`Slots`]' company.
pub(crate) const RATE_WIDTHS: [i64; 5] = [10, 60, 600, 3_600, 86_400];
/// Standard deviation of the logarithm of daily maxima that a token without history is assumed to have.
pub(crate) const RATE_PRIOR_SPREADS: [f64; 5] = [0.55, 0.45, 0.35, 0.25, 0.20];
/// The windows of failures, in seconds.
pub(crate) const FAILURE_WIDTHS: [i64; 4] = [60, 600, 3_600, 86_400];
/// As for the rate; failures vary more over the long windows.
pub(crate) const FAILURE_PRIOR_SPREADS: [f64; 4] = [0.45, 0.35, 0.30, 0.25];

/// The windows of data, in seconds, and the spreads of its daily maxima.
pub(crate) const VOLUME_WIDTHS: [i64; 2] = [600, 86_400];
pub(crate) const VOLUME_PRIOR_SPREADS: [f64; 2] = [0.45, 0.30];

/// As for the rate: distinct endpoints and objects in an hour.
pub(crate) const DISTINCT_PRIOR_SPREADS: [f64; 2] = [0.35, 0.35];

/// A day loses three per cent of its weight with every later day: a memory of 33 days.
pub(crate) const DAY_DISCOUNT: f64 = 0.97;
