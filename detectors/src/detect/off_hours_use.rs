//! `off_hours_use`: calls in an hour of the week in which this token sleeps.
//!
//! Only for tokens with four weeks of history that keep hours at all: active in at most 60 of the 168 hours of a week. Is
//! evidence, never a finding of its own: people work late. Misses tokens that run around the clock. Its main false
//! positive is a late evening. Bytes per token: none; it reads the hours that `rate_spike` learned.

use tokenwatch_model::{AccessEvent, Detector, Evidence, Severity};

use crate::calendar::{HOUR, hour_of};
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::token::Token;

/// Weight.
const OFF_HOURS_DB: f64 = 15.0;
/// Days of use, and days known, before hours are believed.
const ACTIVE_DAYS: u16 = 15;
const KNOWN_DAYS: i64 = 28;
/// Hours of a week that a token with hours may be active in.
const MAX_ACTIVE_HOURS: u32 = 60;
/// A token that comes in one week of twenty calls this often in such an hour.
const ASLEEP: f64 = 0.05;

/// A hit at the first call of an hour in which the token sleeps, and in the hours before and after it.
pub(crate) fn observe(token: &Token, event: &AccessEvent<'_>) -> Option<Hit> {
    let rate = token.rate.as_ref()?;
    let known = event.ts.since(token.first_seen()).as_secs() as i64;
    if rate.scales[3].count(0) != 1
        || token.active_days < ACTIVE_DAYS
        || known < KNOWN_DAYS * 24 * HOUR
    {
        return None;
    }
    let hour = hour_of(event.ts);
    if rate.slots.most_around(hour) >= ASLEEP || rate.slots.active_hours(ASLEEP) > MAX_ACTIVE_HOURS
    {
        return None;
    }
    let of_day = hour.rem_euclid(24);
    Some(Hit {
        tier: Tier::Signal,
        severity: Severity::Info,
        evidence_db: OFF_HOURS_DB,
        hard: false,
        size: 1.0,
        window_start: event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::OffHoursUse,
            rank: 0,
            belonging: Belonging::OwnHits,
            text: format!(
                "{{name}} was used between {of_day:02}:00 and {:02}:00 UTC, at which it was silent on such days for weeks{{sources}}",
                (of_day + 1) % 24
            ),
            figures: Evidence {
                expected: Some(rate.slots.most_around(hour)),
                window_s: Some(HOUR.unsigned_abs()),
                statistic: "share of weeks in which the hour was used, below one in twenty"
                    .to_owned(),
                baseline_days: Some(u32::from(token.active_days)),
                ..Evidence::default()
            },
        },
        bulk: None,
    })
}
