//! The regularised incomplete beta function, by the continued fraction of DLMF 8.17.22 (<https://dlmf.nist.gov/8.17.v>),
//! evaluated with the modified Lentz method.

use libm::{exp, lgamma, log, log1p};

/// Enough for the arguments of count tests; the fraction converges in O(sqrt(max(a, b))) steps.
const MAX_STEPS: u32 = 10_000;
const EPSILON: f64 = 1e-14;
/// Stands for zero in a denominator, as Lentz's method asks.
const TINY: f64 = 1e-300;

/// `I_x(a, b)` for positive `a` and `b`, and `x` within 0 and 1.
pub(super) fn regularised(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    // The fraction converges fast on this side of the mean only; the other side is its mirror image.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of DLMF 8.17.22.
#[expect(
    clippy::many_single_char_names,
    reason = "the letters are those of the cited formula"
)]
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for step in 1..=MAX_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let delta = d * c;
        result *= delta;
        if (delta - 1.0).abs() < EPSILON {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_arguments_agree_with_the_binomial_sum() {
        // I_x(a, b) = P[Binomial(a + b - 1, x) >= a] (DLMF 8.17.5).
        for (a, b, x) in [(1u32, 1u32, 0.3), (3, 5, 0.2), (7, 2, 0.9), (20, 30, 0.4)] {
            let n = a + b - 1;
            let mut sum = 0.0;
            for k in a..=n {
                let mut term = 1.0;
                for i in 0..k {
                    term *= f64::from(n - i) / f64::from(i + 1) * x;
                }
                for _ in k..n {
                    term *= 1.0 - x;
                }
                sum += term;
            }
            let got = regularised(f64::from(a), f64::from(b), x);
            assert!(
                (got / sum - 1.0).abs() < 1e-10,
                "I_{x}({a}, {b}) = {got}, not {sum}"
            );
        }
    }

    #[test]
    fn both_sides_of_the_mean_add_up_to_one() {
        for (a, b, x) in [
            (0.5, 0.5, 0.1),
            (2.5, 40.0, 0.2),
            (1e3, 2.0, 0.999),
            (1e5, 7.5, 0.99),
        ] {
            let sum = regularised(a, b, x) + regularised(b, a, 1.0 - x);
            assert!((sum - 1.0).abs() < 1e-9, "{a} {b} {x}: {sum}");
        }
    }
}
