//! Numbers in few bytes: counts on a logarithmic scale (one byte for what is only compared, two for what is averaged), parts of
//! a power of two, and whole numbers that need no alignment.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A count in eighths of a power of two, so within 4.4 %, from 0 to 3.7 thousand million; ordered like the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LogCount(u8);

impl LogCount {
    /// The nearest step to a whole `count`. Small ones, which nearly all windows hold, are looked up.
    pub(crate) fn of_count(count: u32) -> Self {
        static SMALL: LazyLock<[LogCount; 256]> =
            LazyLock::new(|| std::array::from_fn(|count| LogCount::of(count as f64)));
        let small = SMALL.get(count as usize).copied();
        small.unwrap_or_else(|| Self::of(f64::from(count)))
    }

    /// The nearest step to `count`.
    pub(crate) fn of(count: f64) -> Self {
        Self(libm::round(8.0 * libm::log2(1.0 + count.max(0.0))).min(255.0) as u8)
    }

    /// The count that this step stands for.
    pub(crate) fn count(self) -> f64 {
        libm::exp2(f64::from(self.0) / 8.0) - 1.0
    }

    /// `ln(1 + count)`, without going through the count.
    pub(crate) fn ln_1p(self) -> f64 {
        f64::from(self.0) / 8.0 * std::f64::consts::LN_2
    }
}

/// A level in 2048ths of a power of two, so within 0.02 %: fine enough that a running mean moves by a ninth of a small
/// difference without getting stuck between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LogLevel(u16);

impl LogLevel {
    /// The nearest step to `level`.
    pub(crate) fn of(level: f64) -> Self {
        Self(libm::round(2048.0 * libm::log2(1.0 + level.max(0.0))).min(65_535.0) as u16)
    }

    /// The level that this step stands for.
    pub(crate) fn level(self) -> f64 {
        libm::exp2(f64::from(self.0) / 2048.0) - 1.0
    }
}

/// A number from 0 to 65,535 parts of `1 / PARTS`, rounded: 2,048 parts hold logarithms up to 32 within 0.025 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fixed<const PARTS: u32>(u16);

impl<const PARTS: u32> Fixed<PARTS> {
    /// The nearest to `value`.
    pub(crate) fn of(value: f64) -> Self {
        Self(libm::round(f64::from(PARTS) * value.max(0.0)).min(65_535.0) as u16)
    }

    /// What it stands for.
    pub(crate) fn value(self) -> f64 {
        f64::from(self.0) / f64::from(PARTS)
    }
}

/// A number of 32 bits in halves, which align to two bytes instead of four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub(crate) struct Wide([u16; 2]);

impl Wide {
    /// The number.
    pub(crate) const fn get(self) -> u32 {
        (self.0[0] as u32) << 16 | self.0[1] as u32
    }

    /// Sets it.
    pub(crate) const fn set(&mut self, number: u32) {
        self.0 = [(number >> 16) as u16, number as u16];
    }
}

impl From<u32> for Wide {
    fn from(number: u32) -> Self {
        let mut wide = Self::default();
        wide.set(number);
        wide
    }
}

impl From<Wide> for u32 {
    fn from(wide: Wide) -> Self {
        wide.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_within_their_error_and_ordered() {
        let mut last = LogCount::default();
        for count in (0..10_000u32).chain([1_000_000, 3_000_000_000]) {
            let step = LogCount::of(f64::from(count));
            assert!(step >= last);
            assert!(
                (step.count() + 1.0) / (f64::from(count) + 1.0) < 1.045,
                "{count}"
            );
            assert!(
                (f64::from(count) + 1.0) / (step.count() + 1.0) < 1.045,
                "{count}"
            );
            last = step;
        }
        assert!(LogCount::of(0.0).count().abs() < f64::EPSILON);
    }

    #[test]
    fn a_running_mean_of_levels_does_not_get_stuck() {
        let mut mean = LogLevel::of(100.0);
        for _ in 0..100 {
            mean = LogLevel::of(mean.level() + (110.0 - mean.level()) / 9.0);
        }
        assert!(
            (mean.level() / 110.0 - 1.0).abs() < 0.01,
            "{}",
            mean.level()
        );
    }
}
