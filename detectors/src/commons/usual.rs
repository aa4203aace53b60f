//! How many of a group's tokens surge at usual times, so that a group in which some always do is not told.
//!
//! People's clients are silent until a session begins, and every session is far above what the hour lets expect: four of four
//! such tokens say nothing. Days are summed up by themselves, and a half-minute is compared with whole days before its own, so
//! what it is compared with does not depend on how far partitions are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::WINDOW_S;
use crate::calendar::DAY;
use crate::stats::binomial_tail;

/// Groups that are remembered: 4,096 of 116 bytes are 464 KiB.
const MAX_GROUPS: usize = 4_096;
/// Days before its own that a half-minute is compared with.
const DAYS: i64 = 7;
/// Those, the running day, and the next one, which another partition may have reached.
const KEPT: usize = DAYS as usize + 2;
/// Of a group of which nothing is known one token in fifty surges in five minutes: as if fifty had been seen.
const PRIOR_HOT: f64 = 1.0;
const PRIOR_RATED: f64 = 50.0;
/// So many at once are no chance if they are less likely than this. About 300 spans of five minutes a day are looked at.
const CHANCE: f64 = 1e-4;

/// The groups' days.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usual {
    groups: BTreeMap<u64, [Day; KEPT]>,
    /// The newest day.
    newest: i64,
}

/// Tokens of one day that were active in five minutes, and those of them that surged, each as often as they did; 12 bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Day {
    number: u32,
    rated: u32,
    hot: u32,
}

impl Usual {
    /// Counts a token that is active in half-minute `window`, or that surges in it; whether there was room.
    pub(super) fn count(&mut self, group: u64, window: i64, hot: bool) -> bool {
        let number = day_of(window);
        if number > self.newest {
            self.newest = number;
            self.groups.retain(|_, days| {
                let last = days.iter().map(|day| i64::from(day.number)).max();
                last.is_some_and(|last| last + DAYS >= number)
            });
        }
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&group) {
            return false;
        }
        let days = self.groups.entry(group).or_default();
        let day = &mut days[number.rem_euclid(KEPT as i64) as usize];
        if i64::from(day.number) < number {
            *day = Day {
                number: u32::try_from(number).unwrap_or(0),
                ..Day::default()
            };
        }
        if i64::from(day.number) == number {
            let count = if hot { &mut day.hot } else { &mut day.rated };
            *count = count.saturating_add(1);
        }
        true
    }

    /// Whether by chance alone so many of a group's tokens might surge in the five minutes that end with `window`.
    pub(super) fn is_chance(&self, group: u64, window: i64, hot: u32, rated: u32) -> bool {
        let number = day_of(window);
        let before = number - DAYS..number;
        let days = self.groups.get(&group).into_iter().flatten();
        let (hot_before, rated_before) = days
            .filter(|day| before.contains(&i64::from(day.number)))
            .fold((PRIOR_HOT, PRIOR_RATED), |(hot, rated), day| {
                (hot + f64::from(day.hot), rated + f64::from(day.rated))
            });
        let usual = (hot_before / rated_before).min(1.0);
        binomial_tail(hot, rated.max(hot), usual) > CHANCE
    }
}

fn day_of(window: i64) -> i64 {
    (window * WINDOW_S).div_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS_A_DAY: i64 = DAY / WINDOW_S;

    /// A group of which `hot` of `rated` tokens surge every day of a week.
    fn week(rated: u32, hot: u32) -> Usual {
        let mut usual = Usual::default();
        for day in 0..DAYS {
            for token in 0..rated {
                assert!(usual.count(1, day * WINDOWS_A_DAY, false));
                if token < hot {
                    assert!(usual.count(1, day * WINDOWS_A_DAY, true));
                }
            }
        }
        usual
    }

    #[test]
    fn four_of_four_are_chance_where_every_other_one_surges_and_none_where_hardly_one_does() {
        let today = DAYS * WINDOWS_A_DAY;
        assert!(week(40, 20).is_chance(1, today, 4, 4));
        assert!(!week(40, 1).is_chance(1, today, 4, 4));
        assert!(!Usual::default().is_chance(1, today, 4, 4));
        assert!(!week(40, 20).is_chance(1, today, 40, 40));
    }

    #[test]
    fn a_day_is_compared_with_days_before_it_and_a_week_later_with_none_of_them() {
        let mut usual = week(40, 20);
        let today = DAYS * WINDOWS_A_DAY;
        for _ in 0..10_000 {
            usual.count(1, today, false);
        }
        assert!(usual.is_chance(1, today, 4, 4), "today does not count");
        assert!(!usual.is_chance(1, today + WINDOWS_A_DAY, 4, 4));
        usual.count(2, today + 8 * WINDOWS_A_DAY, false);
        assert!(!usual.groups.contains_key(&1), "forgotten");
    }
}
