//! How many of a group's tokens surge at usual times, so that a group in which some always do is not told.
//!
//! People's clients are silent until a session begins, and every session is far above what the hour lets expect: four of four
//! such tokens say nothing. Sealed half-minutes are summed up by days, and a half-minute is compared with the week that ended a
//! day before: all of that is sealed, so what it is compared with does not depend on how far partitions are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::WINDOW_S;
use super::window::Window;
use crate::calendar::DAY;
use crate::stats::binomial_tail;

/// Groups that are remembered: 4,096 of 128 bytes are 512 KiB.
const MAX_GROUPS: usize = 4_096;
/// Days that a half-minute is compared with; the last of them lies so many before its own.
const DAYS: i64 = 7;
const LAG: i64 = 2;
/// Those and the days since, the next one too, which another partition may have reached.
const KEPT: usize = (DAYS + LAG + 1) as usize;
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
    /// Adds the tokens of a sealed half-minute; how many groups found no room.
    pub(super) fn learn(&mut self, number: i64, window: &Window) -> u64 {
        let day = day_of(number);
        if day > self.newest {
            self.newest = day;
            self.groups.retain(|_, days| {
                let last = days.iter().map(|day| i64::from(day.number)).max();
                last.is_some_and(|last| last + LAG + DAYS > day)
            });
        }
        let rated = window
            .groups()
            .filter(|(_, cell)| cell.rated > 0 || cell.hot > 0);
        rated
            .map(|(key, cell)| u64::from(!self.add(key, day, cell.rated, cell.hot)))
            .sum()
    }

    fn add(&mut self, group: u64, number: i64, rated: u32, hot: u32) -> bool {
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
        day.rated = day.rated.saturating_add(rated);
        day.hot = day.hot.saturating_add(hot);
        true
    }

    /// Whether by chance alone so many of a group's tokens might surge in the five minutes that end with `window`.
    pub(super) fn is_chance(&self, group: u64, window: i64, hot: u32, rated: u32) -> bool {
        let number = day_of(window);
        let before = number - LAG - DAYS + 1..=number - LAG;
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
            assert_eq!(usual.learn(day * WINDOWS_A_DAY, &window(1, rated, hot)), 0);
        }
        usual
    }

    fn window(group: u64, rated: u32, hot: u32) -> Window {
        let mut window = Window::default();
        let cell = window.cell(group).expect("there is room");
        (cell.rated, cell.hot) = (rated, hot);
        window
    }

    /// The first half-minute that is compared with that week and nothing else.
    const AFTER: i64 = (DAYS - 1 + LAG) * WINDOWS_A_DAY;

    #[test]
    fn four_of_four_are_chance_where_every_other_one_surges_and_none_where_hardly_one_does() {
        assert!(week(40, 20).is_chance(1, AFTER, 4, 4));
        assert!(!week(40, 1).is_chance(1, AFTER, 4, 4));
        assert!(!Usual::default().is_chance(1, AFTER, 4, 4));
        assert!(!week(40, 20).is_chance(1, AFTER, 40, 40));
    }

    #[test]
    fn a_day_counts_once_it_is_two_days_ago_and_for_a_week() {
        let mut usual = week(40, 20);
        usual.learn(AFTER, &window(1, 10_000, 0));
        assert!(usual.is_chance(1, AFTER, 4, 4), "today does not count");
        assert!(usual.is_chance(1, AFTER + WINDOWS_A_DAY, 4, 4));
        assert!(!usual.is_chance(1, AFTER + 2 * WINDOWS_A_DAY, 4, 4));
        usual.learn(AFTER + 10 * WINDOWS_A_DAY, &window(2, 1, 0));
        assert!(!usual.groups.contains_key(&1), "forgotten");
    }
}
