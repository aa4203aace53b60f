//! Time ranges and the even steps that charts are drawn in.

use std::time::Duration;

use tokenwatch_model::Timestamp;

/// Steps that charts use, in seconds; the finest that gives no more than [`POINTS_WANTED`] is taken.
const STEPS_SECS: [u64; 9] = [10, 60, 300, 900, 3_600, 14_400, 86_400, 604_800, 2_592_000];
/// As many points as a wide chart shows.
const POINTS_WANTED: u64 = 240;
/// Points that a grid never exceeds: what is asked for beyond is cut off at the end.
const POINTS_LIMIT: usize = 2_000;

/// From a time to another, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment behind it.
    pub to: Timestamp,
}

/// A time range cut into even steps that are aligned to 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeGrid {
    /// The range, widened to whole steps.
    pub range: TimeRange,
    /// The length of a step.
    pub step: Duration,
}

impl TimeRange {
    /// Its length.
    pub fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

impl TimeGrid {
    /// The steps of `step` that `range` touches.
    pub fn new(range: TimeRange, step: Duration) -> Self {
        let step = step.max(Duration::from_secs(1));
        let from = range.from.floor_to(step);
        let last = (range.to - Duration::from_micros(1)).floor_to(step);
        let limit = u32::try_from(POINTS_LIMIT).unwrap_or(u32::MAX);
        let to = (last + step).min(from + step * limit).max(from + step);
        Self {
            range: TimeRange { from, to },
            step,
        }
    }

    /// The steps of a length that suits a chart of `range`.
    pub fn fitting(range: TimeRange) -> Self {
        let secs = range.length().as_secs();
        let step = STEPS_SECS
            .into_iter()
            .find(|step| secs / step <= POINTS_WANTED)
            .unwrap_or(STEPS_SECS[STEPS_SECS.len() - 1]);
        Self::new(range, Duration::from_secs(step))
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        (self.range.length().as_micros() / self.step.as_micros()) as usize
    }

    /// Whether there are none; a grid always has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The start of each step.
    pub fn starts(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let Self { range, step } = *self;
        (0..self.len() as u32).map(move |index| range.from + step * index)
    }

    /// The index of the step that `t` lies in.
    pub(crate) fn index_of(&self, t: Timestamp) -> Option<usize> {
        if t < self.range.from {
            return None;
        }
        let index = (t.since(self.range.from).as_micros() / self.step.as_micros()) as usize;
        (index < self.len()).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange {
            from: Timestamp::from_secs(from),
            to: Timestamp::from_secs(to),
        }
    }

    #[test]
    fn a_grid_covers_its_range_in_aligned_steps() {
        let grid = TimeGrid::new(range(125, 301), Duration::from_mins(1));
        assert_eq!(grid.range, range(120, 360));
        let starts: Vec<_> = grid.starts().map(Timestamp::as_secs).collect();
        assert_eq!(starts, [120, 180, 240, 300]);
        assert_eq!(grid.index_of(Timestamp::from_secs(239)), Some(1));
        assert_eq!(grid.index_of(Timestamp::from_secs(119)), None);
        assert_eq!(grid.index_of(Timestamp::from_secs(360)), None);
    }

    #[test]
    fn the_step_fits_the_range() {
        let step = |secs| TimeGrid::fitting(range(0, secs)).step.as_secs();
        assert_eq!(step(600), 10);
        assert_eq!(step(3_600), 60);
        assert_eq!(step(86_400), 900);
        assert_eq!(step(30 * 86_400), 14_400);
    }

    #[test]
    fn no_range_makes_a_grid_without_end() {
        let grid = TimeGrid::new(range(0, i64::MAX / 2_000_000), Duration::from_secs(1));
        assert_eq!(grid.len(), POINTS_LIMIT);
        assert_eq!(
            TimeGrid::new(range(10, 10), Duration::from_mins(1)).len(),
            1
        );
        assert_eq!(TimeGrid::new(range(10, 0), Duration::from_mins(1)).len(), 1);
    }
}
