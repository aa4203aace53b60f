//! Upper tail of the binomial distribution, by `P(X >= k) = I_p(k, n - k + 1)` (DLMF 8.17.5).

use super::{MIN_PROBABILITY, beta};

/// `P(X >= count)` of `all` trials that each succeed with probability `share`.
pub(crate) fn upper_tail(count: u32, all: u32, share: f64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    let failures = f64::from(all.saturating_sub(count));
    beta::regularised(f64::from(count), failures + 1.0, share).clamp(MIN_PROBABILITY, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: u32, all: u32, share: f64, want: f64) {
        let got = upper_tail(count, all, share);
        assert!(
            (got / want - 1.0).abs() < 1e-9,
            "{count} of {all} at {share}: {got}"
        );
    }

    #[test]
    fn tails_are_as_summed_up_term_by_term() {
        check(0, 5, 0.1, 1.0);
        check(1, 1, 0.25, 0.25);
        check(4, 4, 0.02, 1.6e-7);
        check(2, 3, 0.5, 0.5);
        check(4, 8, 0.5, 0.636_718_75);
        check(1, 1_000_000, 1e-6, 1.0 - libm::pow(1.0 - 1e-6, 1e6));
    }
}
