//! What the windows of one length hold: the two that are open, the trip count, and what was learned of daily maxima.

use libm::{ceil, exp, log1p, sqrt};
use serde::{Deserialize, Serialize};

use super::DAY_DISCOUNT;
use crate::log_count::{Fixed, LogCount, LogLevel, Wide};
use crate::stats::{QuantileTable, negative_binomial_tail, student_tail};
use crate::token::Maturity;

/// Pseudo-days of the prior for the mean of daily maxima, and its degrees of freedom for their spread.
const PRIOR_DAYS: f64 = 2.0;
const PRIOR_FREEDOM: f64 = 4.0;
/// A window must exceed the largest of 28 days by this factor.
pub(super) const MAX_28D_RATIO: f64 = 1.5;
/// A window so many times the largest of 28 days, and of a usual day, needs no tail: of a token that is busy now and then, the
/// spread of its days alone would never give one.
const FAR_ABOVE: f64 = 4.0;
/// From so many times on, half of what matters otherwise is a signal: ten calls at once, of a key that makes one an hour.
const VERY_FAR_ABOVE: f64 = 6.0;
/// Fewer never matter.
const LEAST_FLOOR: u32 = 10;
/// The mean of daily maxima may rise by 15 % a day.
const MAX_DAILY_RISE: f64 = 0.139_76;
/// From so many days on, maxima are winsorised and the rise is limited.
const WINSOR_DAYS: f64 = 2.0;
const RISE_LIMIT_DAYS: f64 = 7.0;
/// Expectations of one window are at least this, so that ratios and tails exist.
const LEAST_EXPECTED: f64 = 0.02;
/// Model error of the expectation itself, as a share of it.
const EXPECTATION_ERROR: f64 = 0.15;
const LEAST_DISPERSION: f64 = 1.05;
/// A trip count that no window reaches: the habit may not speak yet.
const NEVER: u32 = u32::MAX;
/// The trip count has to be computed before the next comparison.
const STALE: u32 = 0;

/// What is fixed for one window length.
#[derive(Clone, Debug)]
pub(crate) struct ScaleSpec {
    /// Spread of log daily maxima of a token without history.
    pub(crate) prior_spread: f64,
    /// Smaller counts never matter.
    pub(crate) floor: u32,
    /// Nor do those below this many times the expected.
    pub(crate) ratio: f64,
}

/// What a judgement rests on beside the scale itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Basis {
    /// Count expected in this very window.
    pub(crate) expected: f64,
    /// Count expected in a window at any time: the prior's location.
    pub(crate) typical: f64,
    /// Discounted days of history.
    pub(crate) days: f64,
}

/// A day that is learned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold {
    /// Its number.
    pub(crate) day: i64,
    /// Discounted days learned before it.
    pub(crate) days: f64,
    /// Whether it shapes the mean; a tainted day only enters the 28-day maximum.
    pub(crate) learn: bool,
}

/// What every window length of a stream has, and all that the whole day needs; 22 bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Habit {
    pub(super) current: Wide,
    pub(super) previous: Wide,
    trip: Wide,
    /// Mean of `ln(1 + daily maximum)`, and the sum of squares about it.
    mean: Fixed<2_048>,
    squares: Fixed<1_024>,
    dispersion: LogLevel,
    /// Largest window of each of the last four calendar weeks.
    weeks: [LogCount; 4],
}

/// How unusual a window is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judgement {
    pub(crate) count: u32,
    pub(crate) expected: f64,
    /// The largest window of a usual day.
    pub(crate) habitual_peak: f64,
    pub(crate) max_28d: f64,
    pub(crate) p_now: f64,
    pub(crate) p_habit: f64,
}

/// From what on a count matters that is very far above every peak.
pub(crate) fn very_far_floor(floor: u32) -> u32 {
    (floor / 2).max(LEAST_FLOOR).min(floor)
}

impl Judgement {
    /// The weaker of the two tests.
    pub(crate) fn p_value(&self) -> f64 {
        self.p_now.max(self.p_habit)
    }

    /// Whether people see a spike of at least `floor`: it is unheard of, or so high that the few days of a young habit tell.
    pub(crate) fn is_finding(&self, maturity: Maturity, floor: u32, alpha: f64) -> bool {
        let is_clear = match maturity {
            Maturity::Mature => self.is_unheard_of(alpha),
            Maturity::Young => self.above_peak() >= VERY_FAR_ABOVE,
            Maturity::New => false,
        };
        is_clear && self.count >= floor
    }

    /// Whether a spike is no chance of a usual day: so says its tail, or its height.
    pub(crate) fn is_unheard_of(&self, alpha: f64) -> bool {
        self.p_habit <= alpha || self.above_peak() >= FAR_ABOVE
    }

    /// How many times the token's own peak this is.
    pub(crate) fn above_peak(&self) -> f64 {
        f64::from(self.count) / self.habitual_peak.max(self.max_28d).max(1.0)
    }
}

impl Habit {
    /// A habit that has seen the days of another one.
    pub(super) fn seeded_from(other: &Self) -> Self {
        Self {
            mean: other.mean,
            squares: other.squares,
            weeks: other.weeks,
            ..Self::default()
        }
    }

    /// A habit of which only is known that no window of any day held more than `peak`.
    pub(super) fn below(peak: f64) -> Self {
        Self {
            mean: Fixed::of(log1p(peak)),
            weeks: [LogCount::of(peak); 4],
            ..Self::default()
        }
    }

    /// Notes that `count` different things were seen in the newest window; the most that were.
    pub(crate) fn raise(&mut self, count: u32) -> u32 {
        let most = self.current.get().max(count);
        self.current.set(most);
        most
    }

    /// Counts an event that lies `age` windows before the newest; the new count, if the window is still open.
    pub(crate) fn add(&mut self, age: i64) -> Option<u32> {
        self.add_many(age, 1)
    }

    /// The same for `amount` at once.
    pub(crate) fn add_many(&mut self, age: i64, amount: u32) -> Option<u32> {
        let window = self.window_mut(age)?;
        let count = window.get().saturating_add(amount);
        window.set(count);
        Some(count)
    }

    /// Takes `count` events that lie `age` windows before the newest out again.
    pub(crate) fn excise(&mut self, age: i64, count: u32) {
        let Some(window) = self.window_mut(age) else {
            return;
        };
        window.set(window.get().saturating_sub(count));
        self.disarm();
    }

    fn window_mut(&mut self, age: i64) -> Option<&mut Wide> {
        match age {
            0 => Some(&mut self.current),
            1 => Some(&mut self.previous),
            _ => None,
        }
    }

    /// The count of the newest window, or of the one before.
    pub(crate) fn count(&self, age: i64) -> u32 {
        match age {
            0 => self.current.get(),
            1 => self.previous.get(),
            _ => 0,
        }
    }

    /// Folds what windows showed into the dispersion with weight `weight`: `deviation` is their mean of
    /// `c * c - 2 * c * expected`.
    pub(super) fn fold_dispersion(&mut self, deviation: f64, expected: f64, weight: f64) {
        let expected = expected.max(LEAST_EXPECTED);
        let seen = (deviation + expected * expected) / expected;
        let old = self.dispersion();
        self.dispersion =
            LogLevel::of((old + weight * (seen.max(0.0) - old)).max(LEAST_DISPERSION));
    }

    /// Learns the dispersion of a habit whose only window in the time is `count`.
    pub(crate) fn learn_day_dispersion(&mut self, count: f64, expected: f64, days: f64) {
        let clipped = count.min(6.0 * expected + 20.0);
        let deviation = (clipped * (clipped - 2.0 * expected)) as f32;
        let weight = (1.0 / (days + 1.0)).max(0.3);
        self.fold_dispersion(f64::from(deviation), expected, weight);
    }

    /// Variance over mean of one window.
    pub(crate) fn dispersion(&self) -> f64 {
        self.dispersion.level().max(LEAST_DISPERSION)
    }

    /// Ends a day of a habit whose window is the day. The day before, which is `folded`, is learned unless it is tainted; the
    /// one that ends now waits a day.
    pub(crate) fn end_whole_day(&mut self, spec: &ScaleSpec, folded: Option<Fold>) {
        if let Some(fold) = folded {
            self.fold(spec, LogCount::of_count(self.previous.get()), fold);
        }
        self.previous = self.current;
        self.current.set(0);
        self.disarm();
    }

    pub(super) fn fold(&mut self, spec: &ScaleSpec, maximum: LogCount, fold: Fold) {
        let week = fold.day.div_euclid(7).rem_euclid(4) as usize;
        if fold.day.rem_euclid(7) == 0 {
            self.weeks[week] = LogCount::default();
        }
        self.weeks[week] = self.weeks[week].max(maximum);
        if !fold.learn {
            return;
        }
        let mean = self.mean.value();
        let mut value = maximum.ln_1p();
        if fold.days >= WINSOR_DAYS {
            let reach = 3.0 * self.spread(spec, fold.days);
            value = value.clamp(mean - reach, mean + reach);
        }
        let weight = fold.days * DAY_DISCOUNT;
        let step = value - mean;
        let mut rise = step / (weight + 1.0);
        if fold.days >= RISE_LIMIT_DAYS {
            rise = rise.min(MAX_DAILY_RISE);
        }
        self.mean = Fixed::of(mean + rise);
        self.squares =
            Fixed::of(self.squares.value() * DAY_DISCOUNT + weight / (weight + 1.0) * step * step);
    }

    fn spread(&self, spec: &ScaleSpec, days: f64) -> f64 {
        let prior = PRIOR_FREEDOM * spec.prior_spread * spec.prior_spread;
        sqrt((prior + self.squares.value()) / (PRIOR_FREEDOM + days))
    }

    /// Location and scale of the predictive distribution of the next daily maximum's logarithm.
    fn predictive(&self, spec: &ScaleSpec, basis: &Basis) -> (f64, f64) {
        let prior = log1p(3.0 * basis.typical.max(0.5));
        let weight = PRIOR_DAYS + basis.days;
        let location = (PRIOR_DAYS * prior + basis.days * self.mean.value()) / weight;
        let scale = self.spread(spec, basis.days) * sqrt(1.0 + 1.0 / weight);
        (location, scale)
    }

    /// The largest window of the four weeks that are learned.
    pub(super) fn learned_max(&self) -> LogCount {
        self.weeks.iter().copied().max().unwrap_or_default()
    }

    /// The same as a count.
    pub(crate) fn max_28d(&self) -> f64 {
        self.learned_max().count()
    }

    /// How many spreads of its days the whole-day `count` lies above `expected`, on a logarithmic scale.
    pub(crate) fn standardised(
        &self,
        spec: &ScaleSpec,
        count: f64,
        expected: f64,
        days: f64,
    ) -> f64 {
        (log1p(count) - log1p(expected)) / self.spread(spec, days)
    }

    /// The usual maximum of a day.
    pub(crate) fn mean_peak(&self) -> f64 {
        exp(self.mean.value()) - 1.0
    }

    /// Whether the trip count has to be computed anew.
    pub(crate) fn is_stale(&self) -> bool {
        self.trip.get() == STALE
    }

    /// Has the trip count computed anew before the next comparison.
    pub(crate) fn disarm(&mut self) {
        self.trip.set(STALE);
    }

    /// Makes sure that nothing trips before the habit is known.
    pub(crate) fn silence(&mut self) {
        self.trip.set(NEVER);
    }

    /// Whether `count` has to be judged.
    pub(crate) fn trips(&self, count: u32) -> bool {
        count >= self.trip.get()
    }

    /// The smallest count that turns keys two and three at the quantiles' probability. `recent` is the largest window that is
    /// not learned yet, if there is one.
    pub(crate) fn trip_count(
        &self,
        recent: LogCount,
        spec: &ScaleSpec,
        basis: &Basis,
        table: &QuantileTable,
    ) -> u32 {
        let (location, scale) = self.predictive(spec, basis);
        let unlike_peaks = exp(location + table.at(PRIOR_FREEDOM + basis.days) * scale) - 1.0;
        let max_28d = self.learned_max().max(recent).count();
        let material = f64::from(spec.floor)
            .max(spec.ratio * basis.expected)
            .max(MAX_28D_RATIO * max_28d);
        ceil(unlike_peaks.max(material)).clamp(1.0, f64::from(NEVER)) as u32
    }

    /// The same for streams in which a count far above every peak is enough, if it reaches the floor or `far_floor`.
    pub(crate) fn spike_count(
        &self,
        recent: LogCount,
        spec: &ScaleSpec,
        basis: &Basis,
        table: &QuantileTable,
        far_floor: u32,
    ) -> u32 {
        let floor = spec.floor.min(far_floor);
        let far = self.count_above(FAR_ABOVE, recent, spec, basis, floor);
        self.trip_count(recent, spec, basis, table).min(far)
    }

    /// The smallest count that is very far above every peak, and at least `floor`.
    pub(crate) fn very_far_count(
        &self,
        recent: LogCount,
        spec: &ScaleSpec,
        basis: &Basis,
        floor: u32,
    ) -> u32 {
        self.count_above(VERY_FAR_ABOVE, recent, spec, basis, floor)
    }

    fn count_above(
        &self,
        times: f64,
        recent: LogCount,
        spec: &ScaleSpec,
        basis: &Basis,
        floor: u32,
    ) -> u32 {
        let (location, _) = self.predictive(spec, basis);
        let max_28d = self.learned_max().max(recent).count();
        let peak = (exp(location) - 1.0).max(max_28d).max(1.0);
        let material = f64::from(floor).max(spec.ratio * basis.expected);
        ceil((times * peak).max(material)).clamp(1.0, f64::from(NEVER)) as u32
    }

    /// Sets the trip count.
    pub(crate) fn arm(&mut self, trip: u32) {
        self.trip.set(trip.max(STALE + 1));
    }

    /// Lowers the trip count to `trip`, if it is above.
    pub(crate) fn arm_at_most(&mut self, trip: u32) {
        self.trip.set(self.trip.get().min(trip.max(STALE + 1)));
    }

    /// Both probabilities of a window with `count` in it; `recent` as for the trip count.
    pub(crate) fn judge(
        &self,
        recent: LogCount,
        spec: &ScaleSpec,
        basis: &Basis,
        count: u32,
    ) -> Judgement {
        let expected = basis.expected.max(LEAST_EXPECTED);
        let error = EXPECTATION_ERROR * expected;
        let variance = self.dispersion() * expected + error * error;
        let (location, scale) = self.predictive(spec, basis);
        let t = (log1p(f64::from(count)) - location) / scale;
        Judgement {
            count,
            expected,
            habitual_peak: exp(location) - 1.0,
            max_28d: self.learned_max().max(recent).count(),
            p_now: negative_binomial_tail(count, expected, variance),
            p_habit: student_tail(t, PRIOR_FREEDOM + basis.days),
        }
    }
}
