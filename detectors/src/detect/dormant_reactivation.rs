//! `dormant_reactivation`: a token that comes back after a long silence.
//!
//! Catches forgotten keys that someone found: the silence is at least a month, and three times the longest before. Misses
//! a thief who comes within the month. Its main false positive is a yearly job, once. Needs no habit but ten calls.
//! Bytes per token: 1.

use std::time::Duration;

use tokenwatch_model::{AccessEvent, Detector, Evidence, Severity};

use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::settings::DetectorSettings;
use crate::token::Token;

/// Weight.
const DORMANT_DB: f64 = 24.0;
/// How many times the longest silence before.
const TIMES_LONGEST: u32 = 3;
/// Calls that it must have made before, so that it was in use at all.
const LEAST_CALLS: u32 = 10;

/// A hit if `silence` is over with this call; notes it as one of the token's silences.
pub(crate) fn observe(
    token: &mut Token,
    silence: Duration,
    event: &AccessEvent<'_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let days = u8::try_from(silence.as_secs() / 86_400).unwrap_or(u8::MAX);
    if days <= token.longest_silence_days {
        return None;
    }
    let longest = std::mem::replace(&mut token.longest_silence_days, days);
    let usual = Duration::from_secs((u64::from(longest) + 1) * 86_400);
    if silence < settings.dormant.after
        || silence < usual * TIMES_LONGEST
        || token.calls < LEAST_CALLS
    {
        return None;
    }
    Some(Hit {
        tier: Tier::Finding,
        severity: Severity::Low,
        evidence_db: DORMANT_DB,
        hard: false,
        size: 1.0,
        window_start: event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::DormantReactivation,
            rank: 0,
            belonging: Belonging::OwnHits,
            text: format!(
                "{{name}} is used again since {{first}}, after {} days of silence; it was never silent for more than {} \
                 before{{sources}}",
                silence.as_secs() / 86_400,
                crate::wording::days(usual),
            ),
            figures: Evidence {
                observed: Some(silence.as_secs_f64() / 86_400.0),
                expected: Some(usual.as_secs_f64() / 86_400.0),
                statistic: "days of silence, at least a month and three times the longest before"
                    .to_owned(),
                baseline_days: Some(u32::from(token.active_days)),
                ..Evidence::default()
            },
        },
        bulk: None,
    })
}
