//! `slow_drift`: a volume that creeps up day after day, each step too small to break a habit.
//!
//! A cumulative sum of how far each day's calls lie above what the day of the week expects, in the spread of the token's
//! own days: `S = max(0, S + z - 0.5)`, told at 12 (Page 1954; by Siegmund's approximation one false alarm in about a
//! million days). Catches slow poisoning and low-and-slow growth within days to weeks. Misses growth below half a spread
//! a day. Its main false positive is a service that grows; hence it is evidence, and never a finding of its own.
//! Bytes per token: 2, of those with a rate habit.

use tokenwatch_model::{AccessEvent, Detector, Evidence, Severity};

use crate::calendar::DAY;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::settings::DetectorSettings;
use crate::token::Token;

/// Weight.
const DRIFT_DB: f64 = 12.0;
/// The sum at which it is told.
const ALARM: f64 = 12.0;
/// What a day may lie above without adding to the sum, in spreads.
pub(crate) const ALLOWANCE: f64 = 0.5;
/// Fewer calls a day than this do not matter.
const LEAST_CALLS: u32 = 100;

/// A hit on the first call of a day after which the sum is too large; it begins anew then.
pub(crate) fn observe(
    token: &mut Token,
    event: &AccessEvent<'_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let rate = token.rate.as_mut()?;
    if rate.drift.value() < ALARM {
        return None;
    }
    let sum = std::mem::take(&mut rate.drift).value();
    let yesterday = token.day.count(1);
    if yesterday < LEAST_CALLS || token.active_days < settings.mature_days {
        return None;
    }
    Some(Hit {
        tier: Tier::Signal,
        severity: Severity::Info,
        evidence_db: DRIFT_DB,
        hard: false,
        size: 1.0,
        window_start: event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::SlowDrift,
            rank: 0,
            belonging: Belonging::OwnHits,
            text: format!(
                "{{name}} makes a little more calls every day, {} yesterday, than its habit explains",
                crate::wording::count(f64::from(yesterday))
            ),
            figures: Evidence {
                observed: Some(f64::from(yesterday)),
                expected: Some(token.day.mean_peak()),
                window_s: Some(DAY.unsigned_abs()),
                statistic: format!(
                    "cumulative sum of standardised log daily calls: {sum:.1}, told at {ALARM}"
                ),
                baseline_days: Some(u32::from(token.active_days)),
                ..Evidence::default()
            },
        },
        bulk: None,
    })
}
