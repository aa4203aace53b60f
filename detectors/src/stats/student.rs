//! Student's t distribution: upper tail, and a table of its quantiles by degrees of freedom.

use super::{MIN_PROBABILITY, beta};

/// Least and most degrees of freedom of the table: the prior's four, and those of the longest memory (33 days) plus it.
const LEAST: usize = 4;
const MOST: usize = 40;

/// `P[T >= t]` with `freedom` degrees of freedom; 0.5 for a negative `t`, which no one-sided test asks about.
pub(crate) fn upper_tail(t: f64, freedom: f64) -> f64 {
    let t = t.max(0.0);
    let tail = 0.5 * beta::regularised(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    tail.max(MIN_PROBABILITY)
}

/// The `t` whose upper tail has a fixed probability, for every number of degrees of freedom that habits have.
#[derive(Clone, Debug)]
pub(crate) struct QuantileTable {
    quantiles: [f64; MOST - LEAST + 1],
}

impl QuantileTable {
    /// The table for upper tails of `alpha`.
    pub(crate) fn new(alpha: f64) -> Self {
        let mut quantiles = [0.0; MOST - LEAST + 1];
        for (index, quantile) in quantiles.iter_mut().enumerate() {
            *quantile = bisect(alpha, (LEAST + index) as f64);
        }
        Self { quantiles }
    }

    /// The quantile, interpolated; it is convex in `freedom`, so the chord errs on the side of silence.
    pub(crate) fn at(&self, freedom: f64) -> f64 {
        let place = (freedom - LEAST as f64).clamp(0.0, (MOST - LEAST) as f64);
        let below = place as usize;
        let above = (below + 1).min(MOST - LEAST);
        let part = place - below as f64;
        self.quantiles[below] * (1.0 - part) + self.quantiles[above] * part
    }
}

fn bisect(alpha: f64, freedom: f64) -> f64 {
    // Four degrees of freedom at 1e-12 need t = 1,100; twenty doublings of one are far beyond.
    let mut low = 0.0;
    let mut high = 1.0;
    for _ in 0..20 {
        if upper_tail(high, freedom) <= alpha {
            break;
        }
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if upper_tail(middle, freedom) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_agree_with_published_critical_values() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
        for (freedom, alpha, t) in [
            (4.0, 0.001, 7.173),
            (10.0, 0.05, 1.812),
            (10.0, 0.001, 4.144),
            (18.0, 0.001, 3.610),
            (30.0, 0.01, 2.457),
            (30.0, 0.001, 3.385),
        ] {
            assert!(
                (upper_tail(t, freedom) / alpha - 1.0).abs() < 2e-3,
                "t({freedom}) at {t}"
            );
            assert!((QuantileTable::new(alpha).at(freedom) - t).abs() < 2e-3);
        }
    }

    #[test]
    fn four_degrees_of_freedom_agree_with_the_closed_form() {
        // P[T <= t] = 1/2 + 3/8 * u * (1 - u^2 / 12 * ...), in closed form with y = t / sqrt(4 + t^2).
        for t in [0.5f64, 2.0, 10.0, 60.0] {
            let y = t / libm::sqrt(4.0 + t * t);
            let closed = 0.5 - 0.75 * (y - y * y * y / 3.0);
            assert!((upper_tail(t, 4.0) - closed).abs() < 1e-12, "{t}");
        }
    }

    #[test]
    fn quantiles_fall_with_more_degrees_of_freedom() {
        let table = QuantileTable::new(2e-6);
        assert!(table.at(4.0) > table.at(4.5));
        assert!(table.at(11.0) > table.at(18.0));
        assert!((upper_tail(table.at(11.0), 11.0) / 2e-6 - 1.0).abs() < 1e-6);
    }
}
