//! The negative binomial: counts whose variance exceeds their mean.

use libm::{exp, lgamma, log};

use super::{MIN_PROBABILITY, beta};

/// Beyond this the size parameter is so large that the distribution is Poisson to all digits that matter.
const POISSON_SIZE: f64 = 1e7;

/// `P[X >= count]` for a count of this mean and variance; a variance at or below the mean counts as Poisson.
pub(crate) fn upper_tail(count: u32, mean: f64, variance: f64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    let count = f64::from(count);
    let excess = (variance - mean).max(mean * mean / POISSON_SIZE);
    let size = mean * mean / excess;
    // P[X >= c] = I_p(c, r) with p = mu / (r + mu) (DLMF 8.17.5 in its negative-binomial form).
    let tail = beta::regularised(count, size, mean / (size + mean));
    if tail > 0.0 {
        return tail.max(MIN_PROBABILITY);
    }
    // Underflow: the first term of the tail is the answer to more digits than anyone reads.
    let log_term = lgamma(count + size) - lgamma(size) - lgamma(count + 1.0)
        + size * log(size / (size + mean))
        + count * log(mean / (size + mean));
    exp(log_term).max(MIN_PROBABILITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tail as one minus the sum of the probabilities below `count`.
    fn by_sum(count: u32, mean: f64, variance: f64) -> f64 {
        let size = mean * mean / (variance - mean);
        let below: f64 = (0..count)
            .map(|k| {
                let k = f64::from(k);
                exp(lgamma(k + size) - lgamma(size) - lgamma(k + 1.0)
                    + size * log(size / (size + mean))
                    + k * log(mean / (size + mean)))
            })
            .sum();
        1.0 - below
    }

    #[test]
    fn tails_agree_with_the_sum_of_the_terms() {
        for (count, mean, variance) in [
            (1, 0.5, 0.8),
            (5, 2.0, 6.0),
            (30, 12.0, 80.0),
            (200, 150.0, 900.0),
        ] {
            let (got, want) = (
                upper_tail(count, mean, variance),
                by_sum(count, mean, variance),
            );
            assert!(
                (got - want).abs() < 1e-9,
                "{count} {mean} {variance}: {got}, not {want}"
            );
        }
    }

    #[test]
    fn a_variance_of_the_mean_is_poisson() {
        // P[Poisson(1) >= 4] = 1 - e^-1 * (1 + 1 + 1/2 + 1/6).
        let want = 1.0 - exp(-1.0) * (1.0 + 1.0 + 0.5 + 1.0 / 6.0);
        assert!((upper_tail(4, 1.0, 1.0) / want - 1.0).abs() < 1e-5);
    }

    #[test]
    fn absurdly_large_counts_are_improbable_but_finite() {
        let tail = upper_tail(u32::MAX, 0.02, 0.03);
        assert!((0.0..=1e-200).contains(&tail) && tail > 0.0, "{tail}");
    }
}
