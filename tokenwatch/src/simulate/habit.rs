//! When tokens are used on an ordinary day: ten classes of habit, from one call in a while to a batch once a week.

use serde::Serialize;

use super::calendar::{DAY, HOUR, MINUTE, Moment, is_weekend, start_of};
use super::dice::Dice;

/// Counts of the smooth habits are drawn per slot of this length.
const SLOT: i64 = 10 * MINUTE;
const SLOTS: i64 = DAY / SLOT;

/// The classes of the research.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    Sparse,
    Diurnal,
    Sessions,
    Steady,
    HourlyCron,
    DailyCron,
    Batch,
    Bursts,
    Growth,
    Shift,
}

impl Class {
    /// Every class, with its share of a realistic fleet, in thousandths.
    pub(super) const ALL: [(Self, u32); 10] = [
        (Self::Sparse, 600),
        (Self::Diurnal, 150),
        (Self::Sessions, 80),
        (Self::Steady, 70),
        (Self::HourlyCron, 25),
        (Self::DailyCron, 25),
        (Self::Batch, 20),
        (Self::Bursts, 20),
        (Self::Growth, 7),
        (Self::Shift, 3),
    ];

    /// Its name in labels and reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sparse => "sparse",
            Self::Diurnal => "diurnal",
            Self::Sessions => "sessions",
            Self::Steady => "steady",
            Self::HourlyCron => "hourly_cron",
            Self::DailyCron => "daily_cron",
            Self::Batch => "batch",
            Self::Bursts => "bursts",
            Self::Growth => "growth",
            Self::Shift => "shift",
        }
    }
}

/// How often a token is used, in calls per minute unless it says otherwise.
#[derive(Clone, Debug)]
pub(super) enum Habit {
    /// Clumps of a few calls at any time; clumps per day.
    Sparse { clumps: f64 },
    /// Busy by day, in the week; more uneven than chance by `unevenness`.
    Diurnal {
        rate: f64,
        shape: Shape,
        unevenness: f64,
    },
    /// People at work: sessions per day, each with a pace of its own.
    Sessions { sessions: f64, shape: Shape },
    /// A machine that never sleeps.
    Steady { rate: f64 },
    /// So many calls at this minute of every hour.
    HourlyCron { minute: i64, calls: f64, rate: f64 },
    /// So many calls within five minutes, at this time of every day; a night in thirty it does not run.
    DailyCron { at: i64, calls: f64, rate: f64 },
    /// So many calls within `length`, on this day of the week, or on the last of the month.
    Batch {
        on: BatchDay,
        at: i64,
        length: i64,
        calls: f64,
        rate: f64,
    },
    /// Steady, with bursts of machine work a few times a day.
    Bursts { rate: f64, bursts: f64 },
    /// Grows by a tenth a week.
    Growth { rate: f64, shape: Shape },
    /// Makes `factor` times as many calls from `at` on: a deployment.
    Shift {
        rate: f64,
        shape: Shape,
        at: Moment,
        factor: f64,
    },
}

/// When a batch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchDay {
    /// On this day of the week, Monday being 0.
    Week(i32),
    /// Every day a little, and much at the end of the month.
    MonthEnd,
}

/// The course of a day: around `noon`, hours UTC; by `depth` quieter at night; `weekend` of the calls at weekends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) noon: f64,
    pub(super) depth: f64,
    pub(super) weekend: f64,
}

impl Shape {
    fn any(depth: f64, weekend: [f64; 2], dice: &mut Dice) -> Self {
        Self {
            noon: dice.between(4.0, 20.0),
            depth,
            weekend: dice.between(weekend[0], weekend[1]),
        }
    }

    /// How busy it is `time` after midnight of `day`, relative to the mean.
    fn at(&self, day: i32, time: i64) -> f64 {
        let hour = time as f64 / HOUR as f64;
        let off = (hour - self.noon + 12.0).rem_euclid(24.0) - 12.0;
        let busy = (-0.5 * (off / 3.2).powi(2)).exp();
        let week = if is_weekend(day) { self.weekend } else { 1.0 };
        (1.0 - self.depth + self.depth * 1.9 * busy) * week
    }
}

impl Habit {
    /// Any habit of this class, in a simulation of so many days.
    pub(super) fn any(class: Class, days: i32, dice: &mut Dice) -> Self {
        match class {
            Class::Sparse => Self::Sparse {
                clumps: dice.magnitude(-1.0, 1.0),
            },
            Class::Diurnal => Self::Diurnal {
                rate: dice.magnitude(-1.3, 0.4),
                shape: Shape::any(0.9, [0.1, 0.6], dice),
                unevenness: dice.magnitude(0.2, 1.0),
            },
            Class::Sessions => Self::Sessions {
                sessions: dice.between(2.0, 14.0),
                shape: Shape::any(0.95, [0.2, 0.6], dice),
            },
            Class::Steady => Self::Steady {
                rate: dice.magnitude(-1.3, 0.3),
            },
            Class::HourlyCron => Self::HourlyCron {
                minute: dice.whole(0, 60),
                calls: dice.magnitude(0.6, 2.0),
                rate: dice.magnitude(-3.0, -1.0),
            },
            Class::DailyCron => Self::DailyCron {
                at: if dice.chance(0.5) {
                    0
                } else {
                    dice.whole(0, 24 * 60) * MINUTE
                },
                calls: dice.magnitude(1.5, 3.2),
                rate: dice.magnitude(-3.0, -1.0),
            },
            Class::Batch => {
                let monthly = dice.chance(0.3);
                Self::Batch {
                    on: if monthly {
                        BatchDay::MonthEnd
                    } else {
                        BatchDay::Week(dice.whole(0, 7) as i32)
                    },
                    at: dice.whole(0, 22 * 60) * MINUTE,
                    length: dice.whole(10, 60) * MINUTE,
                    calls: if monthly {
                        dice.magnitude(1.3, 2.0)
                    } else {
                        dice.magnitude(2.0, 3.6)
                    },
                    rate: dice.magnitude(-3.0, -1.0),
                }
            }
            Class::Bursts => Self::Bursts {
                rate: dice.magnitude(-1.3, 0.0),
                bursts: dice.between(2.0, 8.0),
            },
            Class::Growth => Self::Growth {
                rate: dice.magnitude(-1.3, 0.2),
                shape: Shape::any(0.6, [0.5, 0.9], dice),
            },
            Class::Shift => {
                let day = dice.whole(i64::from(days) / 2 + 1, i64::from(days) - 2);
                Self::Shift {
                    rate: dice.magnitude(-1.3, 0.2),
                    shape: Shape::any(0.5, [0.6, 1.0], dice),
                    at: start_of(day as i32) + dice.whole(8 * HOUR, 18 * HOUR),
                    factor: dice.between(1.7, 3.0),
                }
            }
        }
    }

    /// Calls per minute that are to be expected when it is busy.
    pub(super) fn busy_rate(&self) -> f64 {
        let minutes_per_day = 24.0 * 60.0;
        match self {
            Self::Sparse { clumps } => clumps * 3.3 / minutes_per_day,
            Self::Diurnal { rate, shape, .. }
            | Self::Growth { rate, shape }
            | Self::Shift { rate, shape, .. } => rate * (1.0 + 0.9 * shape.depth),
            Self::Sessions { sessions, .. } => sessions * 8.0 * 6.0 / (12.0 * 60.0),
            Self::Steady { rate } | Self::Bursts { rate, .. } => *rate,
            Self::HourlyCron { calls, rate, .. } => rate + calls / 60.0,
            Self::DailyCron { calls, rate, .. } => rate + calls / minutes_per_day,
            Self::Batch { calls, rate, .. } => rate + calls / (7.0 * minutes_per_day),
        }
    }

    /// Adds the moments of the calls of `day`, in any order. `earlier` is how much earlier by UTC everything happens.
    pub(super) fn add_day(&self, day: i32, earlier: i64, dice: &mut Dice, out: &mut Vec<Moment>) {
        let first = out.len();
        let start = start_of(day);
        match *self {
            Self::Sparse { clumps } => {
                for _ in 0..dice.poisson(clumps) {
                    let at = start + dice.whole(0, DAY);
                    let calls = 1 + dice.exponential(2.3) as i64;
                    out.extend((0..calls).map(|call| at + call * dice.whole(1, 9) * 1_000_000));
                }
            }
            Self::Diurnal {
                rate,
                shape,
                unevenness,
            } => {
                smooth(start, dice, out, |time, dice| {
                    let mean = rate * shape.at(day, time) * 10.0;
                    mean * dice.gamma((mean / unevenness).max(0.05))
                });
            }
            Self::Sessions { sessions, shape } => add_sessions(sessions, &shape, day, dice, out),
            Self::Steady { rate } => smooth(start, dice, out, |_, _| rate * 10.0),
            Self::HourlyCron { rate, .. }
            | Self::DailyCron { rate, .. }
            | Self::Batch { rate, .. }
            | Self::Bursts { rate, .. } => {
                smooth(start, dice, out, |_, _| rate * 10.0);
                self.add_bursts(day, dice, out);
            }
            Self::Growth { rate, shape } => {
                smooth(start, dice, out, |time, _| {
                    let weeks = (f64::from(day) + time as f64 / DAY as f64) / 7.0;
                    rate * shape.at(day, time) * 10.0 * 1.1f64.powf(weeks)
                });
            }
            Self::Shift {
                rate,
                shape,
                at,
                factor,
            } => {
                smooth(start, dice, out, |time, _| {
                    let factor = if start + time >= at { factor } else { 1.0 };
                    rate * shape.at(day, time) * 10.0 * factor
                });
            }
        }
        for at in &mut out[first..] {
            *at -= earlier;
        }
    }

    /// What comes on top of a steady rate.
    fn add_bursts(&self, day: i32, dice: &mut Dice, out: &mut Vec<Moment>) {
        let start = start_of(day);
        match *self {
            Self::HourlyCron { minute, calls, .. } => {
                for hour in 0..24 {
                    let at = start + hour * HOUR + (minute + dice.whole(0, 2)) * MINUTE;
                    let count = dice.lognormal(0.25) * calls;
                    burst(at, MINUTE, count, dice, out);
                }
            }
            Self::DailyCron { at, calls, .. } => {
                let count = dice.lognormal(0.3) * calls;
                let at = start + at + dice.whole(0, 3) * MINUTE;
                let runs = !dice.chance(0.03);
                burst(at, 5 * MINUTE, if runs { count } else { 0.0 }, dice, out);
            }
            Self::Batch {
                on,
                at,
                length,
                calls,
                ..
            } => {
                let share = match on {
                    BatchDay::Week(weekday) => f64::from(u8::from(day.rem_euclid(7) == weekday)),
                    BatchDay::MonthEnd => 1.0,
                };
                let count = dice.lognormal(0.3) * calls * share;
                burst(start + at, length, count, dice, out);
            }
            Self::Bursts { rate, bursts } => {
                for _ in 0..dice.poisson(bursts) {
                    let length = (1.0 + dice.exponential(15.0)).min(120.0);
                    let count = rate * dice.lognormal(0.6) * 2.7 * length;
                    let at = start + dice.whole(0, DAY);
                    burst(at, (length * MINUTE as f64) as i64, count, dice, out);
                }
            }
            _ => {}
        }
    }
}

/// Adds a day's calls whose mean per slot is what `mean` says, spread evenly within each slot.
fn smooth(
    start: Moment,
    dice: &mut Dice,
    out: &mut Vec<Moment>,
    mean: impl Fn(i64, &mut Dice) -> f64,
) {
    for slot in 0..SLOTS {
        let from = slot * SLOT;
        let mean = mean(from, dice);
        for _ in 0..dice.poisson(mean) {
            out.push(start + from + dice.whole(0, SLOT));
        }
    }
}

/// Adds about `count` calls within `length`.
fn burst(at: Moment, length: i64, count: f64, dice: &mut Dice, out: &mut Vec<Moment>) {
    for _ in 0..dice.poisson(count) {
        out.push(at + dice.whole(0, length));
    }
}

fn add_sessions(sessions: f64, shape: &Shape, day: i32, dice: &mut Dice, out: &mut Vec<Moment>) {
    let start = start_of(day);
    for hour in 0..24 {
        let time = hour * HOUR;
        let mean = sessions / 24.0 * shape.at(day, time + HOUR / 2);
        for _ in 0..dice.poisson(mean) {
            let at = start + time + dice.whole(0, HOUR);
            let minutes = 1.0 + dice.exponential(8.0);
            let pace = (1.0 + 2.0 * dice.pareto(1.8)).min(60.0);
            burst(
                at,
                (minutes * MINUTE as f64) as i64,
                minutes * pace,
                dice,
                out,
            );
        }
    }
}
