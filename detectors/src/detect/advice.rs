//! What `long_lived_token` and `rotation_overdue` share: facts that hold for months, told now and then.
//!
//! When they are told follows from the times of the token's events alone, so nothing has to be remembered: at the first
//! event after the fact began to hold, and at the first one of every period after that.

use std::time::Duration;

use tokenwatch_model::{AccessEvent, Detector, Evidence, Severity, Timestamp};

use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};

/// The time of a token that went by with an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    /// The token's newest event before; none at its first.
    pub(crate) before: Option<Timestamp>,
    /// Its newest now, which an event that comes late does not change.
    pub(crate) now: Timestamp,
}

impl Passed {
    /// Whether a fact that holds since `onset`, and is told once in `every`, is told now.
    pub(crate) fn is_due(self, onset: Timestamp, every: Duration) -> bool {
        if self.now < onset {
            return false;
        }
        let period = |at: Timestamp| at.since(onset).as_micros() / every.as_micros().max(1);
        match self.before {
            None => true,
            Some(before) => before < onset || period(before) < period(self.now),
        }
    }
}

/// What a fact is told with.
pub(crate) struct Fact {
    pub(crate) detector: Detector,
    pub(crate) severity: Severity,
    pub(crate) text: String,
    /// How long, and how long it may be.
    pub(crate) lasted: Duration,
    pub(crate) allowed: Duration,
    pub(crate) statistic: &'static str,
}

impl Fact {
    /// The hit.
    pub(crate) fn hit(self, event: &AccessEvent<'_>) -> Hit {
        let days = |duration: Duration| libm::floor(duration.as_secs_f64() / 8_640.0) / 10.0;
        Hit {
            tier: Tier::Finding,
            severity: self.severity,
            evidence_db: 0.0,
            hard: false,
            size: 1.0,
            window_start: event.ts,
            quiet_s: QUIET_S,
            confirm: false,
            story: Story {
                detector: self.detector,
                rank: 0,
                belonging: Belonging::OwnHits,
                text: self.text,
                figures: Evidence {
                    observed: Some(days(self.lasted)),
                    expected: Some(days(self.allowed)),
                    statistic: self.statistic.to_owned(),
                    ..Evidence::default()
                },
            },
            bulk: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_told_once_a_period() {
        let at = Timestamp::from_secs;
        let every = Duration::from_secs(100);
        for (before, now, want) in [
            (None, 999, false),
            (None, 1_000, true),
            (None, 1_250, true),
            (Some(990), 999, false),
            (Some(999), 1_000, true),
            (Some(1_000), 1_000, false),
            (Some(1_000), 1_099, false),
            (Some(1_099), 1_100, true),
            (Some(1_050), 1_950, true),
            (Some(1_150), 1_150, false),
        ] {
            let passed = Passed {
                before: before.map(at),
                now: at(now),
            };
            assert_eq!(passed.is_due(at(1_000), every), want, "{before:?} {now}");
        }
    }
}
