//! How surprising something new is for a token that meets new things at its own rate.
//!
//! New networks, countries and clients come as a Poisson process whose rate is learned: a discounted count with a prior of
//! half a novelty in thirty days, so a roaming token is not surprised by a network and a data centre's is. The idea is that
//! of Kusto's `detect_anomalous_new_entity_fl`; weights and caps follow research note 3.2 and 3.3. Two bytes per rate.

use libm::{exp, log10};
use serde::{Deserialize, Serialize};

/// Prior of the rate: half a novelty in thirty days.
const PRIOR_NOVELTIES: f64 = 0.5;
const PRIOR_DAYS: f64 = 30.0;
/// Days that the discounted memory can hold: 1 / (1 - 0.97).
const MEMORY_DAYS: f64 = 33.0;
/// Steps of one novelty: up to 63 are told apart.
const ONE: u16 = 1 << 10;
/// 0.97 of a day's count is left a day later, in 1,024ths.
const DAY_DISCOUNT: u32 = 993;
/// A habit of a day says this much less than one of a week.
const YOUTH_DB: f64 = 5.0;
const MATURE_DAYS: f64 = 7.0;

/// Discounted count of what was new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoveltyRate(u16);

/// What a novelty of one kind weighs at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoveltyWeight {
    /// Decibans on top of the improbability: theft brings such novelties more often than life does.
    pub(crate) bonus_db: f64,
    pub(crate) cap_db: f64,
}

impl NoveltyRate {
    /// One more novelty.
    pub(crate) fn add(&mut self) {
        self.0 = self.0.saturating_add(ONE);
    }

    /// A day goes by.
    pub(crate) fn fade(&mut self) {
        self.0 = ((u32::from(self.0) * DAY_DISCOUNT) >> 10) as u16;
    }

    /// The rate before its last novelty.
    pub(crate) fn less_one(self) -> Self {
        Self(self.0.saturating_sub(ONE))
    }

    /// Novelties remembered.
    pub(crate) fn count(self) -> f64 {
        f64::from(self.0) / f64::from(ONE)
    }

    /// Decibans of surprise of one more novelty on any one day, for a token known for `age_days`.
    pub(crate) fn surprise_db(self, weight: NoveltyWeight, age_days: f64) -> f64 {
        let rate =
            (self.count() + PRIOR_NOVELTIES) / (PRIOR_DAYS + age_days.clamp(0.0, MEMORY_DAYS));
        let probability = 1.0 - exp(-rate);
        let youth = YOUTH_DB * (1.0 - age_days / MATURE_DAYS).clamp(0.0, 1.0);
        (weight.bonus_db - 10.0 * log10(probability)).min(weight.cap_db) - youth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: NoveltyWeight = NoveltyWeight {
        bonus_db: 5.0,
        cap_db: 25.0,
    };

    #[test]
    fn who_meets_new_things_daily_is_not_surprised() {
        let mut roaming = NoveltyRate::default();
        for _ in 0..14 {
            roaming.add();
            roaming.fade();
        }
        let settled = NoveltyRate::default().surprise_db(NETWORK, 14.0);
        assert!(settled > 24.0 && settled <= 25.0, "{settled}");
        assert!(
            roaming.surprise_db(NETWORK, 14.0) < 12.0,
            "{}",
            roaming.surprise_db(NETWORK, 14.0)
        );
    }

    #[test]
    fn youth_tells_less_and_grows_out_of_it() {
        let at = |days| NoveltyRate::default().surprise_db(NETWORK, days);
        assert!(
            at(1.0) < at(3.0) && at(3.0) < at(7.0),
            "{} {} {}",
            at(1.0),
            at(3.0),
            at(7.0)
        );
        assert!((20.0..21.0).contains(&at(3.0)), "{}", at(3.0));
    }

    #[test]
    fn novelties_fade_to_nothing_and_never_overflow() {
        let mut rate = NoveltyRate::default();
        for _ in 0..1_000 {
            rate.add();
        }
        assert!(rate.count() < 64.0);
        for _ in 0..400 {
            rate.fade();
        }
        assert!(rate.count() < 0.1, "{}", rate.count());
    }
}
