//! Event time as whole seconds, hours and days since 1970, UTC, and the two classes of days that habits tell apart.

use tokenwatch_model::Timestamp;

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;

/// The number of the day that `time` lies in.
pub(crate) fn day_of(time: Timestamp) -> i64 {
    time.as_secs().div_euclid(DAY)
}

/// The number of the hour that `time` lies in.
pub(crate) fn hour_of(time: Timestamp) -> i64 {
    time.as_secs().div_euclid(HOUR)
}

/// Whether an hour, by its number, lies in a weekend.
pub(crate) fn is_weekend_hour(hour: i64) -> bool {
    is_weekend(hour.div_euclid(24))
}

/// Whether a day, by its number, is a Saturday or Sunday. Day 0 was a Thursday.
pub(crate) fn is_weekend(day: i64) -> bool {
    (day + 3).rem_euclid(7) >= 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_are_saturday_and_sunday_in_utc() {
        let day = |text: &str| day_of(text.parse().expect("a time"));
        assert!(!is_weekend(day("2026-11-20T23:59:59Z")));
        assert!(is_weekend(day("2026-11-21T00:00:00Z")));
        assert!(is_weekend(day("2026-11-22T12:00:00Z")));
        assert!(!is_weekend(day("2026-11-23T00:00:00Z")));
        assert!(is_weekend(day("1969-12-28T00:00:00Z")));
    }
}
