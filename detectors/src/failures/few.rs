//! The failures of a token that has no habit of them: those of one hour, until there are enough to begin one.
//!
//! Nearly every token fails now and then, and nothing that fails less than four times an hour can break a habit. What was noted
//! of the first three is handed to the habit when it begins, so that a burst is counted from its first call on.

use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use super::Failures;
use crate::calendar::{HOUR, day_of, hour_of};
use crate::habit::FAILURE_WIDTHS;

/// Failures of an hour that are few. The lowest floor is ten a minute.
const FEW: usize = 3;
/// Failures of a day that are few, whatever their hours; the floor of a day is sixty.
const FEW_A_DAY: u8 = 15;
/// From so many a day on, a tenth of all calls is a habit of a token that calls rarely.
const HABITUAL_A_DAY: u8 = 3;
const HABITUAL_PART: u32 = 10;

/// One failed call.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// A hash of where it came from and went to.
    pub(crate) cause: u32,
    /// Within its hour.
    second: u16,
    /// The upper six bits of the path's hash, and whether the status was 401.
    path: u8,
    /// Calls since that did not fail so.
    others: u8,
}

/// The failures of one kind, of one hour; 32 bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FewFailures {
    seen: [Failed; FEW],
    hour: u32,
    day: u16,
    /// How many there are of the hour, and of the day.
    count: u8,
    today: u8,
}

impl Failed {
    /// A failed call at `ts`.
    pub(crate) fn new(ts: Timestamp, path_hash: u64, cause: u32, unauthorised: bool) -> Self {
        Self {
            cause,
            second: ts.as_secs().rem_euclid(HOUR) as u16,
            path: (path_hash >> 58) as u8 | u8::from(unauthorised) << 7,
            others: 0,
        }
    }

    /// Notes it in the habit.
    pub(crate) fn note_in(self, failures: &mut Failures) {
        let path_hash = u64::from(self.path & 0x3f) << 58;
        failures.note(path_hash, self.cause, self.path >> 7 != 0);
    }
}

impl FewFailures {
    /// Notes a failure at the token's time `newest`, on a day of `calls` so far; whether they are not few any more.
    pub(crate) fn note(&mut self, failed: Failed, newest: Timestamp, calls: u32) -> bool {
        let hour = u32::try_from(hour_of(newest)).unwrap_or(0);
        let day = u16::try_from(day_of(newest)).unwrap_or(0);
        if hour != self.hour {
            (self.hour, self.count) = (hour, 0);
        }
        if day != self.day {
            (self.day, self.today) = (day, 0);
        }
        self.today = self.today.saturating_add(1);
        let habitual =
            self.today >= HABITUAL_A_DAY && u32::from(self.today) * HABITUAL_PART >= calls;
        if self.today > FEW_A_DAY || habitual {
            return true;
        }
        let Some(free) = self.seen.get_mut(usize::from(self.count)) else {
            return true;
        };
        *free = failed;
        self.count += 1;
        false
    }

    /// Counts a call that did not fail so.
    pub(crate) fn count_call(&mut self, newest: Timestamp) {
        let is_now = i64::from(self.hour) == hour_of(newest);
        if is_now && let Some(last) = usize::from(self.count).checked_sub(1) {
            self.seen[last].others = self.seen[last].others.saturating_add(1);
        }
    }

    /// Whether none of them is of the day of `newest`.
    pub(crate) fn is_over(&self, newest: Timestamp) -> bool {
        i64::from(self.day) != day_of(newest)
    }

    /// The habit that begins with them, the one that is not few any more excepted.
    pub(crate) fn begin(&self, newest: Timestamp) -> Failures {
        let mut failures = Failures::begin(newest);
        let of_hour = &self.seen[..usize::from(self.count)];
        for failed in of_hour {
            let at = i64::from(self.hour) * HOUR + i64::from(failed.second);
            let at = Timestamp::from_secs(at).min(newest);
            for _ in 0..=failed.others {
                failures.count_call(newest, at);
            }
            failed.note_in(&mut failures);
            for (scale, width) in failures.scales.iter_mut().zip(FAILURE_WIDTHS) {
                scale.add(newest.as_secs().div_euclid(width) - at.as_secs().div_euclid(width));
            }
        }
        let earlier = u32::from(self.today).saturating_sub(1 + of_hour.len() as u32);
        failures.scales[3].add_many(0, earlier);
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_793_620_800;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(NOON + secs)
    }

    fn note(few: &mut FewFailures, secs: i64, calls: u32) -> bool {
        let path_hash = u64::from(secs.unsigned_abs() as u8) << 58;
        few.note(Failed::new(at(secs), path_hash, 7, false), at(secs), calls)
    }

    #[test]
    fn a_habit_begins_with_the_fourth_failure_of_an_hour_and_knows_the_three_before() {
        let mut few = FewFailures::default();
        for secs in [0, 1, 700] {
            assert!(!note(&mut few, secs, 1_000));
            few.count_call(at(secs));
        }
        assert!(note(&mut few, 730, 1_000));
        let failures = few.begin(at(730));
        let counts: Vec<u32> = failures.scales.iter().map(|scale| scale.count(0)).collect();
        assert_eq!(
            counts,
            [0, 1, 3, 3],
            "of the minute, ten minutes, hour and day"
        );
        assert_eq!(failures.scales[0].count(1), 1, "the minute before");
        assert_eq!((failures.calls(2, 0), failures.distinct_paths(3)), (6, 3));
        assert!(failures.has_single_cause());
    }

    #[test]
    fn failures_far_apart_stay_few_until_there_are_many_a_day() {
        let mut few = FewFailures::default();
        for hour in 0..7 {
            for secs in [0, 60] {
                assert!(!note(&mut few, hour * HOUR + secs, 1_000), "{hour}");
            }
        }
        assert!(!few.is_over(at(7 * HOUR)) && few.is_over(at(13 * HOUR)));
        assert!(!note(&mut few, 8 * HOUR, 1_000));
        assert!(note(&mut few, 9 * HOUR, 1_000));
        let failures = few.begin(at(9 * HOUR));
        assert_eq!(
            (failures.scales[2].count(0), failures.scales[3].count(0)),
            (0, 15)
        );
    }

    #[test]
    fn a_token_that_calls_rarely_and_fails_often_has_a_habit_of_it() {
        let mut few = FewFailures::default();
        let rare = [0, HOUR, 2 * HOUR].map(|secs| note(&mut few, secs, 20));
        assert_eq!(rare, [false, false, true]);
        assert!(size_of::<FewFailures>() <= 32);
    }
}
