//! `new_geography`: calls from a country or network that this token does not come from.
//!
//! Catches a stolen key used from elsewhere; while the owner goes on, calls from both places alternate, which is hard
//! evidence. Misses a thief in the owner's own network. Its main false positive is a journey: a new country alone is low.
//! A new network in a known country is a signal only. Bytes per token: 52 in the header, up to 112 more for roaming ones.

use tokenwatch_model::{AccessEvent, Detector, Evidence, Outcome, Severity, Timestamp};

use crate::calendar::DAY;
use crate::case::Case;
use crate::contest::Contest;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::places::{Novelty, PlaceKey};
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::wording;

/// Weight of two parties holding a token; a little more if they are in different countries.
const CONCURRENT_DB: f64 = 30.0;
const ABROAD_DB: f64 = 6.0;

/// Notes where the call came from; a novelty if the token never came from there and its places are learned.
pub(crate) fn observe(
    token: &mut Token,
    key: PlaceKey,
    event: &AccessEvent<'_>,
    settings: &DetectorSettings,
) -> Option<Novelty> {
    let age_days = event.ts.since(token.first_seen).as_secs_f64() / DAY as f64;
    let learned = age_days >= f64::from(settings.geography.learn_days)
        && token.calls >= settings.geography.learn_calls;
    let novelty = token.places.visit(key, event.ts, age_days);
    if novelty.is_none() && event.outcome == Outcome::Ok {
        token.places.last_home_s = u32::try_from(event.ts.as_secs()).unwrap_or(0);
    }
    novelty.filter(|_| learned)
}

/// The hit that a novelty amounts to, if it surprises enough.
pub(crate) fn judge(
    token: &Token,
    novelty: Novelty,
    event: &AccessEvent<'_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let limits = &settings.geography;
    if novelty.surprise_db < limits.signal_db {
        return None;
    }
    let tier = if novelty.new_country && novelty.surprise_db >= limits.finding_db {
        Tier::Finding
    } else {
        Tier::Signal
    };
    let place = wording::place(novelty.key, event.client.as_org.as_deref());
    Some(hit(token, novelty, (place, event.ts), tier, false))
}

/// Notes the call in the contest of the case, if there is one; a hit if it proves that two parties hold the token.
pub(crate) fn contest(
    case: &mut Case,
    token: &Token,
    key: PlaceKey,
    event: &AccessEvent<'_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let contest = case.contest.as_mut()?;
    let within = i64::try_from(settings.geography.alternation_window.as_micros()).ok()?;
    if !contest.observe(key, event, within) {
        return None;
    }
    // The proof may be a call from home; the finding is about the newcomer.
    let key = contest.first_place();
    let mut places = token.places.by_recency();
    places.retain(|place| !contest.is_newcomer(place.key));
    let abroad = places.iter().all(|place| place.key.is_abroad_of(key));
    let surprise_db = CONCURRENT_DB + if abroad { ABROAD_DB } else { 0.0 };
    let novelty = Novelty {
        key,
        new_country: abroad,
        surprise_db,
    };
    let place = wording::place(key, None);
    Some(hit(token, novelty, (place, event.ts), Tier::Finding, true))
}

/// Opens or widens the contest after a novelty.
pub(crate) fn challenge(case: &mut Case, token: &Token, key: PlaceKey, event: &AccessEvent<'_>) {
    match &mut case.contest {
        Some(contest) => contest.include(key),
        None => case.contest = Some(Contest::begin(key, event, token.places.last_home_s)),
    }
}

fn hit(
    token: &Token,
    novelty: Novelty,
    (place, at): (String, Timestamp),
    tier: Tier,
    concurrent: bool,
) -> Hit {
    let mut usual = token.places.by_recency();
    usual.retain(|place| place.key != novelty.key);
    Hit {
        tier,
        severity: if concurrent {
            Severity::Medium
        } else {
            Severity::Low
        },
        evidence_db: novelty.surprise_db,
        hard: concurrent,
        size: 1.0,
        window_start: at,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::NewGeography,
            rank: 2 * u8::from(concurrent) + u8::from(novelty.new_country),
            belonging: Belonging::Newcomer,
            text: text(
                token,
                novelty,
                &place,
                &wording::usual_places(&usual),
                concurrent,
            ),
            figures: Evidence {
                expected: Some(0.0),
                statistic:
                    "probability of a new place on a day, from the token's own rate of new places"
                        .to_owned(),
                p_value: Some(libm::exp10(-novelty.surprise_db / 10.0)),
                baseline_days: Some(u32::from(token.active_days)),
                usual: Some(format!("used from {}", wording::usual_places(&usual))),
                ..Evidence::default()
            },
        },
        bulk: None,
    }
}

fn text(token: &Token, novelty: Novelty, place: &str, usual: &str, concurrent: bool) -> String {
    let kind = if novelty.new_country {
        "country"
    } else {
        "network"
    };
    let both = if concurrent {
        ", and calls from there go on in between, so two parties hold it"
    } else {
        ""
    };
    format!(
        "{{name}} was used {{events}} from {place} since {{first}}, a {kind} it never came from in {} days; until then it \
         came from {usual}{both}",
        token.active_days,
    )
}
