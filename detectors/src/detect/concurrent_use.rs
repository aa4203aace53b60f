//! `concurrent_use`: two parties use one token at the same time.
//!
//! Catches theft while the owner goes on: calls from a network and with a client that are both new, between the owner's own,
//! all answered with success; also a thief behind proxies that rotate. Young tokens need sustained alternation between
//! parties that nobody could mistake: another country, or a data centre against an office. Misses a thief who copies the
//! owner's client, or calls only while the owner sleeps ([`super::new_geography`] and [`super::new_client`] see that one).
//! Its main false positive is a developer who tries a key by hand from home while production goes on with it. Hard evidence,
//! medium alone. Bytes per token: none without a contest, about 400 during one. Rule: research note 3.2, [`crate::contest`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Problems, Severity};

use crate::arrival::{Arrival, Experience};
use crate::clients::{Difference, describe};
use crate::config::DetectorMode;
use crate::contest::{Contest, Grounds, Told, Verdict};
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::organisation::NetworkClass;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::whereabouts::{Familiarity, Roaming};
use crate::wording;

/// Weight of two parties holding a token; a little more if they are in different countries.
const CONCURRENT_DB: f64 = 30.0;
const ABROAD_DB: f64 = 6.0;
/// What the newcomer's network and client must surprise together: a token that meets new ones every few days does not.
const SURPRISE_DB: f64 = 30.0;
/// A young token that is known by more places or clients than this is used by many anyway.
const YOUNG_PLACES: usize = 2;
const YOUNG_CLIENTS: usize = 2;

/// `[detectors.concurrent_use]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConcurrentUseConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Calls of both parties no further apart than this alternate.
    #[serde(with = "humantime_serde")]
    pub alternation_window: Duration,
}

impl Default for ConcurrentUseConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            alternation_window: Duration::from_mins(10),
        }
    }
}

impl ConcurrentUseConfig {
    pub(crate) fn check(&self, problems: &mut Problems) {
        if !(Duration::from_secs(1)..=Duration::from_hours(1)).contains(&self.alternation_window) {
            problems.add(
                "concurrent_use.alternation_window",
                "must lie between 1s and 1h",
            );
        }
    }
}

/// Notes the call in the contest for the token, or begins one; a hit if it proves that two parties hold the token.
pub(crate) fn observe(
    token: &mut Token,
    arrival: &Arrival<'_, '_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let within_s = i64::try_from(settings.concurrent.alternation_window.as_secs()).unwrap_or(600);
    let now = token.newest;
    if let Some(contest) = token.parts.roaming_mut().and_then(Roaming::contest_mut) {
        if !contest.is_over(now) {
            return match contest.observe(&arrival.visit, arrival.event, within_s) {
                Verdict::Open => None,
                Verdict::Dismissed => {
                    token.parts.roam().set_contest(None);
                    None
                }
                Verdict::Proven => hit(token),
            };
        }
        token.parts.roam().set_contest(None);
    }
    let grounds = decide_challenge(token, arrival)?;
    let key = arrival.visit.place?;
    let mut homes = token.whereabouts.places(&token.parts);
    homes.retain(|known| !known.key.key().is_same_as(key));
    let told = Told {
        place: wording::place(key, arrival.event.client.as_org.as_deref()),
        client: describe(&arrival.event.client).unwrap_or_default(),
        home: wording::usual_places(&homes),
    };
    let contest = Contest::begin(&arrival.visit, arrival.event, told, grounds, within_s);
    if contest.is_some() {
        token.parts.roam().set_contest(contest);
    }
    None
}

/// Whether a call may be a second party's first, and what speaks for it.
fn decide_challenge(token: &Token, arrival: &Arrival<'_, '_>) -> Option<Grounds> {
    let visit = &arrival.visit;
    if visit.place_is != Familiarity::New || arrival.experience == Experience::New {
        return None;
    }
    let is_new = visit.is_new_software();
    let is_fresh = visit.client_is == Familiarity::Fresh;
    let learned = arrival.experience == Experience::Learned;
    let is_likely = if learned {
        (is_new || is_fresh) && visit.place_db + visit.client_db >= SURPRISE_DB
    } else {
        is_new && visit.difference == Difference::Family && is_unmistakable(token, arrival)
    };
    is_likely.then_some(Grounds {
        learned,
        abroad: visit.new_country,
        met_before: is_fresh,
        impersonates: is_new && visit.difference == Difference::Handshake,
    })
}

/// Whether a newcomer to a young token is in another country, or one of the two is in a data centre and the other is not.
fn is_unmistakable(token: &Token, arrival: &Arrival<'_, '_>) -> bool {
    let visit = &arrival.visit;
    let Some(place) = visit.place else {
        return false;
    };
    let mut others = token.whereabouts.places(&token.parts);
    others.retain(|known| !known.key.key().is_same_as(place));
    let is_machine = |class| matches!(class, NetworkClass::Hosting | NetworkClass::Anonymiser);
    let other_sort = others
        .iter()
        .all(|known| is_machine(known.key.class()) != is_machine(visit.class));
    others.len() <= YOUNG_PLACES
        && token.whereabouts.client_count(&token.parts) <= YOUNG_CLIENTS + 1
        && (visit.new_country || other_sort)
}

fn hit(token: &mut Token) -> Option<Hit> {
    let bulk = token.parts.roaming_mut()?.contest_mut()?.take_bulk();
    let contest = token.parts.roaming()?.contest()?;
    let abroad = contest.grounds().abroad;
    let Told {
        place,
        client,
        home,
    } = contest.told();
    let more = match contest.networks() {
        0 | 1 => String::new(),
        2 => " and another network".to_owned(),
        networks => format!(" and {} more networks", networks - 1),
    };
    let days = u32::from(token.active_days);
    Some(Hit {
        tier: Tier::Finding,
        severity: Severity::Medium,
        evidence_db: CONCURRENT_DB + if abroad { ABROAD_DB } else { 0.0 },
        hard: true,
        size: bulk.events as f64,
        window_start: contest.began(),
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::ConcurrentUse,
            rank: 1,
            belonging: Belonging::Newcomer,
            text: format!(
                "{{name}} is used by two parties at once: {{events}} from {place}{more} with {client} since {{first}}, \
                 while calls from {home} go on in between"
            ),
            figures: Evidence {
                expected: Some(0.0),
                statistic: "alternation of two parties with no network and no client in common"
                    .to_owned(),
                baseline_days: Some(days),
                usual: Some(format!("used from {home}")),
                ..Evidence::default()
            },
        },
        bulk: Some(bulk),
    })
}
