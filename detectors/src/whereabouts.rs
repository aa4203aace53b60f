//! Where a token is used from and with which clients: the memory behind the detectors of place and client.
//!
//! Two places, two clients and the last position are in the token itself (52 bytes); more of them, the spread of addresses
//! and a contest for the token live in a box among its [`Parts`] that most tokens never need. Only calls with an accepted credential count: who
//! tries a token in vain has not used it.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Outcome, Timestamp};

use crate::calendar::{DAY, HOUR, day_of};
use crate::clients::{ClientKey, Difference};
use crate::contest::Contest;
use crate::known::{INLINE, Known, slot_for};
use crate::log_count::Wide;
use crate::novelty::{NoveltyRate, NoveltyWeight};
use crate::organisation::NetworkClass;
use crate::parts::Parts;
use crate::places::{PackedPlace, PlaceKey};
use crate::prefixes::{Counts, Spread, range_of};
use crate::travel::Fix;

const MORE_PLACES: usize = 5;
const MORE_CLIENTS: usize = 3;
/// A network is forgotten after thirty days of the token's activity without it, a country after ninety.
const NETWORK_DAYS: u16 = 30;
const COUNTRY_DAYS: u16 = 90;
/// Novelties of one day beyond this many say nothing new about the token's rate; a thief's proxies would raise it.
const COUNTED_PER_DAY: usize = 3;
/// Ranges within an hour, of 16 bits, from which they are counted properly.
const SPREAD_FROM: u32 = 4;

const NETWORK: NoveltyWeight = NoveltyWeight {
    bonus_db: 5.0,
    cap_db: 25.0,
};
const COUNTRY: NoveltyWeight = NoveltyWeight {
    bonus_db: 10.0,
    cap_db: 30.0,
};
const CLIENT: NoveltyWeight = NoveltyWeight {
    bonus_db: 5.0,
    cap_db: 24.0,
};

/// The whereabouts of one token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Whereabouts {
    /// Second since 1970 of the last successful call; 0 if there was none.
    last_s: Wide,
    places: [Known<PackedPlace>; INLINE],
    clients: [Known<ClientKey>; INLINE],
    networks: NoveltyRate,
    countries: NoveltyRate,
    families: NoveltyRate,
    /// Ranges of the hour of the last successful call, by 16 bits of their hash.
    ranges: u16,
    fix: Fix,
}

/// What a token that moves about has beside.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Roaming {
    places: [Known<PackedPlace>; MORE_PLACES],
    clients: [Known<ClientKey>; MORE_CLIENTS],
    spread: Spread,
    contest: Option<Box<Contest>>,
}

impl Roaming {
    /// Most ranges in an hour of the last four weeks; below what is counted properly, this is a bound.
    pub(crate) fn most_ranges(roaming: Option<&Self>) -> u32 {
        let counted = roaming.map_or(0, |more| more.spread.most());
        counted.max(SPREAD_FROM - 1)
    }

    /// The ranges, networks and clients of the hour of `ts`.
    pub(crate) fn spread_at(&self, ts: Timestamp) -> Counts {
        self.spread.counts_at(ts.as_secs())
    }

    /// The contest for the token, if there is one.
    pub(crate) fn contest(&self) -> Option<&Contest> {
        self.contest.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn contest_mut(&mut self) -> Option<&mut Contest> {
        self.contest.as_deref_mut()
    }

    /// Begins or ends a contest.
    pub(crate) fn set_contest(&mut self, contest: Option<Contest>) {
        self.contest = contest.map(Box::new);
    }

    /// Bytes outside the struct, with the allocator's overhead.
    pub(crate) fn contest_bytes(&self) -> usize {
        let contest = self.contest.as_ref();
        contest.map_or(0, |contest| contest.bytes() + 8)
    }

    /// Reads a little of it, which brings it into the cache.
    pub(crate) fn read(&self) -> u64 {
        u64::from(self.places[0].last_day) ^ u64::from(self.spread.most())
    }
}

/// How well a token knows a place or a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Familiarity {
    /// The call does not say.
    Unsaid,
    /// It is the first that the token has.
    First,
    /// Known.
    Known,
    /// Known since today or yesterday.
    Fresh,
    /// New.
    New,
}

/// One accepted call, as the token's whereabouts see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    pub(crate) place: Option<PlaceKey>,
    pub(crate) class: NetworkClass,
    pub(crate) place_is: Familiarity,
    /// No place in this country is known.
    pub(crate) new_country: bool,
    /// The token was in no network of this sort so far.
    pub(crate) new_class: bool,
    /// Surprise of the place under the token's own rate; 0 unless new.
    pub(crate) place_db: f64,
    /// It is one more token that takes up this network, and not one that takes up any.
    pub(crate) takes_up_network: bool,
    pub(crate) client: Option<ClientKey>,
    pub(crate) client_is: Familiarity,
    /// To the known client that is most alike.
    pub(crate) difference: Difference,
    /// Surprise of the client under the token's own rate, without itself; 0 unless new or fresh.
    pub(crate) client_db: f64,
    /// The same for the client's family.
    pub(crate) takes_up_client: bool,
    pub(crate) succeeded: bool,
    pub(crate) at: Timestamp,
    /// Last successful call before this one, and where; second 0 if none.
    pub(crate) previous_s: u32,
    pub(crate) previous_fix: Fix,
    pub(crate) fix: Fix,
    /// Ranges of this hour, if the call's is new in it and there are several.
    pub(crate) spread: Option<Counts>,
}

impl Visit {
    /// Whether the client is other software than the token ever used, not only another version.
    pub(crate) fn is_new_software(&self) -> bool {
        self.client_is == Familiarity::New && self.difference >= Difference::Handshake
    }
}

impl Whereabouts {
    /// Notes a call; `None` if its credential was not accepted. `first_seen` is the token's first call ever.
    pub(crate) fn visit(
        &mut self,
        parts: &mut Parts,
        event: &AccessEvent<'_>,
        first_seen: Timestamp,
    ) -> Option<Visit> {
        // A refusal that is not 401 was for what was asked, not for who asked.
        if event.http.status == Some(401) || event.outcome == Outcome::Aborted {
            return None;
        }
        let age_days = event.ts.since(first_seen).as_secs_f64() / DAY as f64;
        let mut visit = Visit {
            place: PlaceKey::of(&event.client),
            class: NetworkClass::Ordinary,
            place_is: Familiarity::Unsaid,
            new_country: false,
            new_class: false,
            place_db: 0.0,
            takes_up_network: false,
            client: ClientKey::of(&event.client),
            client_is: Familiarity::Unsaid,
            difference: Difference::None,
            client_db: 0.0,
            takes_up_client: false,
            succeeded: event.outcome == Outcome::Ok,
            at: event.ts,
            previous_s: self.last_s.get(),
            previous_fix: self.fix,
            fix: Fix::default(),
            spread: None,
        };
        self.visit_place(&mut visit, parts, event, age_days);
        self.visit_client(&mut visit, parts, age_days);
        if visit.succeeded {
            self.succeed(&mut visit, parts, event);
        }
        Some(visit)
    }

    fn visit_place(
        &mut self,
        visit: &mut Visit,
        parts: &mut Parts,
        event: &AccessEvent<'_>,
        age_days: f64,
    ) {
        let Some(key) = visit.place else {
            return;
        };
        let today = day_number(visit.at);
        if let Some(known) = self.find_place(parts, key) {
            visit.class = known.key.class();
            let last_day = known.last_day;
            if today.saturating_sub(last_day) <= NETWORK_DAYS
                || self.newest_day(parts).saturating_sub(last_day) <= NETWORK_DAYS
            {
                visit.place_is = self
                    .find_place(parts, key)
                    .map_or(Familiarity::New, |known| {
                        known.touch(today);
                        familiarity(known.first_day, today)
                    });
                return;
            }
            self.meet_place(visit, parts, key, age_days);
            if let Some(known) = self.find_place(parts, key) {
                known.renew(today);
            }
            return;
        }
        visit.class = NetworkClass::of(&event.client);
        if self.newest_day(parts) == 0 {
            visit.place_is = Familiarity::First;
            visit.takes_up_network = true;
        } else {
            self.meet_place(visit, parts, key, age_days);
        }
        let place = Known::new(PackedPlace::new(key, visit.class), today);
        let more = parts.roaming_mut().map(|more| &mut more.places[..]);
        if insert(&mut self.places, more, place).is_none() {
            parts.roam().places[0] = place;
        }
    }

    /// Weighs a new place, or one that was forgotten, and counts it.
    fn meet_place(&mut self, visit: &mut Visit, parts: &Parts, key: PlaceKey, age_days: f64) {
        let today = day_number(visit.at);
        let newest = self.newest_day(parts);
        let is_of_land = |known: &Known<PackedPlace>| {
            newest.saturating_sub(known.last_day) <= COUNTRY_DAYS
                && !known.key.key().is_abroad_of(key)
        };
        visit.place_is = Familiarity::New;
        visit.new_country = !self.all_places(parts).any(is_of_land);
        let others = || {
            self.all_places(parts)
                .filter(|known| known.key.key() != key)
        };
        visit.new_class = others().all(|known| known.key.class() != visit.class);
        let begun = others().filter(|known| known.first_day == today).count();
        let (rate, weight) = if visit.new_country {
            (self.countries, COUNTRY)
        } else {
            (self.networks, NETWORK)
        };
        visit.place_db = rate.surprise_db(weight, age_days);
        visit.takes_up_network = begun < COUNTED_PER_DAY;
        if visit.takes_up_network && age_days >= 1.0 {
            self.networks.add();
            if visit.new_country {
                self.countries.add();
            }
        }
    }

    fn visit_client(&mut self, visit: &mut Visit, parts: &mut Parts, age_days: f64) {
        let Some(key) = visit.client else {
            return;
        };
        let today = day_number(visit.at);
        let nearest = self
            .clients_mut(parts)
            .filter(|known| known.is_used())
            .min_by_key(|known| (key.difference(known.key), known.key));
        let Some(nearest) = nearest else {
            visit.client_is = Familiarity::First;
            visit.takes_up_client = true;
            self.clients[0] = Known::new(key, today);
            return;
        };
        visit.difference = key.difference(nearest.key);
        if visit.difference == Difference::None {
            nearest.touch(today);
            visit.client_is = familiarity(nearest.first_day, today);
            if visit.client_is == Familiarity::Fresh {
                visit.client_db = self.families.less_one().surprise_db(CLIENT, age_days);
            }
            return;
        }
        visit.client_is = Familiarity::New;
        visit.client_db = self.families.surprise_db(CLIENT, age_days);
        let met_today = |known: &&Known<ClientKey>| known.first_day == today;
        let begun = self.all_clients(parts).filter(met_today).count();
        visit.takes_up_client = visit.difference == Difference::Family && begun < COUNTED_PER_DAY;
        if visit.takes_up_client && age_days >= 1.0 {
            self.families.add();
        }
        let client = Known::new(key, today);
        let more = parts.roaming_mut().map(|more| &mut more.clients[..]);
        if insert(&mut self.clients, more, client).is_none() {
            parts.roam().clients[0] = client;
        }
    }

    /// A successful call moves the last position on, and counts among the ranges of its hour.
    fn succeed(&mut self, visit: &mut Visit, parts: &mut Parts, event: &AccessEvent<'_>) {
        if visit.class.has_location() {
            visit.fix = Fix::of(&event.client).unwrap_or_default();
        }
        let secs = visit.at.as_secs();
        let last_s = self.last_s.get();
        let is_newer = secs >= i64::from(last_s);
        if let Some(range) = range_of(&event.client, visit.class) {
            let hour = |secs: i64| secs.div_euclid(HOUR);
            if hour(secs) > hour(i64::from(last_s)) {
                self.ranges = 0;
            }
            if is_newer {
                self.ranges |= 1 << (range & 15);
            }
            if self.ranges.count_ones() >= SPREAD_FROM || parts.roaming().is_some() {
                let network = event.client.asn.unwrap_or(0).wrapping_mul(0x9e37_79b9) >> 9;
                let client = visit.client.map_or(0, ClientKey::family);
                visit.spread = parts.roam().spread.note(secs, range, network, client);
            }
        }
        if is_newer {
            self.last_s.set(u32::try_from(secs).unwrap_or(0));
            self.fix = visit.fix;
        }
    }

    /// Ends a day: novelties fade.
    pub(crate) fn end_day(&mut self) {
        for rate in [&mut self.networks, &mut self.countries, &mut self.families] {
            rate.fade();
        }
    }

    /// The places, those used last first.
    pub(crate) fn places(&self, parts: &Parts) -> Vec<Known<PackedPlace>> {
        let mut places: Vec<_> = self.all_places(parts).copied().collect();
        places.sort_by_key(|known| {
            (
                std::cmp::Reverse(known.last_day),
                known.first_day,
                known.key,
            )
        });
        places
    }

    /// How many clients are known.
    pub(crate) fn client_count(&self, parts: &Parts) -> usize {
        self.all_clients(parts).count()
    }

    fn all_places<'p>(&'p self, parts: &'p Parts) -> impl Iterator<Item = &'p Known<PackedPlace>> {
        let more = parts.roaming().into_iter().flat_map(|more| &more.places);
        self.places
            .iter()
            .chain(more)
            .filter(|known| known.is_used())
    }

    fn all_clients<'p>(&'p self, parts: &'p Parts) -> impl Iterator<Item = &'p Known<ClientKey>> {
        let more = parts.roaming().into_iter().flat_map(|more| &more.clients);
        self.clients
            .iter()
            .chain(more)
            .filter(|known| known.is_used())
    }

    fn clients_mut<'p>(
        &'p mut self,
        parts: &'p mut Parts,
    ) -> impl Iterator<Item = &'p mut Known<ClientKey>> {
        let more = parts
            .roaming_mut()
            .into_iter()
            .flat_map(|more| &mut more.clients);
        self.clients.iter_mut().chain(more)
    }

    /// The last day on which any place was used; 0 if none ever was.
    fn newest_day(&self, parts: &Parts) -> u16 {
        let days = self.all_places(parts).map(|known| known.last_day);
        days.max().unwrap_or(0)
    }

    fn find_place<'p>(
        &'p mut self,
        parts: &'p mut Parts,
        key: PlaceKey,
    ) -> Option<&'p mut Known<PackedPlace>> {
        let more = parts
            .roaming_mut()
            .into_iter()
            .flat_map(|more| &mut more.places);
        let packed = PackedPlace::new(key, NetworkClass::Ordinary);
        let slots = self.places.iter_mut().chain(more);
        slots
            .filter(|known| known.is_used())
            .find(|known| known.key.is_at(packed) || known.key.key().is_same_as(key))
    }
}

/// Puts `item` where there is room; `None` if the inline slots are full and there is no box yet.
fn insert<K: Copy + Ord>(
    inline: &mut [Known<K>; INLINE],
    more: Option<&mut [Known<K>]>,
    item: Known<K>,
) -> Option<()> {
    let is_full = inline.iter().all(Known::is_used);
    if is_full && more.is_none() {
        return None;
    }
    let slots = inline.iter_mut().chain(more.into_iter().flatten());
    *slot_for(slots, item.last_day, NETWORK_DAYS)? = item;
    Some(())
}

fn familiarity(first_day: u16, today: u16) -> Familiarity {
    if first_day + 1 >= today {
        Familiarity::Fresh
    } else {
        Familiarity::Known
    }
}

fn day_number(ts: Timestamp) -> u16 {
    u16::try_from(day_of(ts).max(1)).unwrap_or(u16::MAX - 1)
}

#[cfg(test)]
mod tests;
