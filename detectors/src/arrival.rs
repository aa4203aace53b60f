//! One accepted call as the detectors of place and client see it: what is new about it, to the token and to its peers.

use tokenwatch_model::{AccessEvent, Timestamp};

use crate::calendar::{DAY, HOUR};
use crate::clients::ClientKey;
use crate::commons::Popularity;
use crate::hash_text;
use crate::places::PlaceKey;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::whereabouts::Visit;

/// A feature is popular if this many tokens have it, and at least a hundredth of all.
const POPULAR_TOKENS: u32 = 20;
const POPULAR_PART: u32 = 100;
/// It is rising if the first of all took it up within this many hours: a week.
const RISING_HOURS: u32 = 7 * 24;

/// One accepted call.
pub(crate) struct Arrival<'e, 'a> {
    pub(crate) event: &'e AccessEvent<'a>,
    pub(crate) visit: Visit,
    pub(crate) experience: Experience,
    /// The peers that use the network; only known where it is new to the token.
    pub(crate) network: Reach,
    /// The same for the client.
    pub(crate) client: Reach,
}

/// How much the places and clients of a token mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Experience {
    /// Nothing yet.
    New,
    /// Used for an hour and ten calls: only what is unmistakable counts.
    Established,
    /// Learned.
    Learned,
}

/// How far a feature has spread over the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Few have it.
    Rare,
    /// Many have it.
    Popular,
    /// Many have it, all of them since a week at most: a release, a move.
    Rising,
}

impl<'e, 'a> Arrival<'e, 'a> {
    /// Notes the call in the token's whereabouts, and what it takes up among its peers; `None` if it was not accepted.
    pub(crate) fn of(
        token: &mut Token,
        event: &'e AccessEvent<'a>,
        popularity: &mut Popularity,
        settings: &DetectorSettings,
    ) -> Option<Self> {
        let visit = token.visit(event)?;
        let mut reach = |takes_up: bool, feature: Option<u64>| match feature {
            Some(feature) if takes_up => {
                popularity.takes_up(feature, event.ts);
                reach_of(popularity, feature, event.ts)
            }
            _ => Reach::Rare,
        };
        Some(Self {
            event,
            experience: Experience::of(token, event.ts, settings),
            network: reach(
                visit.takes_up_network,
                visit.place.and_then(network_feature),
            ),
            client: reach(visit.takes_up_client, visit.client.map(client_feature)),
            visit,
        })
    }
}

impl Experience {
    fn of(token: &Token, ts: Timestamp, settings: &DetectorSettings) -> Self {
        const ESTABLISHED_S: i64 = HOUR;
        const ESTABLISHED_CALLS: u32 = 10;
        let limits = &settings.geography;
        let age_s = ts.as_secs() - token.first_seen().as_secs();
        if age_s >= i64::from(limits.learn_days) * DAY && token.calls >= limits.learn_calls {
            Self::Learned
        } else if age_s >= ESTABLISHED_S && token.calls >= ESTABLISHED_CALLS {
            Self::Established
        } else {
            Self::New
        }
    }
}

fn reach_of(popularity: &Popularity, feature: u64, ts: Timestamp) -> Reach {
    let tokens = popularity.tokens_with(feature, ts);
    if tokens < POPULAR_TOKENS || tokens < popularity.tokens(ts) / POPULAR_PART {
        return Reach::Rare;
    }
    match popularity.age_hours(feature, ts) {
        Some(hours) if hours > RISING_HOURS => Reach::Popular,
        _ => Reach::Rising,
    }
}

fn network_feature(place: PlaceKey) -> Option<u64> {
    place
        .network()
        .map(|number| hash_text("network").wrapping_add(u64::from(number)))
}

fn client_feature(client: ClientKey) -> u64 {
    hash_text("client").wrapping_add(u64::from(client.family()))
}
