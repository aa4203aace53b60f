//! The band that a token's calls are drawn on: what its baseline expects, and what it does at its busiest.
//!
//! *Expected* is the learned expectation of the hour of day (weekday or weekend, UTC), in proportion to the part of the
//! hour that a step covers. *High* is the most calls of any window as long as a step on a usual day, read between the
//! two learned windows that are next in length, and never less than chance allows around the expectation (three
//! standard deviations of a Poisson count). Both answer "how can you say that?" with figures of the profile alone.

use std::time::Duration;

use serde::Serialize;
use tokenwatch_model::{ProfilePeak, Timestamp, TokenProfile};

use super::TimeGrid;

const HOUR: Duration = Duration::from_hours(1);
const DAY_SECS: i64 = 86_400;

/// The band at one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BandPoint {
    /// The step's start.
    pub t: Timestamp,
    /// Calls that the baseline expects.
    pub expected: f64,
    /// Calls at the token's busiest.
    pub high: f64,
}

/// The band of `profile` over `grid`.
pub fn baseline_band(profile: &TokenProfile, grid: &TimeGrid) -> Vec<BandPoint> {
    let peak = habitual_peak(&profile.peaks, grid.step.as_secs());
    grid.starts()
        .map(|t| {
            let expected = expected_calls(profile, t, t + grid.step);
            let chance = expected + 3.0 * expected.sqrt();
            BandPoint {
                t,
                expected: round(expected),
                high: round(peak.unwrap_or(0.0).max(chance)),
            }
        })
        .collect()
}

/// Calls expected from `start` to `end`: the hours between, each in proportion.
fn expected_calls(profile: &TokenProfile, start: Timestamp, end: Timestamp) -> f64 {
    let mut sum = 0.0;
    let mut at = start;
    while at < end {
        let hour_end = at.floor_to(HOUR) + HOUR;
        let part_end = hour_end.min(end);
        let part = part_end.since(at).as_secs_f64() / HOUR.as_secs_f64();
        sum += hourly_expectation(profile, at) * part;
        at = part_end;
    }
    sum
}

fn hourly_expectation(profile: &TokenProfile, at: Timestamp) -> f64 {
    let secs = at.as_secs();
    // 1970-01-01 was a Thursday; Saturday is two days on.
    let days_since_saturday = (secs.div_euclid(DAY_SECS) + 5).rem_euclid(7);
    let hours = if days_since_saturday < 2 {
        &profile.weekend_hourly
    } else {
        &profile.weekday_hourly
    };
    let hour = secs.rem_euclid(DAY_SECS) / 3_600;
    hours
        .get(hour as usize)
        .map_or(0.0, |calls| f64::from(*calls))
}

/// The most calls in a window of `step_s` on a usual day: the power law through the two windows next in length. Shorter
/// than the shortest window it is that one's (they may all fall together); longer than the longest, in proportion.
fn habitual_peak(peaks: &[ProfilePeak], step_s: u64) -> Option<f64> {
    let step = step_s as f64;
    let known = |peak: &&ProfilePeak| peak.window_s > 0 && peak.calls > 0.0;
    let below = peaks
        .iter()
        .filter(known)
        .filter(|peak| peak.window_s <= step_s)
        .max_by_key(|peak| peak.window_s);
    let above = peaks
        .iter()
        .filter(known)
        .filter(|peak| peak.window_s > step_s)
        .min_by_key(|peak| peak.window_s);
    let calls = |peak: &ProfilePeak| f64::from(peak.calls);
    match (below, above) {
        (Some(low), Some(high)) => {
            let lengths = high.window_s as f64 / low.window_s as f64;
            let exponent = (calls(high).max(calls(low)) / calls(low)).ln() / lengths.ln();
            Some(calls(low) * (step / low.window_s as f64).powf(exponent))
        }
        (Some(low), None) => Some(calls(low) * step / low.window_s as f64),
        (None, Some(high)) => Some(calls(high)),
        (None, None) => None,
    }
}

/// Three decimals are more than a chart shows.
fn round(calls: f64) -> f64 {
    (calls * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::TokenId;

    use super::*;
    use crate::queries::TimeRange;

    /// Saturday, 21 November 2026, 00:00 UTC.
    const SATURDAY: Timestamp = Timestamp::from_secs(1_795_219_200);

    fn profile() -> TokenProfile {
        TokenProfile {
            token_id: TokenId::from_bits(1),
            first_seen: SATURDAY,
            last_seen: SATURDAY,
            baseline_days: 12,
            mature: true,
            weekday_hourly: (0..24u8).map(|hour| f32::from(hour) * 60.0).collect(),
            weekend_hourly: vec![6.0; 24],
            peaks: vec![peak(60, 10.0), peak(3_600, 160.0)],
            places: Vec::new(),
        }
    }

    fn peak(window_s: u64, calls: f32) -> ProfilePeak {
        ProfilePeak {
            window_s,
            calls,
            max_28d: calls * 2.0,
        }
    }

    fn band(from: i64, to: i64, step_s: u64) -> Vec<BandPoint> {
        let range = TimeRange {
            from: Timestamp::from_secs(SATURDAY.as_secs() + from),
            to: Timestamp::from_secs(SATURDAY.as_secs() + to),
        };
        baseline_band(
            &profile(),
            &TimeGrid::new(range, Duration::from_secs(step_s)),
        )
    }

    #[test]
    fn weekends_and_weekdays_have_their_own_expectation() {
        let weekend = band(3_600, 7_200, 600);
        assert_eq!(weekend.len(), 6);
        assert!((weekend[0].expected - 1.0).abs() < 1e-9);
        let monday_ten = 2 * DAY_SECS + 10 * 3_600;
        let weekday = band(monday_ten, monday_ten + 600, 600);
        assert!((weekday[0].expected - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_step_over_several_hours_sums_their_parts() {
        let monday = 2 * DAY_SECS;
        let points = band(monday, monday + 4 * 3_600, 4 * 3_600);
        assert!((points[0].expected - 360.0).abs() < 1e-9);
    }

    #[test]
    fn the_peak_grows_with_the_step_between_the_learned_windows() {
        let peaks = profile().peaks;
        let at = |step| habitual_peak(&peaks, step).unwrap();
        assert!((at(60) - 10.0).abs() < 1e-9);
        assert!((at(10) - 10.0).abs() < 1e-9);
        assert!((at(7_200) - 320.0).abs() < 1e-9);
        assert!(at(60) < at(600) && at(600) < at(3_599) && at(3_599) < at(3_600));
        assert_eq!(habitual_peak(&[], 60), None);
    }

    #[test]
    fn without_peaks_chance_sets_the_upper_edge() {
        let mut quiet = profile();
        quiet.peaks.clear();
        let range = TimeRange {
            from: SATURDAY,
            to: SATURDAY + Duration::from_hours(1),
        };
        let grid = TimeGrid::new(range, Duration::from_hours(1));
        let point = baseline_band(&quiet, &grid)[0];
        assert!((point.high - (6.0 + 3.0 * 6f64.sqrt())).abs() < 1e-2);
    }
}
