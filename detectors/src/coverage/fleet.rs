//! All that log together: whether they do so steadily, and half-minutes in which nobody did.
//!
//! A fleet may sleep at night or over a weekend, so a silence of all counts only in hours that were steady the day before
//! and, once a week is known, the week before.

use serde::{Deserialize, Serialize};

use super::voice::Habit;
use super::{AGAIN_WINDOWS, DAY_WINDOWS, HOUR_WINDOWS, Heard, SLOT_WINDOWS};
use crate::calendar::{HOUR, is_weekend_hour};
use crate::commons::WINDOW_S;
use crate::detect::blind_window::{Blind, BlindWindowConfig, Gap};

/// Hours of a week, and slots of an hour.
const WEEK_HOURS: i64 = 168;
const HOUR_SLOTS: u32 = 12;
/// A gap that is noticed by what comes after it is told two minutes later: a clock that is ahead leaves a gap, too, which the
/// others fill.
const FILLED_WINDOWS: i64 = 4;

/// All that log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Fleet {
    habit: Habit,
    /// The first and the newest half-minute in which anybody was heard.
    first: Option<i64>,
    last: i64,
    gap: Option<Silence>,
    /// One that was not told while it lasted, and when it ended: late events may still fill it.
    ended: Option<(Silence, i64)>,
    /// By hour of the week, the number of the last hour that was steady throughout.
    steady_hours: Vec<i64>,
    steady_slots: u32,
}

/// Nobody was heard since.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Silence {
    since: i64,
    level: f64,
    told: Option<i64>,
    /// When it was long enough.
    due: Option<i64>,
}

impl Fleet {
    /// Events of a usual half-minute.
    pub(super) fn level(&self) -> f64 {
        self.habit.level()
    }

    /// When anybody was heard first.
    pub(super) fn began(&self) -> i64 {
        self.first.unwrap_or(i64::MAX / 2)
    }

    /// For how long nobody has been heard before half-minute `number`.
    pub(super) fn quiet_windows(&self, number: i64) -> i64 {
        if self.first.is_some() {
            number - self.last - 1
        } else {
            0
        }
    }

    /// Whether half-minute `number` is the first of its slot in which anybody is heard.
    pub(super) fn ends_slot(&self, number: i64) -> bool {
        self.first.is_some() && slot_of(number) != slot_of(self.last)
    }

    /// Somebody was heard.
    pub(super) fn hear(
        &mut self,
        number: i64,
        heard: Heard,
        settings: &BlindWindowConfig,
        told: &mut Vec<Blind>,
    ) {
        if self.quiet_windows(number) > HOUR_WINDOWS {
            self.habit = Habit::default();
            self.steady_slots = 0;
        } else if self.ends_slot(number) {
            let steady = self.habit.end_slot(Some(settings));
            self.steady_slots += u32::from(steady);
            let (hour, next) = (hour_of(self.last), hour_of(number));
            if hour != next {
                if self.steady_slots >= HOUR_SLOTS {
                    self.steady_hours.resize(WEEK_HOURS as usize, i64::MIN);
                    self.steady_hours[hour.rem_euclid(WEEK_HOURS) as usize] = hour;
                }
                self.steady_slots = 0;
            }
        }
        let is_recent = |gap: &Silence| gap.told.is_some() && number - gap.since <= DAY_WINDOWS;
        if let Some(gap) = self.gap.take() {
            if is_recent(&gap) {
                told.push(gap.tell(number, true));
            } else if gap.told.is_none() && number - gap.since <= DAY_WINDOWS {
                self.ended = gap.due.map(|_| (gap, number));
            }
        }
        if let Some((gap, end)) = self.ended
            && number - end >= FILLED_WINDOWS
        {
            self.ended = None;
            told.extend(gap.due.map(|due| gap.tell(due, false)));
            told.push(gap.tell(end, true));
        }
        self.habit.add(heard);
        self.first.get_or_insert(number);
        self.last = number;
    }

    /// An event of half-minute `number` came late: it is no gap that it lies in.
    pub(super) fn fill(&mut self, number: i64) {
        self.gap = self
            .gap
            .filter(|gap| number < gap.since || gap.told.is_some());
        self.ended = self.ended.filter(|(gap, _)| number < gap.since);
    }

    /// Nobody was heard in half-minute `number`; `is_live` if nothing came since, either.
    pub(super) fn miss(
        &mut self,
        number: i64,
        is_live: bool,
        settings: &BlindWindowConfig,
        told: &mut Vec<Blind>,
    ) {
        if self.first.is_none() {
            return;
        }
        let quiet = number - self.last;
        if quiet == 1 {
            let level = self.habit.steady_level(settings);
            self.gap = level.map(|level| Silence {
                since: number,
                level,
                told: None,
                due: None,
            });
        }
        let Some(mut gap) = self.gap else {
            return;
        };
        let due = match gap.told {
            Some(at) => number - at >= AGAIN_WINDOWS && quiet <= DAY_WINDOWS,
            // What was no surprise within an hour is none: a fleet that goes home at another time every day.
            None => {
                quiet * WINDOW_S >= settings.silence_s()
                    && quiet <= HOUR_WINDOWS
                    && gap.missing(number) >= f64::from(settings.steady_events)
                    && self.is_busy_hour(hour_of(number))
                    && self.is_busy_hour(hour_of(number) + 1)
            }
        };
        if due && gap.told.is_none() && !is_live {
            gap.due.get_or_insert(number);
        } else if due {
            gap.told = Some(number);
            told.push(gap.tell(number, false));
        }
        self.gap = Some(gap);
    }

    /// Whether all usually log throughout this hour.
    fn is_busy_hour(&self, hour: i64) -> bool {
        let was_steady = |hour: i64| {
            let at = hour.rem_euclid(WEEK_HOURS) as usize;
            self.steady_hours.get(at) == Some(&hour)
        };
        let knows_week = hour_of(self.began()) <= hour - WEEK_HOURS;
        was_steady(hour - 24)
            && if knows_week {
                was_steady(hour - WEEK_HOURS)
            } else {
                !is_weekend_hour(hour) && !is_weekend_hour(hour - 24)
            }
    }
}

impl Silence {
    fn missing(&self, number: i64) -> f64 {
        self.level * (number + 1 - self.since) as f64
    }

    fn tell(&self, number: i64, over: bool) -> Blind {
        let end = if over { number } else { number + 1 };
        Blind::Gap(Gap {
            since_s: self.since * WINDOW_S,
            at_s: (number + 1) * WINDOW_S,
            lasted_s: (end - self.since) * WINDOW_S,
            usual: self.level * SLOT_WINDOWS as f64,
            missing: self.missing(end - 1),
            over,
        })
    }
}

fn slot_of(number: i64) -> i64 {
    number.div_euclid(SLOT_WINDOWS)
}

fn hour_of(number: i64) -> i64 {
    (number * WINDOW_S).div_euclid(HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fleet that logs 20 calls in every half-minute of `days` days for which `is_busy` says so, by day and hour; 1970-01-05
    /// was a Monday. What is told of the gap of an hour from noon on the last day.
    fn gaps(days: i64, is_busy: impl Fn(i64, i64) -> bool) -> usize {
        let settings = BlindWindowConfig::default();
        let mut fleet = Fleet::default();
        let mut told = Vec::new();
        let heard = Heard {
            events: 20,
            callers: u64::MAX,
        };
        let start = 4 * DAY_WINDOWS;
        let noon = start + (days - 1) * DAY_WINDOWS + DAY_WINDOWS / 2;
        for number in start..noon + 2 * HOUR_WINDOWS {
            let (day, hour) = (number.div_euclid(DAY_WINDOWS), hour_of(number) % 24);
            let gap = (noon..noon + HOUR_WINDOWS).contains(&number);
            if is_busy(day - 4, hour) && !gap {
                fleet.hear(number, heard, &settings, &mut told);
            } else {
                fleet.miss(number, true, &settings, &mut told);
            }
        }
        told.len()
    }

    #[test]
    fn a_gap_is_one_only_in_hours_that_are_known_to_be_busy() {
        // Every five minutes of the hour, and the end.
        for (name, want, got) in [
            ("the first day", 0, gaps(1, |_, _| true)),
            ("the second day", 13, gaps(2, |_, _| true)),
            ("the first Saturday", 0, gaps(6, |_, _| true)),
            ("the second Saturday", 13, gaps(13, |_, _| true)),
            (
                "a Saturday of a fleet that rests",
                0,
                gaps(13, |day, hour| day % 7 < 5 || (day > 7 && hour < 12)),
            ),
            (
                "noon, when everybody rests",
                0,
                gaps(3, |_, hour| hour != 12),
            ),
            (
                "noon, and everybody rests in the afternoon",
                0,
                gaps(3, |_, hour| hour < 13),
            ),
        ] {
            assert_eq!(got > 0, want > 0, "{name}: {got}");
            assert!(got <= want, "{name}: {got}");
        }
    }
}
