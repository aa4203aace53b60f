//! `impossible_travel`: two calls from places that nobody can have got between in time.
//!
//! Catches a stolen key used from far away soon after its owner, with any client. Misses thieves near the owner, and every
//! network that does not say where its user is: data centres, VPN, relays, mobile carriers, satellites
//! ([`crate::organisation`]). Its main false positive is a company's own gateway abroad: in a token's first two days it
//! is only a signal. Low alone, but hard evidence. Bytes per token: 4 of the 52 of [`crate::whereabouts`]. Formula: great circle less what both positions may
//! be off by ([`crate::travel`]); limits as in research note 3.2.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Problems, Severity};

use crate::arrival::{Arrival, Experience};
use crate::config::DetectorMode;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::settings::DetectorSettings;
use crate::token::{Maturity, Token};
use crate::travel::Journey;
use crate::whereabouts::Familiarity;
use crate::wording;

const TRAVEL_DB: f64 = 28.0;
/// Before two days are learned, places far from each other may both be the token's own.
const FIRST_SIGHT_DB: f64 = 10.0;

/// `[detectors.impossible_travel]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImpossibleTravelConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Kilometres per hour that nobody travels at.
    pub max_kmh: f64,
    /// Shorter distances never matter, in kilometres.
    pub min_km: f64,
}

impl Default for ImpossibleTravelConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            max_kmh: 900.0,
            min_km: 500.0,
        }
    }
}

impl ImpossibleTravelConfig {
    pub(crate) fn check(&self, problems: &mut Problems) {
        if !(1.0..=1e6).contains(&self.max_kmh) {
            problems.add(
                "impossible_travel.max_kmh",
                "must lie between 1 and 1,000,000",
            );
        }
        if !(1.0..=20_000.0).contains(&self.min_km) {
            problems.add("impossible_travel.min_km", "must lie between 1 and 20,000");
        }
    }
}

/// A hit if nobody can have come from the last call to this one.
pub(crate) fn observe(
    token: &Token,
    arrival: &Arrival<'_, '_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let visit = &arrival.visit;
    let is_recent = matches!(visit.place_is, Familiarity::New | Familiarity::Fresh);
    let (from, to) = (visit.previous_fix, visit.fix);
    if !visit.succeeded || !is_recent || from == to || !from.is_known() || !to.is_known() {
        return None;
    }
    // Places that are new to a token of an hour may be its usual ones.
    if arrival.experience == Experience::New {
        return None;
    }
    let seconds = visit.at.as_secs() - i64::from(visit.previous_s);
    let journey = Journey::between(from, to, seconds);
    let limits = &settings.travel;
    if !journey.is_impossible(limits.max_kmh, limits.min_km) {
        return None;
    }
    let key = visit.place?;
    let first_sight = token.maturity(settings) == Maturity::New;
    let place = wording::place(key, arrival.event.client.as_org.as_deref());
    Some(Hit {
        tier: if first_sight {
            Tier::Signal
        } else {
            Tier::Finding
        },
        evidence_db: if first_sight {
            FIRST_SIGHT_DB
        } else {
            TRAVEL_DB
        },
        hard: !first_sight,
        ..hit(token, arrival, journey, place, Belonging::Place(key))
    })
}

fn hit(
    token: &Token,
    arrival: &Arrival<'_, '_>,
    journey: Journey,
    place: String,
    belonging: Belonging,
) -> Hit {
    let city = arrival.event.client.city.as_deref();
    let here = match city {
        Some(city) => format!("{}, {place}", crate::samples::shortened(city)),
        None => place,
    };
    let km = wording::count(journey.km);
    let before = wording::elapsed(journey.seconds);
    Hit {
        tier: Tier::Finding,
        severity: Severity::Low,
        evidence_db: TRAVEL_DB,
        hard: true,
        size: 1.0,
        window_start: arrival.event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::ImpossibleTravel,
            rank: 0,
            belonging,
            text: format!(
                "{{name}} was used {{events}} from {here} since {{first}}, at least {km} km from where it was used {before} \
                 before"
            ),
            figures: Evidence {
                observed: Some(libm::round(journey.kmh())),
                expected: Some(0.0),
                window_s: u64::try_from(journey.seconds).ok(),
                statistic: "least speed in km/h: great circle less the accuracy of both positions"
                    .to_owned(),
                baseline_days: Some(u32::from(token.active_days)),
                ..Evidence::default()
            },
        },
        bulk: None,
    }
}
