//! What is remembered of one key: the last ten minutes, what is usual for it, and the attack that goes on.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, TokenId};

use super::earliest::Earliest;
use super::key::{Keys, SourceKey};
use super::tally::Tally;
use super::window::Cell;
use super::{WINDOW_S, WINDOWS_PER_DAY};
use crate::habit::DAY_DISCOUNT;

/// Windows summed up in one block: two minutes.
const BLOCK_WINDOWS: i64 = 4;
/// Blocks that are judged together: ten to twelve minutes, so that ten minutes always are.
const BLOCKS: i64 = 6;
/// Refused calls without a credential that weigh as much as one credential tried.
pub(crate) const ANONYMOUS_PER_CREDENTIAL: f64 = 10.0;
/// Days that must have been learned before the habit says what is usual.
const LEARNED_DAYS: f64 = 0.9;

/// A campaign may last for days; what goes on for longer is no news. A relay whose customers mistype a few dozen keys is none
/// on the second day.
const USUAL_ATTACK_DAYS: u8 = 7;
const SMALL_STRENGTH: f32 = 50.0;

/// What is remembered of one key; 0.2 KB, 5 KB while many credentials are tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// As findings call it.
    pub(crate) name: String,
    /// The keys of its first call.
    pub(crate) keys: Keys,
    /// Windows of its first and its last try.
    pub(crate) since: i64,
    pub(crate) last: i64,
    /// The last ten minutes, oldest first, by the blocks' numbers.
    blocks: Vec<(i64, Tally)>,
    /// What the last window added, by its number.
    newest: (i64, Newest),
    pub(crate) earliest: Earliest,
    pub(crate) habit: Habit,
    pub(crate) attack: Option<Attack>,
}

/// What one window added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Newest {
    /// Refused calls that may be tries.
    pub(crate) attempts: u32,
    /// Calls let in with new credentials.
    pub(crate) admitted: u32,
    /// Microseconds since 1970 of the first and the last of them.
    pub(crate) span: Option<(i64, i64)>,
}

/// An attack that was reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attack {
    pub(crate) detector: Detector,
    /// The second in which its first window began.
    pub(crate) start_s: i64,
    /// The last window that belonged to it.
    pub(crate) last: i64,
    /// Tokens that it was let in with, as far as they were told.
    pub(crate) helped: Vec<TokenId>,
}

/// How many credentials a key tries in its worst ten minutes of a day, usually. 24 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Habit {
    day: i64,
    today: f32,
    /// Discounted sum of daily maxima, and of days.
    sum: f32,
    days: f32,
    attacked_today: bool,
    /// Days with an attack, one after the other, up to yesterday.
    attacked_days: u8,
}

impl Entry {
    /// An entry that begins with the tries of `window`.
    pub(crate) fn new(window: i64, key: SourceKey, cell: &Cell) -> Self {
        let (_, keys, name) = cell.origin.clone().unwrap_or_else(|| {
            let keys = Keys {
                address: None,
                system: None,
                client: 0,
                route: None,
            };
            (0, keys, format!("{key:?}"))
        });
        Self {
            name,
            keys,
            since: window,
            last: window,
            blocks: Vec::new(),
            newest: (window, Newest::default()),
            earliest: Earliest::default(),
            habit: Habit::default(),
            attack: None,
        }
    }

    /// Adds the tries of a window.
    pub(crate) fn add_tries(&mut self, window: i64, cell: &Cell) {
        if window - self.last > BLOCKS * BLOCK_WINDOWS {
            self.earliest = Earliest::default();
        }
        self.last = self.last.max(window);
        self.earliest.merge(&cell.earliest);
        self.add(window, &cell.tally);
    }

    /// Adds what a window has to say.
    pub(crate) fn add(&mut self, window: i64, tally: &Tally) {
        if self.newest.0 != window {
            self.newest = (window, Newest::default());
        }
        self.newest.1.add(tally);
        let block = window.div_euclid(BLOCK_WINDOWS);
        self.blocks.retain(|(number, _)| *number > block - BLOCKS);
        match self.blocks.last_mut() {
            Some((number, last)) if *number == block => last.merge(tally),
            _ => self.blocks.push((block, tally.clone())),
        }
    }

    /// Adds accepted calls that were counted in a window.
    pub(crate) fn add_usual(&mut self, window: i64, calls: u32) {
        let usual = Tally {
            usual: calls,
            ..Tally::default()
        };
        self.add(window, &usual);
    }

    /// What `window` added.
    pub(crate) fn newest(&self, window: i64) -> Newest {
        let (number, newest) = self.newest;
        if number == window {
            newest
        } else {
            Newest::default()
        }
    }

    /// Whether anything was tried, or let in, within the ten minutes up to `window`.
    pub(crate) fn is_active(&self, window: i64) -> bool {
        self.recent(window)
            .any(|tally| tally.attempts() > 0 || tally.admitted > 0)
    }

    /// The sums of the ten minutes up to `window`.
    pub(crate) fn sum(&self, window: i64) -> Tally {
        let mut sum = Tally::default();
        for tally in self.recent(window) {
            sum.merge(tally);
        }
        sum
    }

    fn recent(&self, window: i64) -> impl Iterator<Item = &Tally> {
        let block = window.div_euclid(BLOCK_WINDOWS);
        self.blocks
            .iter()
            .filter(move |(number, _)| (block - BLOCKS + 1..=block).contains(number))
            .map(|(_, tally)| tally)
    }

    /// The attack, if it goes on at `window`: it ends after `quiet` windows without a try.
    pub(crate) fn attack_at(&self, window: i64, quiet: i64) -> Option<&Attack> {
        self.attack
            .as_ref()
            .filter(|attack| window - attack.last <= quiet)
    }

    /// Bytes.
    pub(crate) fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(|(_, tally)| tally.heap_bytes());
        size_of::<(SourceKey, Self)>()
            + self.name.capacity()
            + self.earliest.heap_bytes()
            + self.blocks.capacity() * size_of::<(i64, Tally)>()
            + blocks.sum::<usize>()
    }
}

impl Newest {
    fn add(&mut self, tally: &Tally) {
        self.attempts = self.attempts.saturating_add(tally.attempts());
        self.admitted = self.admitted.saturating_add(tally.admitted);
        if let Some((first, last)) = tally.span {
            let (a, b) = self.span.unwrap_or((first, last));
            self.span = Some((a.min(first), b.max(last)));
        }
    }
}

impl Habit {
    /// Takes note of what ten minutes amounted to, and of whether that was an attack.
    pub(crate) fn note(&mut self, window: i64, strength: f64, attacked: bool) {
        self.roll(window);
        self.today = self.today.max(strength as f32);
        self.attacked_today |= attacked;
    }

    /// What the worst ten minutes of a usual day amount to, and the discounted days that this rests on; `None` before
    /// the first day is over.
    pub(crate) fn usual(mut self, window: i64) -> Option<(f64, f64)> {
        self.roll(window);
        let days = f64::from(self.days);
        (days >= LEARNED_DAYS).then(|| (f64::from(self.sum) / days, days))
    }

    /// Ends days. One of an attack is not learned, unless the day before, or for a large one every day of the week before, was
    /// one too: then it is how things are.
    fn roll(&mut self, window: i64) {
        let day = window.div_euclid(WINDOWS_PER_DAY);
        if self.day == 0 {
            self.day = day;
        }
        let passed = day - self.day;
        if passed <= 0 {
            return;
        }
        let usual_after = if self.today < SMALL_STRENGTH {
            1
        } else {
            USUAL_ATTACK_DAYS
        };
        if !self.attacked_today || self.attacked_days >= usual_after {
            self.sum += self.today;
            self.days += 1.0;
        }
        let faded = libm::pow(DAY_DISCOUNT, passed as f64);
        // The days in between had no tries.
        let silent = (DAY_DISCOUNT - faded) / (1.0 - DAY_DISCOUNT);
        self.sum = (f64::from(self.sum) * faded) as f32;
        self.days = (f64::from(self.days) * faded + silent) as f32;
        self.attacked_days = if self.attacked_today && passed == 1 {
            self.attacked_days.saturating_add(1)
        } else {
            0
        };
        self.attacked_today = false;
        self.today = 0.0;
        self.day = day;
    }
}

/// The second in which the window of a time in microseconds begins.
pub(crate) fn window_start_s(micros: i64) -> i64 {
    micros.div_euclid(WINDOW_S * 1_000_000) * WINDOW_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_is_known_after_a_day_and_fades_with_silence() {
        let mut habit = Habit::default();
        let day = |number: i64| number * WINDOWS_PER_DAY;
        habit.note(day(100), 12.0, false);
        assert_eq!(habit.usual(day(100) + 5), None);
        let usual = |habit: &Habit, number| habit.usual(day(number)).expect("learned").0;
        assert!((usual(&habit, 101) - 12.0).abs() < 0.01);
        assert!(
            (usual(&habit, 103) - 3.9).abs() < 0.2,
            "three days, one of them with tries"
        );
    }

    #[test]
    fn a_large_attack_is_not_usual_until_it_comes_every_day_for_a_week() {
        let mut habit = Habit::default();
        let day = |number: i64| number * WINDOWS_PER_DAY;
        for number in 90..100 {
            habit.note(day(number), 1.0, false);
        }
        for number in 100..107 {
            habit.note(day(number), 500.0, true);
            assert!(habit.usual(day(number + 1)).expect("learned").0 < 2.0);
        }
        habit.note(day(107), 500.0, true);
        assert!(habit.usual(day(108)).expect("learned").0 > 50.0);
    }

    #[test]
    fn a_few_credentials_are_usual_on_the_second_day() {
        let mut habit = Habit::default();
        let day = |number: i64| number * WINDOWS_PER_DAY;
        habit.note(day(100), 1.0, false);
        habit.note(day(101), 12.0, true);
        assert!(habit.usual(day(102)).expect("learned").0 < 2.0);
        habit.note(day(102), 12.0, true);
        assert!(habit.usual(day(103)).expect("learned").0 > 5.0);
    }
}
