//! Common mode: the share of active tokens that fail, minute by minute, so that an outage does not become one finding
//! per token.
//!
//! The aggregates are commutative: how many tokens were active in a minute, and how many of them were failing at its
//! end, do not depend on the order of the events. While a minute runs, its figures are those of the events so far, and a
//! burst is held back or not by them: waiting for the watermark would cost half a minute on every true burst.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Outcome, Timestamp};

use crate::calendar::MINUTE;
use crate::config::FailureBurstConfig;

/// Minutes kept: a partition may lag the others by an hour.
const MINUTES: usize = 64;
/// A token fails if at least two and a fifth of its calls in the minute do.
const FAILING_CALLS: u16 = 2;
const FAILING_SHARE: u32 = 5;

/// Fleet-wide aggregates.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fleet {
    minutes: Vec<Minute>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Minute {
    number: i64,
    active: u32,
    failing: u32,
}

/// What a token did in its newest minute; 8 bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FleetMark {
    minute: u32,
    calls: u16,
    failed: u16,
}

impl FleetMark {
    fn is_failing(self) -> bool {
        self.failed >= FAILING_CALLS
            && u32::from(self.failed) * FAILING_SHARE >= u32::from(self.calls)
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            minutes: vec![Minute::default(); MINUTES],
        }
    }
}

impl Fleet {
    /// Counts a call of the token whose mark this is.
    pub(crate) fn count(&mut self, mark: &mut FleetMark, ts: Timestamp, outcome: Outcome) {
        let number = ts.as_secs().div_euclid(MINUTE);
        let Ok(minute) = u32::try_from(number) else {
            return;
        };
        if minute < mark.minute {
            return;
        }
        let slot = &mut self.minutes[number.rem_euclid(MINUTES as i64) as usize];
        if slot.number > number {
            return;
        }
        if slot.number < number {
            *slot = Minute {
                number,
                ..Minute::default()
            };
        }
        if minute > mark.minute {
            *mark = FleetMark {
                minute,
                ..FleetMark::default()
            };
            slot.active += 1;
        }
        let before = mark.is_failing();
        mark.calls = mark.calls.saturating_add(1);
        let failed = match outcome {
            Outcome::Denied | Outcome::NotFound | Outcome::ServerError => true,
            Outcome::Ok | Outcome::Throttled | Outcome::ClientError | Outcome::Aborted => false,
        };
        mark.failed = mark.failed.saturating_add(u16::from(failed));
        match (before, mark.is_failing()) {
            (false, true) => slot.failing += 1,
            (true, false) => slot.failing = slot.failing.saturating_sub(1),
            _ => {}
        }
    }

    /// Whether so many tokens fail around `ts` that no single one is to blame.
    pub(crate) fn is_failing(&self, ts: Timestamp, settings: &FailureBurstConfig) -> bool {
        let number = ts.as_secs().div_euclid(MINUTE);
        let minute = |number: i64| {
            let minute = self.minutes[number.rem_euclid(MINUTES as i64) as usize];
            if minute.number == number {
                minute
            } else {
                Minute::default()
            }
        };
        let (now, before) = (minute(number), minute(number - 1));
        let fails = |failing: u32, active: u32| {
            failing >= settings.common_mode_tokens
                && f64::from(failing) >= settings.common_mode_share * f64::from(active)
        };
        fails(now.failing, now.active) || fails(before.failing, before.active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a fleet of 40 tokens, of which `failing` fail, is in common mode.
    fn check(failing: usize, want: bool) {
        let mut fleet = Fleet::default();
        let at = Timestamp::from_secs(1_000_000);
        for token in 0..40 {
            let mut mark = FleetMark::default();
            for _ in 0..4 {
                let outcome = if token < failing {
                    Outcome::Denied
                } else {
                    Outcome::Ok
                };
                fleet.count(&mut mark, at, outcome);
            }
        }
        assert_eq!(
            fleet.is_failing(at, &FailureBurstConfig::default()),
            want,
            "{failing}"
        );
    }

    #[test]
    fn a_quarter_of_the_active_tokens_is_common_mode() {
        check(2, false);
        check(9, false);
        check(10, true);
        check(40, true);
    }

    #[test]
    fn a_token_that_recovers_within_the_minute_does_not_count() {
        let mut fleet = Fleet::default();
        let at = Timestamp::from_secs(1_000_000);
        for _ in 0..12 {
            let mut mark = FleetMark::default();
            for call in 0..20 {
                let outcome = if call < 2 {
                    Outcome::Denied
                } else {
                    Outcome::Ok
                };
                fleet.count(&mut mark, at, outcome);
            }
        }
        assert!(!fleet.is_failing(at, &FailureBurstConfig::default()));
    }
}
