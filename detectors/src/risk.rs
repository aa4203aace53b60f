//! How much speaks against a token: decibans by family of evidence, and the severity that they add up to.
//!
//! Signals of one family are the same fact seen twice, so only the strongest counts; families are independent, so they
//! add up. Evidence fades by half in six hours (volume, abuse) or a day (location, scope). Hard evidence cannot be
//! explained by a change of habit: concurrent use, a call that policy forbids. Weights and rules: research note 4.2.

use libm::exp2;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Family, FamilyEvidence, Severity, Timestamp};

use crate::calendar::{DAY, HOUR};
use crate::token::micros;

/// Families of evidence.
const FAMILIES: usize = Family::ALL.len();
/// What a family must weigh to count as one.
const FAMILY_DB: f64 = 10.0;
/// Hard evidence stays hard for a day.
const HARD_S: i64 = DAY;
/// Odds against any finding being true, before its evidence: twenty to one.
const PRIOR_DB: f64 = -13.0;

/// Evidence against one token, by family.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    families: [Option<Weight>; FAMILIES],
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Weight {
    db: f64,
    #[serde(with = "micros")]
    at: Timestamp,
    detector: Detector,
    hard_until: Option<i64>,
}

/// What the ledger says at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standing {
    /// Sum over families.
    pub(crate) total_db: f64,
    /// Families that count.
    pub(crate) families: u32,
    /// Families with hard evidence.
    pub(crate) hard: u32,
}

impl Standing {
    /// Whether it is enough to act on, so that it matters whether the fleet is well.
    pub(crate) fn may_act(self) -> bool {
        self.total_db >= 90.0 && self.families >= 3 && self.hard >= 2
    }
}

impl Ledger {
    /// Adds a hit.
    pub(crate) fn add(&mut self, detector: Detector, db: f64, hard: bool, at: Timestamp) {
        let family = detector.family();
        let slot = &mut self.families[family as usize];
        let faded = slot.map_or(0.0, |weight| weight.faded(family, at));
        let hard_until = if hard {
            Some(at.as_secs() + HARD_S)
        } else {
            slot.and_then(|weight| weight.hard_until)
        };
        *slot = Some(if db >= faded {
            Weight {
                db,
                at,
                detector,
                hard_until,
            }
        } else {
            Weight {
                db: faded,
                at,
                detector,
                hard_until,
            }
        });
    }

    /// The sums at `now`.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        let mut standing = Standing {
            total_db: 0.0,
            families: 0,
            hard: 0,
        };
        for (family, weight) in self.weights() {
            let db = weight.faded(family, now);
            standing.total_db += db;
            standing.families += u32::from(db >= FAMILY_DB);
            standing.hard += u32::from(
                weight
                    .hard_until
                    .is_some_and(|until| now.as_secs() <= until),
            );
        }
        standing
    }

    /// What each family weighs at `now`.
    pub(crate) fn by_family(&self, now: Timestamp) -> Vec<FamilyEvidence> {
        self.weights()
            .map(|(family, weight)| FamilyEvidence {
                family,
                detector: weight.detector,
                db: libm::round(10.0 * weight.faded(family, now)) / 10.0,
                hard: weight
                    .hard_until
                    .is_some_and(|until| now.as_secs() <= until),
            })
            .filter(|evidence| evidence.db >= 0.1)
            .collect()
    }

    /// Detectors other than `detector` whose evidence counts at `now`.
    pub(crate) fn others(&self, detector: Detector, now: Timestamp) -> Vec<Detector> {
        self.weights()
            .filter(|(family, weight)| weight.faded(*family, now) >= FAMILY_DB)
            .map(|(_, weight)| weight.detector)
            .filter(|other| *other != detector)
            .collect()
    }

    fn weights(&self) -> impl Iterator<Item = (Family, Weight)> + '_ {
        Family::ALL
            .into_iter()
            .filter_map(|family| self.families[family as usize].map(|weight| (family, weight)))
    }
}

impl Weight {
    fn faded(self, family: Family, now: Timestamp) -> f64 {
        let half_life_s = match family {
            Family::Location | Family::Client | Family::Scope | Family::Source => DAY,
            Family::Volume | Family::Abuse | Family::Tempo | Family::Hygiene | Family::Fleet => {
                6 * HOUR
            }
        };
        let age_s = now.since(self.at).as_secs_f64();
        self.db * exp2(-age_s / half_life_s as f64)
    }
}

/// The severity that evidence adds up to; [`Severity::Info`] says nothing beyond what each hit has alone.
pub(crate) fn decide_severity(standing: Standing, mature: bool, common_mode: bool) -> Severity {
    let Standing {
        total_db,
        families,
        hard,
    } = standing;
    if total_db >= 90.0 && families >= 3 && hard >= 2 && mature && !common_mode {
        Severity::Critical
    } else if total_db >= 60.0 && families >= 3 && hard >= 1 {
        Severity::High
    } else if total_db >= 40.0 && families >= 2 {
        Severity::Medium
    } else {
        Severity::Info
    }
}

/// How sure a finding is: posterior probability after evidence of `db` decibans.
pub(crate) fn confidence(db: f64) -> f64 {
    let odds = libm::exp10((db + PRIOR_DB) / 10.0);
    let rounded = libm::round(1_000.0 * odds / (1.0 + odds)) / 1_000.0;
    rounded.min(0.999)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(total_db: f64, families: u32, hard: u32) -> Standing {
        Standing {
            total_db,
            families,
            hard,
        }
    }

    #[test]
    fn only_several_kinds_of_evidence_page_and_only_hard_ones_revoke() {
        for (case, mature, want) in [
            (standing(30.0, 1, 0), true, Severity::Info),
            (standing(300.0, 1, 1), true, Severity::Info),
            (standing(45.0, 2, 0), true, Severity::Medium),
            (standing(65.0, 3, 0), true, Severity::Medium),
            (standing(65.0, 3, 1), true, Severity::High),
            (standing(95.0, 3, 1), true, Severity::High),
            (standing(95.0, 3, 2), false, Severity::High),
            (standing(95.0, 3, 2), true, Severity::Critical),
        ] {
            assert_eq!(decide_severity(case, mature, false), want, "{case:?}");
        }
        assert_eq!(
            decide_severity(standing(95.0, 3, 2), true, true),
            Severity::High
        );
    }

    #[test]
    fn within_a_family_the_strongest_counts_and_it_fades() {
        let mut ledger = Ledger::default();
        let start = Timestamp::from_secs(1_000_000);
        ledger.add(Detector::OutOfScope, 30.0, true, start);
        ledger.add(Detector::OutOfScope, 20.0, false, start);
        ledger.add(Detector::RateSpike, 20.0, false, start);
        let now = ledger.standing(start);
        assert!((now.total_db - 50.0).abs() < 1e-9);
        assert_eq!((now.families, now.hard), (2, 1));
        let later = ledger.standing(Timestamp::from_secs(1_000_000 + 2 * DAY));
        assert!(
            (later.total_db - (7.5 + 20.0 / 256.0)).abs() < 1e-9,
            "{later:?}"
        );
        assert_eq!((later.families, later.hard), (0, 0));
        assert_eq!(
            ledger.others(Detector::OutOfScope, start),
            [Detector::RateSpike]
        );
    }

    #[test]
    fn confidence_is_a_probability_that_grows_with_evidence() {
        assert!(
            (confidence(24.5) - 0.934).abs() < 0.002,
            "{}",
            confidence(24.5)
        );
        assert!(confidence(0.0) < confidence(30.0) && confidence(300.0) < 1.0);
    }
}
