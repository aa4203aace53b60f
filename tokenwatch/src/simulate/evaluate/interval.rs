//! The exact interval in which the mean of a Poisson count lies with 95 % confidence (Garwood 1936).

/// Probability in each tail.
const TAIL: f64 = 0.025;
/// Halvings: from a few thousand to less than a millionth.
const STEPS: usize = 60;

/// Lower and upper limit of the mean of which `count` was seen.
pub(super) fn poisson(count: u64) -> (f64, f64) {
    let reach = 4.0 * count as f64 + 20.0;
    let lower = if count == 0 {
        0.0
    } else {
        // The mean at which so many or more are just likely enough.
        solve(reach, |mean| 1.0 - at_most(count - 1, mean) < TAIL)
    };
    let upper = solve(reach, |mean| at_most(count, mean) > TAIL);
    (lower, upper)
}

/// The largest mean below `reach` for which `holds`, which holds below and fails above.
fn solve(reach: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, reach);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The probability of at most `count` when `mean` are expected.
fn at_most(count: u64, mean: f64) -> f64 {
    let mut log_factorial = 0.0;
    let mut sum = 0.0;
    for k in 0..=count {
        if k > 0 {
            log_factorial += (k as f64).ln();
        }
        sum += (k as f64 * mean.ln() - mean - log_factorial).exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_tables() {
        for (count, lower, upper) in [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)] {
            let found = poisson(count);
            assert!((found.0 - lower).abs() < 0.01, "{count}: {found:?}");
            assert!((found.1 - upper).abs() < 0.01, "{count}: {found:?}");
        }
    }
}
