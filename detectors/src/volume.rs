//! The data habit of a token: KiB sent to it within ten minutes and within a day.
//!
//! Exists only for tokens that once took an eighth of what may matter. Until then all that is known is that no window held
//! more, which is a habit, too: the stream begins with that as its usual peak.

use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use crate::calendar::{DAY, day_of};
use crate::habit::{Basis, Scale, VOLUME_WIDTHS};
use crate::settings::DetectorSettings;
use crate::token::DayEnd;

/// A habit is kept from this part of the floor on.
const BEGIN_PART: u32 = 8;
/// Weight of a day in the dispersion.
const DISPERSION_WEIGHT: f64 = 0.3;

/// Bytes of a token that has no data habit: of its newest ten minutes and of its newest day, in units of 64 KiB.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SmallVolume {
    /// In bytes, which need no alignment.
    windows: [[u8; 2]; 2],
    /// Quarters of a KiB that do not make a unit yet.
    rest: u8,
}

/// KiB of a unit.
const UNIT: u32 = 64;

/// Boxed part of a token to which much is sent; 72 bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) scales: [Scale; 2],
    since_day: u16,
}

impl SmallVolume {
    /// Begins new windows where `to` lies in others than `from`.
    pub(crate) fn advance(&mut self, from: Timestamp, to: Timestamp) {
        for (window, width) in self.windows.iter_mut().zip(VOLUME_WIDTHS) {
            if from.as_secs().div_euclid(width) != to.as_secs().div_euclid(width) {
                *window = [0; 2];
            }
        }
    }

    /// Counts the bytes of an answer and says whether the token is to have a data habit from now on.
    pub(crate) fn add(&mut self, bytes: u64, floors: [u32; 2]) -> bool {
        let quarters = bytes / 256 + u64::from(self.rest);
        let per_unit = 4 * u64::from(UNIT);
        self.rest = (quarters % per_unit) as u8;
        let units = u16::try_from(quarters / per_unit).unwrap_or(u16::MAX);
        let mut begins = false;
        for (window, floor) in self.windows.iter_mut().zip(floors) {
            let sum = u16::from_le_bytes(*window).saturating_add(units);
            *window = sum.to_le_bytes();
            begins |= u32::from(sum) * UNIT >= floor / BEGIN_PART;
        }
        begins
    }
}

impl Volume {
    /// The habit of a token that never took more than an eighth of the floors so far.
    pub(crate) fn begin(small: SmallVolume, newest: Timestamp, floors: [u32; 2]) -> Self {
        let mut scales = floors.map(|floor| Scale::below(f64::from(floor / BEGIN_PART)));
        for (scale, count) in scales.iter_mut().zip(small.windows) {
            scale.add_many(0, u32::from(u16::from_le_bytes(count)) * UNIT);
        }
        Self {
            scales,
            since_day: u16::try_from(day_of(newest).max(0)).unwrap_or(u16::MAX),
        }
    }

    /// Reads a little of it, which brings it into the cache.
    pub(crate) fn read(&self) -> u64 {
        u64::from(self.scales[0].count(0)) ^ u64::from(self.since_day)
    }

    /// Moves the ten minutes on. `day` is that of `from`.
    pub(crate) fn advance(&mut self, from: Timestamp, to: Timestamp, day: i64) {
        let width = VOLUME_WIDTHS[0];
        let (first, last) = (
            from.as_secs().div_euclid(width),
            to.as_secs().div_euclid(width),
        );
        let expected = self.basis(0, 0.0).expected;
        self.scales[0].advance(first, last, width, day, expected);
    }

    /// Ends a day.
    pub(crate) fn end_day(&mut self, end: &DayEnd, tainted: bool, settings: &DetectorSettings) {
        let fold = end.fold(i64::from(self.since_day), tainted);
        if fold.is_some() {
            let expected = self.basis(0, 0.0).expected;
            let windows = DAY as f64 / VOLUME_WIDTHS[0] as f64;
            self.scales[0].learn_dispersion(expected, windows, DISPERSION_WEIGHT);
        }
        self.scales[0].end_day(&settings.volume_scales[0], fold);
        self.scales[1].end_whole_day(&settings.volume_scales[1], fold);
    }

    /// What the habit rests on for the window at `index`.
    pub(crate) fn basis(&self, index: usize, days: f64) -> Basis {
        let expected = self.scales[1].mean_peak() * VOLUME_WIDTHS[index] as f64 / DAY as f64;
        Basis {
            expected,
            typical: self.scales[index].mean_peak() / 3.0,
            days,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_answers_add_up() {
        let mut small = SmallVolume::default();
        let begins = (0..10_000).position(|_| small.add(600, [10_240, 102_400]));
        // Of 600 bytes two quarters of a KiB count: 1,280 KiB are reached with the 2,560th answer.
        assert_eq!(begins, Some(2_559));
    }

    #[test]
    fn a_habit_begins_at_an_eighth_of_the_floor_and_knows_that_there_was_never_more() {
        let mut small = SmallVolume::default();
        let floors = [10_240, 102_400];
        assert!(!small.add(1_279 * 1_024, floors));
        assert!(small.add(1_024, floors));
        let volume = Volume::begin(small, Timestamp::from_secs(1_000_000), floors);
        assert_eq!(volume.scales[0].count(0), 1_280);
        assert!((volume.scales[0].mean_peak() - 1_280.0).abs() < 1.0);
    }
}
