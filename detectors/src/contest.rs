//! Whether two parties hold a token: calls from a new place and from the old ones that alternate.
//!
//! A migration or a journey stops the old place; theft does not. Alternation is hard evidence at the second change of
//! sides if the two sides are different clients, at the fourth otherwise: switching a VPN on and off looks the same once.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Outcome, Timestamp};

use crate::places::PlaceKey;
use crate::token::{Short, micros};

/// Places of the newcomer that are kept: a thief behind a rotating proxy has many, of which the first few do.
const MAX_PLACES: usize = 4;
const CHANGES_OF_TWO_CLIENTS: u8 = 2;
const CHANGES_OF_ONE_CLIENT: u8 = 4;

/// A contest for one token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contest {
    places: Short<PlaceKey>,
    /// Hash of the newcomer's user agent; 0 if it has none.
    client: u64,
    other_client: bool,
    last: Option<(Side, i64)>,
    changes: u8,
    proven: bool,
    #[serde(with = "micros")]
    pub(crate) newest: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Side {
    Home,
    Newcomer,
}

impl Contest {
    /// A contest that begins with `event` from the new place `key`; the token was last used from home at
    /// `last_home_s`.
    pub(crate) fn begin(key: PlaceKey, event: &AccessEvent<'_>, last_home_s: u32) -> Self {
        let mut contest = Self {
            places: Short::new(),
            client: client_hash(event),
            other_client: false,
            last: (last_home_s > 0).then_some((Side::Home, i64::from(last_home_s) * 1_000_000)),
            changes: 0,
            proven: false,
            newest: event.ts,
        };
        contest.include(key);
        contest
    }

    /// Counts a further new place to the newcomer's.
    pub(crate) fn include(&mut self, key: PlaceKey) {
        if self.places.len() < MAX_PLACES && !self.is_newcomer(key) {
            self.places.push(key);
        }
    }

    /// Whether the newcomer calls from `key`.
    pub(crate) fn is_newcomer(&self, key: PlaceKey) -> bool {
        self.places.contains(&key)
    }

    /// Where the newcomer came from first.
    pub(crate) fn first_place(&self) -> PlaceKey {
        self.places[0]
    }

    /// Notes a call; whether it proves that two parties hold the token.
    pub(crate) fn observe(
        &mut self,
        key: PlaceKey,
        event: &AccessEvent<'_>,
        within_us: i64,
    ) -> bool {
        let side = if self.is_newcomer(key) {
            self.newest = self.newest.max(event.ts);
            Side::Newcomer
        } else {
            Side::Home
        };
        if self.proven || event.outcome != Outcome::Ok {
            return false;
        }
        if side == Side::Home {
            if !self.places.iter().all(|place| place.is_apart_from(key)) {
                return false;
            }
            let client = client_hash(event);
            self.other_client |= client != 0 && self.client != 0 && client != self.client;
        }
        let now = event.ts.as_micros();
        if let Some((last, at)) = self.last
            && last != side
            && (now - at).abs() <= within_us
        {
            self.changes = self.changes.saturating_add(1);
        }
        self.last = Some((side, now));
        let needed = if self.other_client {
            CHANGES_OF_TWO_CLIENTS
        } else {
            CHANGES_OF_ONE_CLIENT
        };
        self.proven = self.changes >= needed;
        self.proven
    }
}

fn client_hash(event: &AccessEvent<'_>) -> u64 {
    event
        .client
        .user_agent
        .as_deref()
        .map_or(0, crate::hash_text)
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::{Client, CountryCode, Format, Http};

    use super::*;

    fn call(country: &str, asn: u32, agent: &'static str, secs: i64) -> AccessEvent<'static> {
        AccessEvent {
            ts: Timestamp::from_secs(1_000_000 + secs),
            format: Format::ALL[0],
            request_id: None,
            token: None,
            client: Client {
                country: CountryCode::parse(country),
                asn: Some(asn),
                user_agent: Some(agent.into()),
                ..Client::default()
            },
            http: Http::default(),
            tls: None,
            outcome: Outcome::Ok,
            flags: tokenwatch_model::EventFlags::default(),
            origin: tokenwatch_model::Origin::default(),
        }
    }

    /// After how many of the calls, alternately from the new place and home, the contest is proven.
    fn proven_after(thief_agent: &'static str, gap_s: i64) -> Option<i64> {
        let thief = |secs| call("BR", 28_573, thief_agent, secs);
        let home = |secs| call("DE", 3_320, "acme-sdk/2", secs);
        let key = |event: &AccessEvent<'_>| PlaceKey::of(&event.client).expect("known");
        let first = thief(0);
        let mut contest = Contest::begin(key(&first), &first, (1_000_000 - gap_s) as u32);
        for number in 0..20 {
            let event = if number % 2 == 0 {
                thief(number * gap_s)
            } else {
                home(number * gap_s)
            };
            if contest.observe(key(&event), &event, 600_000_000) {
                return Some(number + 1);
            }
        }
        None
    }

    #[test]
    fn the_owner_going_on_between_two_clients_is_proof() {
        assert_eq!(proven_after("curl/8", 30), Some(2));
    }

    #[test]
    fn one_client_in_two_places_needs_sustained_alternation() {
        assert_eq!(proven_after("acme-sdk/2", 30), Some(4));
    }

    #[test]
    fn calls_far_apart_prove_nothing() {
        assert_eq!(proven_after("curl/8", 601), None);
    }
}
