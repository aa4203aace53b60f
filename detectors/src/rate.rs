//! The rate habit of a token: calls in 10 s, 1 min, 10 min and 1 h against the hours of its week.
//!
//! The fifth window, the day, lives in the token's header, because quiet tokens have it too.

use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use crate::calendar::HOUR;
use crate::commons::{Mark, WINDOW_S};
use crate::habit::{Habit, RATE_WIDTHS, Scale, Slots};
use crate::log_count::Fixed;
use crate::settings::DetectorSettings;
use crate::token::{DayEnd, age_in};

/// Windows shorter than a day.
const SHORT: usize = 4;
/// Hours over which a dispersion is remembered: two days.
const DISPERSION_HOURS: f64 = 48.0;

/// Half-minutes of an hour.
const WINDOWS_PER_HOUR: f64 = (HOUR / WINDOW_S) as f64;

/// Boxed part of a token that makes enough calls to have a rate.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RateHabit {
    pub(crate) scales: [Scale; SHORT],
    pub(crate) slots: Slots,
    /// Calls expected in the hour of the newest event.
    pub(crate) expected_hour: f32,
    /// The half-minute before the running one, and its calls.
    before: u32,
    before_calls: u16,
    /// Calls in a half-minute from which on the token surges.
    pub(crate) hot_at: u16,
    /// Cumulative sum of how far days lie above their expectation.
    pub(crate) drift: Fixed<1_024>,
    /// Hours for which dispersions were learned, up to their memory.
    hours: u8,
    /// The day it began.
    pub(crate) since_day: u16,
}

impl RateHabit {
    /// A habit for a token that so far only had days: no window of a day can hold more than the day.
    pub(crate) fn seeded(day: &Habit, hour: i64, since_day: i64, level: f64) -> Self {
        let slots = Slots::default();
        Self {
            scales: std::array::from_fn(|_| Scale::seeded_from(day)),
            expected_hour: slots.expected(hour, level) as f32,
            before: 0,
            before_calls: 0,
            drift: Fixed::default(),
            hot_at: hot_at(slots.expected(hour, level)),
            slots,
            hours: 0,
            since_day: u16::try_from(since_day.max(0)).unwrap_or(u16::MAX),
        }
    }

    /// Counts the calls of the half-minute in which it began, in the windows that surely hold most of them.
    pub(crate) fn count_before(&mut self, calls: u32) {
        for scale in &mut self.scales[1..] {
            scale.add_many(0, calls);
        }
    }

    /// Moves the windows on. `day` is that of `from`.
    pub(crate) fn advance(&mut self, from: Timestamp, to: Timestamp, day: i64) {
        let hour = f64::from(self.expected_hour);
        let (from, to) = (from.as_secs(), to.as_secs());
        let (from_hour, to_hour) = (from.div_euclid(HOUR), to.div_euclid(HOUR));
        if to_hour > from_hour {
            self.slots
                .close_hour(from_hour - 1, self.scales[3].count(1), day);
            if to_hour > from_hour + 1 {
                self.slots
                    .close_hour(from_hour, self.scales[3].count(0), day);
            }
        }
        for (scale, width) in self.scales.iter_mut().zip(RATE_WIDTHS) {
            let (first, last) = (from.div_euclid(width), to.div_euclid(width));
            if first == last {
                // The windows nest: if this one goes on, so do the longer ones.
                break;
            }
            scale.advance(first, last, width, day, hour * width as f64 / 3_600.0);
        }
    }

    /// Learns the dispersion of the hours from `from` until before `to`, and what to expect in `to`.
    pub(crate) fn begin_hour(&mut self, from: i64, to: i64, level: f64) {
        // After two days of silence the memory is empty anyway.
        for hour in from.max(to - DISPERSION_HOURS as i64)..to {
            let expected = if hour == from {
                f64::from(self.expected_hour)
            } else {
                self.slots.expected(hour, level)
            };
            // Before a day is learned nothing is expected, and how far calls are from that says nothing of how they scatter.
            if expected <= 0.0 {
                for scale in &mut self.scales {
                    scale.forget_deviation();
                }
                continue;
            }
            self.hours = self.hours.saturating_add(1).min(DISPERSION_HOURS as u8);
            let weight = 1.0 / f64::from(self.hours);
            for (scale, width) in self.scales.iter_mut().zip(RATE_WIDTHS) {
                let windows = 3_600.0 / width as f64;
                scale.learn_dispersion(expected / windows, windows, weight);
            }
        }
        let expected = self.slots.expected(to, level);
        self.expected_hour = expected as f32;
        self.hot_at = hot_at(expected);
        for scale in &mut self.scales {
            scale.disarm();
        }
    }

    /// Ends the half-minute `window`; the one before it, and the calls in it beyond those that were expected.
    pub(crate) fn end_window(&mut self, window: u32, ended: Mark) -> Option<(u32, u32)> {
        let before = std::mem::replace(&mut self.before, window);
        let calls = std::mem::replace(&mut self.before_calls, ended.calls);
        let expected = f64::from(self.expected_hour) / WINDOWS_PER_HOUR;
        let excess = f64::from(calls) - expected;
        (excess >= 1.0).then_some((before, excess as u32))
    }

    /// Takes calls of the half-minute `window` out of the counts.
    pub(crate) fn excise(&mut self, newest: Timestamp, window: u32, calls: u32) {
        for (scale, width) in self.scales.iter_mut().zip(RATE_WIDTHS) {
            scale.excise(age_in(newest, window, width), calls);
        }
    }

    /// Reads a little of each of its lines of memory.
    pub(crate) fn read(&self) -> u64 {
        let scales = self.scales.iter().map(|scale| u64::from(scale.count(0)));
        scales.fold(
            u64::from(self.since_day) ^ self.slots.read(),
            |sum, read| sum ^ read,
        )
    }

    /// Ends a day.
    pub(crate) fn end_day(&mut self, end: &DayEnd, tainted: bool, settings: &DetectorSettings) {
        let fold = end.fold(i64::from(self.since_day), tainted);
        let learned = fold.filter(|fold| fold.learn).map(|fold| fold.day);
        self.slots.end_day(learned, self.scales[3].dispersion());
        for (scale, spec) in self.scales.iter_mut().zip(&settings.rate_scales) {
            scale.end_day(spec, fold);
        }
    }
}

/// Thrice the expected calls of a half-minute, and five more.
fn hot_at(expected_hour: f64) -> u16 {
    (3.0 * expected_hour / WINDOWS_PER_HOUR + 5.0).min(f64::from(u16::MAX)) as u16
}
