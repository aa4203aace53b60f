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

/// The first day of the month that `day` lies in, and of the next one.
pub(crate) fn month_around(day: i64) -> (i64, i64) {
    // Years begin in March here, so that a leap day is the last of its year; day 0 is 1 March 2000.
    const EPOCH: i64 = 11_017;
    const CYCLE: i64 = 146_097;
    let within = (day - EPOCH).rem_euclid(CYCLE);
    let century = (within / 36_524).min(3);
    let of_century = within - century * 36_524;
    let quartet = of_century / 1_461;
    let of_quartet = of_century - quartet * 1_461;
    let year = (of_quartet / 365).min(3);
    let of_year = of_quartet - year * 365;
    // Five months have 153 days, and so have the next five; the last two fit the same line.
    let month = (5 * of_year + 2) / 153;
    let start = (153 * month + 2) / 5;
    let next = (153 * (month + 1) + 2) / 5;
    let leap = i64::from(year == 3 && (quartet < 24 || century == 3));
    let length = match month {
        11 => 28 + leap,
        _ => next - start,
    };
    let first = day - (of_year - start);
    (first, first + length)
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

    #[test]
    fn months_begin_where_the_calendar_says() {
        for (text, first, next) in [
            ("2026-11-22T12:00:00Z", "2026-11-01", "2026-12-01"),
            ("2026-12-31T23:59:59Z", "2026-12-01", "2027-01-01"),
            ("2027-01-01T00:00:00Z", "2027-01-01", "2027-02-01"),
            ("2026-02-28T00:00:00Z", "2026-02-01", "2026-03-01"),
            ("2028-02-29T00:00:00Z", "2028-02-01", "2028-03-01"),
            ("2000-02-29T00:00:00Z", "2000-02-01", "2000-03-01"),
            ("2100-02-28T00:00:00Z", "2100-02-01", "2100-03-01"),
            ("2027-03-01T00:00:00Z", "2027-03-01", "2027-04-01"),
            ("1969-12-31T00:00:00Z", "1969-12-01", "1970-01-01"),
        ] {
            let day = |text: &str| day_of(text.parse().expect("a time"));
            let midnight = |date: &str| day(&format!("{date}T00:00:00Z"));
            let want = (midnight(first), midnight(next));
            assert_eq!(month_around(day(text)), want, "{text}");
        }
    }
}
