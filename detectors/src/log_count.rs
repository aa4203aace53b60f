//! Counts on a logarithmic scale: one byte for what is only compared, two for what is averaged.

use serde::{Deserialize, Serialize};

/// A count in eighths of a power of two, so within 4.4 %, from 0 to 3.7 thousand million; ordered like the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LogCount(u8);

impl LogCount {
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
