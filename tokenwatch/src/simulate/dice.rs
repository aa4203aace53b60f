//! Chance, reproducible: every token's every day has a stream of its own, so that adding an attack changes nothing else.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Exp1, Gamma, Pareto, Poisson, StandardNormal};

/// A stream of chance.
#[derive(Clone, Debug)]
pub(super) struct Dice(Xoshiro256PlusPlus);

/// What a stream is for; streams of different purposes have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Purpose {
    /// Who the tokens are.
    Population = 1,
    /// Which attacks and benign cases there are.
    Plan = 2,
    /// What a token does on a day.
    Habit = 3,
    /// What an attacker does.
    Attack = 4,
    /// What a benign case adds to a token's day.
    Case = 5,
    /// What happens to log lines on their way.
    Delivery = 6,
}

impl Dice {
    /// The stream of `seed` for `purpose`, told apart by `parts`.
    pub(super) fn new(seed: u64, purpose: Purpose, parts: [u64; 2]) -> Self {
        let [first, second] = parts;
        Self(Xoshiro256PlusPlus::seed_from_u64(hash([
            seed,
            purpose as u64,
            first,
            second,
        ])))
    }

    /// A whole number below `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    /// A whole number from `from` to before `to`, or `from` if there is none.
    pub(super) fn whole(&mut self, from: i64, to: i64) -> i64 {
        self.0.random_range(from..to.max(from + 1))
    }

    /// Between `from` and `to`, evenly.
    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        self.0.random_range(from..to)
    }

    /// Ten to the power of something between `from` and `to`.
    pub(super) fn magnitude(&mut self, from: f64, to: f64) -> f64 {
        10f64.powf(self.between(from, to))
    }

    /// True once in 1 / `probability` times.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability.clamp(0.0, 1.0))
    }

    /// One of `items`, which are not empty.
    pub(super) fn pick<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }

    /// How often something happens that happens `mean` times on average.
    pub(super) fn poisson(&mut self, mean: f64) -> usize {
        match Poisson::new(mean) {
            Ok(poisson) => poisson.sample(&mut self.0) as usize,
            // Nothing can happen.
            Err(_) => 0,
        }
    }

    /// Waiting time with this mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        let unit: f64 = Exp1.sample(&mut self.0);
        unit * mean
    }

    /// A positive number with mean 1; the larger `shape`, the closer to 1.
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        Gamma::new(shape, 1.0 / shape).map_or(1.0, |gamma| gamma.sample(&mut self.0))
    }

    /// A positive number with median 1, whose logarithm spreads by `sigma`.
    pub(super) fn lognormal(&mut self, sigma: f64) -> f64 {
        let normal: f64 = StandardNormal.sample(&mut self.0);
        (normal * sigma).exp()
    }

    /// At least 1, with a heavy tail of this `shape`.
    pub(super) fn pareto(&mut self, shape: f64) -> f64 {
        Pareto::new(1.0, shape).map_or(1.0, |pareto| pareto.sample(&mut self.0))
    }

    /// Puts `items` in any order.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = self.below(end + 1);
            items.swap(end, other);
        }
    }
}

/// A number that looks random, the same for the same `parts`: for what must be looked up again and not remembered.
pub(super) fn hash(parts: [u64; 4]) -> u64 {
    parts
        .into_iter()
        .fold(0x9e37_79b9_7f4a_7c15, |state, part| {
            // The finaliser of splitmix64 (Steele, Lea, Flood 2014).
            let mut mixed = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_reproducible_and_apart() {
        let draw = |seed, purpose, parts| {
            let mut dice = Dice::new(seed, purpose, parts);
            (0..4).map(|_| dice.below(1 << 30)).collect::<Vec<_>>()
        };
        let first = draw(1, Purpose::Habit, [2, 3]);
        assert_eq!(first, draw(1, Purpose::Habit, [2, 3]));
        assert_ne!(first, draw(1, Purpose::Habit, [3, 2]));
        assert_ne!(first, draw(1, Purpose::Attack, [2, 3]));
        assert_ne!(first, draw(2, Purpose::Habit, [2, 3]));
    }

    #[test]
    fn counts_have_the_mean_that_was_asked_for() {
        let mut dice = Dice::new(1, Purpose::Habit, [0, 0]);
        for mean in [0.2, 3.0, 80.0] {
            let total: usize = (0..4_000).map(|_| dice.poisson(mean)).sum();
            let found = total as f64 / 4_000.0;
            assert!((found / mean - 1.0).abs() < 0.1, "{mean}: {found}");
        }
        assert_eq!(dice.poisson(0.0), 0);
    }
}
