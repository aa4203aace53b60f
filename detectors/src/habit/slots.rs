//! What a token does at each hour of a weekday and of a weekend day.

use libm::sqrt;
use serde::{Deserialize, Serialize};

use crate::calendar::{is_weekend, is_weekend_hour};
use crate::log_count::{LogCount, LogLevel};

/// Pseudo-visits by which a slot is shrunk to the token's level.
const SHRINKAGE: f64 = 2.0;
/// A slot is the mean of about this many visits.
const MAX_VISITS: u8 = 8;

/// Calls per hour in 24 hours of two classes of days; learned a day late. 148 bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Slots {
    levels: [[LogLevel; 24]; 2],
    visits: [u8; 2],
    today: [LogCount; 24],
    yesterday: [LogCount; 24],
}

impl Slots {
    /// Reads a little of each of its lines of memory.
    pub(crate) fn read(&self) -> u64 {
        u64::from(self.visits[0]) ^ u64::from(self.levels[1][0] > self.levels[0][0])
    }

    /// Notes the final count of hour number `hour`; `day` is that of the newest event.
    pub(crate) fn close_hour(&mut self, hour: i64, count: u32, day: i64) {
        let hours = match day - hour.div_euclid(24) {
            0 => &mut self.today,
            1 => &mut self.yesterday,
            _ => return,
        };
        hours[hour.rem_euclid(24) as usize] = LogCount::of_count(count);
    }

    /// Ends a day; the one before it, number `folded`, is learned if it is given.
    pub(crate) fn end_day(&mut self, folded: Option<i64>, dispersion: f64) {
        if let Some(day) = folded {
            self.fold(day, dispersion);
        }
        self.yesterday = self.today;
        self.today = [LogCount::default(); 24];
    }

    fn fold(&mut self, day: i64, dispersion: f64) {
        let class = usize::from(is_weekend(day));
        let visits = self.visits[class];
        for (slot, count) in self.levels[class].iter_mut().zip(&self.yesterday) {
            let level = slot.level();
            let mut count = count.count();
            if visits > 1 {
                // Three times the level, six standard deviations, and a little: more is not learned at once.
                let deviation = sqrt(level.max(1.2) * dispersion);
                count = count.min(3.0 * level + 6.0 * deviation + 12.0);
            }
            *slot = LogLevel::of(level + (count - level) / (f64::from(visits) + 1.0));
        }
        self.visits[class] = (visits + 1).min(MAX_VISITS);
    }

    /// Calls expected in hour number `hour`: the most of it and its neighbours, which absorbs summer time, jitter and
    /// jobs on the edge of an hour. `level` is the token's mean.
    pub(crate) fn expected(&self, hour: i64, level: f64) -> f64 {
        (hour - 1..=hour + 1)
            .map(|hour| {
                let class = usize::from(is_weekend_hour(hour));
                self.shrunk(class, hour.rem_euclid(24) as usize, level)
            })
            .fold(0.0, f64::max)
    }

    /// The most calls of hour number `hour` and its neighbours, as seen; without any prior.
    pub(crate) fn most_around(&self, hour: i64) -> f64 {
        (hour - 1..=hour + 1)
            .map(|hour| {
                let class = usize::from(is_weekend_hour(hour));
                self.levels[class][hour.rem_euclid(24) as usize].level()
            })
            .fold(0.0, f64::max)
    }

    /// Hours of a week in which at least `calls` are usual.
    pub(crate) fn active_hours(&self, calls: f64) -> u32 {
        let active = |class: usize| {
            let hours = self.levels[class].iter();
            hours.filter(|level| level.level() >= calls).count() as u32
        };
        5 * active(0) + 2 * active(1)
    }

    /// Calls expected on day number `day`.
    pub(crate) fn expected_day(&self, day: i64, level: f64) -> f64 {
        let class = usize::from(is_weekend(day));
        (0..24).map(|hour| self.shrunk(class, hour, level)).sum()
    }

    /// Calls expected in each hour of a weekday (0) or weekend day (1).
    pub(crate) fn hourly(&self, class: usize, level: f64) -> impl Iterator<Item = f64> + '_ {
        (0..24).map(move |hour| self.shrunk(class, hour, level))
    }

    fn shrunk(&self, class: usize, hour: usize, level: f64) -> f64 {
        let visits = f64::from(self.visits[class]);
        (self.levels[class][hour].level() * visits + SHRINKAGE * level) / (visits + SHRINKAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1970-01-05 was a Monday.
    const MONDAY: i64 = 4;

    fn after_weeks(weeks: i64) -> Slots {
        let mut slots = Slots::default();
        for day in MONDAY..MONDAY + 7 * weeks {
            slots.end_day(
                (day > MONDAY).then_some(day - 2).filter(|d| *d >= MONDAY),
                1.2,
            );
            if !is_weekend(day) {
                slots.close_hour(day * 24 + 9, 240, day);
            }
        }
        slots
    }

    #[test]
    fn the_busy_hour_and_its_neighbours_are_expected_on_weekdays_only() {
        let slots = after_weeks(4);
        let monday = (MONDAY + 28) * 24;
        for hour in [8, 9, 10] {
            assert!(slots.expected(monday + hour, 10.0) > 150.0, "{hour}");
        }
        assert!(slots.expected(monday + 12, 10.0) < 5.0);
        assert!(slots.expected(monday + 5 * 24 + 9, 10.0) < 10.0);
    }

    #[test]
    fn without_visits_the_level_is_all_that_is_known() {
        assert!((Slots::default().expected(100, 7.0) - 7.0).abs() < 1e-9);
    }
}
