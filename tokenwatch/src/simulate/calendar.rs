//! The simulation's days: when it begins, and what day of the week, month and year a day is.

use tokenwatch_model::Timestamp;

/// Day 0 begins on Monday 2026-10-05 00:00 UTC: day 20 is the end of summer time, day 26 the end of the month.
const START: Timestamp = Timestamp::from_secs(1_791_158_400);
/// Clocks change on this day, a Sunday.
pub(super) const CLOCK_CHANGE_DAY: i32 = 20;
/// The last day of October.
pub(super) const MONTH_END_DAY: i32 = 26;
/// A day in microseconds.
pub(super) const DAY: i64 = 86_400_000_000;
/// An hour.
pub(super) const HOUR: i64 = 3_600_000_000;
/// A minute.
pub(super) const MINUTE: i64 = 60_000_000;
/// A second.
pub(super) const SECOND: i64 = 1_000_000;

/// Microseconds since the simulation's start.
pub(super) type Moment = i64;

/// The point in time of a moment.
pub(super) fn timestamp(moment: Moment) -> Timestamp {
    Timestamp::from_micros(START.as_micros() + moment)
}

/// The moment of a point in time.
pub(super) fn moment(at: Timestamp) -> Moment {
    at.as_micros() - START.as_micros()
}

/// The day that a moment is in; negative before the start.
pub(super) fn day_of(moment: Moment) -> i32 {
    moment.div_euclid(DAY) as i32
}

/// When a day begins.
pub(super) fn start_of(day: i32) -> Moment {
    i64::from(day) * DAY
}

/// Whether nobody works on that day.
pub(super) fn is_weekend(day: i32) -> bool {
    day.rem_euclid(7) >= 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_that_of_autumn_2026() {
        assert_eq!(timestamp(0).to_string(), "2026-10-05T00:00:00.000Z");
        assert_eq!(
            timestamp(start_of(CLOCK_CHANGE_DAY)).to_string(),
            "2026-10-25T00:00:00.000Z"
        );
        assert_eq!(
            timestamp(start_of(MONTH_END_DAY)).to_string(),
            "2026-10-31T00:00:00.000Z"
        );
        assert!(is_weekend(CLOCK_CHANGE_DAY) && is_weekend(MONTH_END_DAY) && !is_weekend(7));
        assert_eq!(moment(timestamp(-5)), -5);
    }
}
