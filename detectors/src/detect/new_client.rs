//! `new_client`: calls with software that this token is not used with.
//!
//! Catches a stolen key in the thief's own tools: another family of user agent, the owner's user agent with another TLS
//! library, a browser that shakes hands like a script. Misses a thief with the owner's software. Its main false positive is
//! a developer who tries a call by hand; a release of the same software weighs little, and one that many peers take up
//! within a week less. A signal only: together with a new network it is a finding. Bytes per token: part of the 52 of
//! [`crate::whereabouts`]. Weights: research note 3.3.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Severity};

use crate::arrival::{Arrival, Experience, Reach};
use crate::clients::{Difference, contradicts_itself, describe};
use crate::config::DetectorMode;
use crate::episode::rounded;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::whereabouts::Familiarity;

/// The same software by its own account, with another TLS library; in another version.
const HANDSHAKE_DB: f64 = 15.0;
const VERSION_DB: f64 = 8.0;
/// Other software, where the token has always been used: a new phone at home.
const AT_HOME_DB: f64 = 14.0;
/// It claims to be a browser and shakes hands like a script.
const CONTRADICTION_DB: f64 = 10.0;
/// Many peers took it up within a week.
const RELEASE_DB: f64 = 15.0;
const CAP_DB: f64 = 30.0;

/// `[detectors.new_client]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewClientConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Surprise, in decibans, from which a new client is a signal.
    pub signal_db: f64,
}

impl Default for NewClientConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            signal_db: 12.0,
        }
    }
}

/// A hit if the call was made with a client that is a surprise.
pub(crate) fn observe(
    token: &Token,
    arrival: &Arrival<'_, '_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let visit = &arrival.visit;
    if visit.client_is != Familiarity::New || arrival.experience != Experience::Learned {
        return None;
    }
    let key = visit.client?;
    let client = &arrival.event.client;
    let contradiction = contradicts_itself(client);
    let surprise_db = weigh(arrival, contradiction);
    if surprise_db < settings.client.signal_db {
        return None;
    }
    let days = token.active_days;
    let what = match visit.difference {
        Difference::Handshake => "whose TLS handshake",
        Difference::Version => "a version",
        Difference::Family | Difference::None => "a client",
    };
    let lie = if contradiction {
        ", which claims to be a browser and shakes hands like a script"
    } else {
        ""
    };
    let name = describe(client).unwrap_or_default();
    let known = token
        .whereabouts
        .client_count(&token.parts)
        .saturating_sub(1);
    Some(Hit {
        tier: Tier::Signal,
        severity: Severity::Low,
        evidence_db: surprise_db,
        hard: false,
        size: 1.0,
        window_start: arrival.event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::NewClient,
            rank: u8::from(visit.difference == Difference::Family) + u8::from(contradiction),
            belonging: Belonging::Client(key),
            text: format!(
                "{{name}} was used {{events}} with {name} since {{first}}, {what} it never had in {days} \
                 days{lie}{{sources}}"
            ),
            figures: Evidence {
                expected: Some(0.0),
                statistic:
                    "probability of a new client on a day, from the token's own rate of new clients"
                        .to_owned(),
                p_value: Some(libm::exp10(-rounded(surprise_db) / 10.0)),
                baseline_days: Some(u32::from(days)),
                usual: Some(match known {
                    1 => "used with one client".to_owned(),
                    known => format!("used with {known} clients"),
                }),
                ..Evidence::default()
            },
        },
        bulk: None,
    })
}

/// The surprise of a new client to the token, more if it contradicts itself, less if peers take it up just now.
fn weigh(arrival: &Arrival<'_, '_>, contradiction: bool) -> f64 {
    let visit = &arrival.visit;
    let base_db = match visit.difference {
        Difference::None => 0.0,
        Difference::Version => VERSION_DB,
        Difference::Handshake => HANDSHAKE_DB.min(visit.client_db),
        Difference::Family if visit.place_is == Familiarity::Known => {
            visit.client_db.min(AT_HOME_DB)
        }
        Difference::Family => visit.client_db,
    };
    let lie_db = if contradiction { CONTRADICTION_DB } else { 0.0 };
    let is_release = arrival.client == Reach::Rising;
    let peers_db = if is_release { RELEASE_DB } else { 0.0 };
    (base_db + lie_db - peers_db).min(CAP_DB)
}
