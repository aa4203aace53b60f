//! `new_geography`: calls from a country or network that this token does not come from.
//!
//! Catches a stolen key used from elsewhere. Misses a thief in the owner's own network. Its main false positive is a journey
//! or a move: a new country alone is low, a new network in a known country is a signal only. Bytes per token: 64 in the
//! header for everything about place and client, 150 more for tokens that move about. Formula: research note 3.2, in
//! [`crate::novelty`].

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Problems, Severity};

use crate::arrival::{Arrival, Experience, Reach};
use crate::config::DetectorMode;
use crate::episode::rounded;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::organisation::NetworkClass;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::whereabouts::Familiarity;
use crate::wording;

/// The first time in a data centre, or behind an anonymiser.
const HOSTED_DB: f64 = 6.0;
/// A network that many of the fleet use; one that they all use since a week at most, as after a move or behind a new VPN.
const POPULAR_DB: f64 = 4.0;
const RISING_DB: f64 = 10.0;
const CAP_DB: f64 = 30.0;

/// `[detectors.new_geography]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewGeographyConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Days over which a token's places and clients are learned before a new one counts.
    pub learn_days: u16,
    /// Calls over which they are learned.
    pub learn_calls: u32,
    /// Surprise, in decibans, from which a new place is a signal.
    pub signal_db: f64,
    /// Surprise from which a new country is a finding.
    pub finding_db: f64,
}

impl Default for NewGeographyConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            learn_days: 2,
            learn_calls: 10,
            signal_db: 15.0,
            finding_db: 25.0,
        }
    }
}

impl NewGeographyConfig {
    pub(crate) fn check(&self, problems: &mut Problems) {
        if self.finding_db < self.signal_db {
            problems.add("new_geography.finding_db", "must not be below signal_db");
        }
    }
}

/// A hit if the call came from a place that is a surprise.
pub(crate) fn observe(
    token: &Token,
    arrival: &Arrival<'_, '_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let visit = &arrival.visit;
    if visit.place_is != Familiarity::New || arrival.experience != Experience::Learned {
        return None;
    }
    let key = visit.place?;
    let limits = &settings.geography;
    let surprise_db = weigh(arrival);
    if surprise_db < limits.signal_db {
        return None;
    }
    let is_finding = visit.new_country && surprise_db >= limits.finding_db;
    let mut usual = token.whereabouts.places(&token.parts);
    usual.retain(|known| !known.key.key().is_same_as(key));
    let usual = wording::usual_places(&usual);
    let kind = if visit.new_country {
        "country"
    } else {
        "network"
    };
    let place = wording::place(key, arrival.event.client.as_org.as_deref());
    let days = token.active_days;
    Some(Hit {
        tier: if is_finding {
            Tier::Finding
        } else {
            Tier::Signal
        },
        severity: Severity::Low,
        evidence_db: surprise_db,
        hard: false,
        size: 1.0,
        window_start: arrival.event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::NewGeography,
            rank: u8::from(visit.new_country),
            belonging: Belonging::Place(key),
            text: format!(
                "{{name}} was used {{events}} from {place} since {{first}}, a {kind} it never came from in {days} days; \
                 until then it came from {usual}"
            ),
            figures: Evidence {
                expected: Some(0.0),
                statistic:
                    "probability of a new place on a day, from the token's own rate of new places"
                        .to_owned(),
                p_value: Some(libm::exp10(-rounded(surprise_db) / 10.0)),
                baseline_days: Some(u32::from(days)),
                usual: Some(format!("used from {usual}")),
                ..Evidence::default()
            },
        },
        bulk: None,
    })
}

/// The surprise of a new place to the token, more for a data centre where it was in none, less where many peers are.
fn weigh(arrival: &Arrival<'_, '_>) -> f64 {
    let visit = &arrival.visit;
    let hosted = matches!(
        visit.class,
        NetworkClass::Hosting | NetworkClass::Anonymiser
    );
    let class_db = if hosted && visit.new_class {
        HOSTED_DB
    } else {
        0.0
    };
    let peers_db = match arrival.network {
        Reach::Rare => 0.0,
        Reach::Popular => POPULAR_DB,
        Reach::Rising => RISING_DB,
    };
    (visit.place_db + class_db - peers_db).min(CAP_DB)
}
