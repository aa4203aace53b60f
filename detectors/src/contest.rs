//! Whether two parties hold a token: a newcomer, in another network and with another client, while the owner goes on.
//!
//! A migration or a journey stops the old party; theft does not. Calls of both parties that alternate within minutes, all
//! answered with success, are the proof. A party is a set of networks and clients, and the two must be disjoint: the owner's
//! own client from the newcomer's network (a VPN switched on, a second region) ends the contest, and the newcomer's client
//! from the owner's network casts doubt on it, unless that client roams over one network after the other as proxies do.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Outcome, Timestamp};

use crate::calendar::DAY;
use crate::clients::{ClientKey, Difference};
use crate::hit::Bulk;
use crate::places::PlaceKey;
use crate::token::micros;
use crate::whereabouts::{Familiarity, Visit};

/// Networks and clients of the newcomer that are kept; of a rotating proxy's networks the first few do.
const MAX_PLACES: usize = 4;
const MAX_CLIENTS: usize = 3;
/// From so many networks of one client on, it is a proxy that rotates rather than a person who moves.
const ROTATING: u8 = 3;
/// Changes of sides that prove it.
const CHANGES: u8 = 2;
/// The same for tokens without a past, and wherever there is doubt.
const CHANGES_IN_DOUBT: u8 = 4;
/// A newcomer that was silent for a day, or came a week ago, is no newcomer any more.
const SILENT_S: i64 = DAY;
const LONGEST_S: i64 = 7 * DAY;
/// Calls of which examples are kept.
const SAMPLED_CALLS: u64 = 20;

/// A contest for one token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contest {
    /// The newcomer's first call, which names the finding.
    #[serde(with = "micros")]
    began: Timestamp,
    #[serde(with = "micros")]
    newest: Timestamp,
    places: Vec<PlaceKey>,
    clients: Vec<ClientKey>,
    /// The parties in words.
    told: Told,
    /// The newcomer's calls so far, until it is proven; not all if there are many.
    bulk: Box<Bulk>,
    grounds: Grounds,
    last: Option<(Side, i64)>,
    changes: u8,
    /// Networks of the newcomer, also those that are not kept.
    networks: u8,
    doubtful: bool,
    proven: bool,
}

/// What a contest began with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grounds {
    /// The token's places and clients are learned.
    pub(crate) learned: bool,
    /// The newcomer is in another country than the token ever was.
    pub(crate) abroad: bool,
    /// The client was seen shortly before, perhaps in one of the owner's networks.
    pub(crate) met_before: bool,
    /// The newcomer claims to be the owner's client and shakes hands otherwise.
    pub(crate) impersonates: bool,
}

/// The parties in words.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The newcomer's first place and client.
    pub(crate) place: String,
    pub(crate) client: String,
    /// Where the token came from before.
    pub(crate) home: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Side {
    Home,
    Newcomer,
}

/// What one more call means for the contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Open,
    /// Two parties hold the token.
    Proven,
    /// There is one party only.
    Dismissed,
}

impl Contest {
    /// A contest that begins with the call `visit` of a newcomer, `told` in words.
    pub(crate) fn begin(
        visit: &Visit,
        event: &AccessEvent<'_>,
        told: Told,
        grounds: Grounds,
        within_s: i64,
    ) -> Option<Self> {
        let mut contest = Self {
            began: visit.at,
            newest: visit.at,
            places: vec![visit.place?],
            clients: vec![visit.client?],
            told,
            bulk: Box::default(),
            grounds,
            last: (visit.previous_s > 0).then_some((Side::Home, i64::from(visit.previous_s))),
            changes: 0,
            networks: 1,
            doubtful: grounds.met_before || grounds.impersonates,
            proven: false,
        };
        contest.note(event);
        if visit.succeeded {
            contest.count(Side::Newcomer, visit.at.as_secs(), within_s);
        }
        Some(contest)
    }

    /// Whether the contest is over for want of a newcomer by `now`. One that was proven lasts as long as he calls.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        let since = |time: Timestamp| now.as_secs() - time.as_secs();
        since(self.newest) > SILENT_S || (!self.proven && since(self.began) > LONGEST_S)
    }

    /// Notes a call after the one it began with; `within_s` is how near calls of both sides must be.
    pub(crate) fn observe(
        &mut self,
        visit: &Visit,
        event: &AccessEvent<'_>,
        within_s: i64,
    ) -> Verdict {
        let side = match self.side_of(visit) {
            Ok(side) => side,
            Err(verdict) => return verdict,
        };
        if side == Side::Newcomer {
            self.newest = self.newest.max(visit.at);
        }
        if self.proven {
            return Verdict::Open;
        }
        if side == Side::Newcomer {
            self.note(event);
        }
        if !visit.succeeded {
            return Verdict::Open;
        }
        self.count(side, visit.at.as_secs(), within_s)
    }

    /// Adds a call of the newcomer to what its finding will tell.
    fn note(&mut self, event: &AccessEvent<'_>) {
        let bulk = &mut *self.bulk;
        let secs = event.ts.as_secs();
        if bulk.events == 0 {
            (bulk.first_event_s, bulk.last_event_s) = (secs, secs);
        }
        bulk.first_event_s = bulk.first_event_s.min(secs);
        bulk.last_event_s = bulk.last_event_s.max(secs);
        bulk.events += 1;
        bulk.refused += u64::from(event.outcome == Outcome::Denied);
        bulk.succeeded += u64::from(event.outcome == Outcome::Ok);
        if bulk.events <= SAMPLED_CALLS {
            bulk.samples.add(event);
        }
    }

    fn count(&mut self, side: Side, secs: i64, within_s: i64) -> Verdict {
        if let Some((last, at)) = self.last
            && last != side
            && (secs - at).abs() <= within_s
        {
            self.changes = self.changes.saturating_add(1);
        }
        self.last = Some((side, secs));
        let sure = self.grounds.learned && !self.doubtful;
        let needed = if sure { CHANGES } else { CHANGES_IN_DOUBT };
        let rotates = self.networks >= ROTATING;
        self.proven =
            self.changes >= needed && (!self.doubtful || rotates || self.grounds.impersonates);
        if self.proven {
            Verdict::Proven
        } else {
            Verdict::Open
        }
    }

    /// Which side a call is of, if it tells; otherwise what follows from it.
    fn side_of(&mut self, visit: &Visit) -> Result<Side, Verdict> {
        let Some(place) = visit.place else {
            return Err(Verdict::Open);
        };
        let is_place = self.has_place(place);
        let Some(client) = visit.client else {
            return Ok(if is_place { Side::Newcomer } else { Side::Home });
        };
        match (self.has_client(client), is_place) {
            (true, true) => Ok(Side::Newcomer),
            (true, false) => {
                let moves_on = visit.place_is == Familiarity::New
                    || (self.grounds.learned && visit.place_is == Familiarity::Fresh);
                if moves_on {
                    self.include(place, None);
                    return Ok(Side::Newcomer);
                }
                self.doubtful = true;
                Err(Verdict::Open)
            }
            (false, true) if visit.is_new_software() => {
                self.include(place, Some(client));
                Ok(Side::Newcomer)
            }
            (false, true) if self.proven || self.networks >= ROTATING => Err(Verdict::Open),
            (false, true) => Err(Verdict::Dismissed),
            // A third party that is as new as the second is no owner either.
            (false, false) if self.is_stranger(visit) => {
                self.include(place, Some(client));
                Ok(Side::Newcomer)
            }
            (false, false) => Ok(Side::Home),
        }
    }

    /// Whether neither place nor client were the owner's before this contest, as far as that is known.
    fn is_stranger(&self, visit: &Visit) -> bool {
        let is_fresh = |is: Familiarity| self.grounds.learned && is == Familiarity::Fresh;
        (visit.place_is == Familiarity::New || is_fresh(visit.place_is))
            && (visit.is_new_software() || is_fresh(visit.client_is))
    }

    fn include(&mut self, place: PlaceKey, client: Option<ClientKey>) {
        if !self.has_place(place) {
            self.networks = self.networks.saturating_add(1);
            if self.places.len() < MAX_PLACES {
                self.places.push(place);
            }
        }
        if let Some(client) = client
            && self.clients.len() < MAX_CLIENTS
            && !self.has_client(client)
        {
            self.clients.push(client);
        }
    }

    fn has_place(&self, place: PlaceKey) -> bool {
        self.places.iter().any(|known| known.is_same_as(place))
    }

    fn has_client(&self, client: ClientKey) -> bool {
        self.clients
            .iter()
            .any(|known| client.difference(*known) < Difference::Handshake)
    }

    /// Whether a call is the newcomer's.
    pub(crate) fn is_newcomer(&self, place: Option<PlaceKey>, client: Option<ClientKey>) -> bool {
        let is_place = place.is_some_and(|place| self.has_place(place));
        match client {
            Some(client) => self.has_client(client) && (is_place || self.networks >= ROTATING),
            None => is_place,
        }
    }

    /// The newcomer's first call.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// The parties in words.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// The newcomer's calls so far.
    pub(crate) fn take_bulk(&mut self) -> Box<Bulk> {
        std::mem::take(&mut self.bulk)
    }

    /// What it began with.
    pub(crate) fn grounds(&self) -> Grounds {
        self.grounds
    }

    /// Networks that the newcomer came from.
    pub(crate) fn networks(&self) -> u8 {
        self.networks
    }

    /// Its bytes, with what it points at, but for the examples of its calls.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.places.capacity() * size_of::<PlaceKey>()
            + self.clients.capacity() * size_of::<ClientKey>()
            + self.told.place.capacity()
            + self.told.client.capacity()
            + self.told.home.capacity()
            + size_of::<Bulk>()
            + 6 * 8
    }
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::{AccessEvent, Client, CountryCode, Format, Http, Outcome, TokenId};

    use super::*;
    use crate::token::Token;

    const NOW: i64 = 1_793_577_600;
    const HOME: (&str, u32, &str) = ("DE", 3_320, "acme-sdk/2");
    const THIEF: (&str, u32, &str) = ("BR", 28_573, "curl/8");

    struct Stage {
        token: Token,
        contest: Option<Contest>,
        grounds: Grounds,
    }

    impl Stage {
        /// A token that was used from home until a second before.
        fn new(learned: bool) -> Self {
            let grounds = Grounds {
                learned,
                abroad: true,
                met_before: false,
                impersonates: false,
            };
            let mut stage = Self {
                token: Token::new(TokenId::from_bits(1), Timestamp::from_secs(NOW - 9 * DAY)),
                contest: None,
                grounds,
            };
            for day in (1..10).rev() {
                stage.call(HOME, -day * DAY);
            }
            stage.call(HOME, -1);
            stage
        }

        /// A call; the first that is new in place and client begins the contest.
        fn call(&mut self, (country, asn, agent): (&str, u32, &'static str), secs: i64) -> Verdict {
            let event = AccessEvent {
                ts: Timestamp::from_secs(NOW + secs),
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
            };
            let visit = self.token.visit(&event).expect("accepted");
            if let Some(contest) = &mut self.contest {
                return contest.observe(&visit, &event, 600);
            }
            if visit.place_is == Familiarity::New && visit.client_is == Familiarity::New {
                self.contest = Contest::begin(&visit, &event, Told::default(), self.grounds, 600);
            }
            Verdict::Open
        }

        /// Whether alternating calls prove it within ten of the thief's, and at which.
        fn alternate(
            &mut self,
            gap_s: i64,
            thief: impl Fn(i64) -> (&'static str, u32, &'static str),
        ) -> Option<i64> {
            (0..10).find(|number| {
                let at = 2 * gap_s * number;
                self.call(thief(*number), at) == Verdict::Proven
                    || self.call(HOME, at + gap_s) == Verdict::Proven
            })
        }
    }

    #[test]
    fn the_owner_going_on_is_proof_at_once() {
        assert_eq!(Stage::new(true).alternate(30, |_| THIEF), Some(0));
    }

    #[test]
    fn a_young_token_needs_sustained_alternation() {
        assert_eq!(Stage::new(false).alternate(30, |_| THIEF), Some(1));
    }

    #[test]
    fn calls_far_apart_prove_nothing() {
        assert_eq!(Stage::new(true).alternate(601, |_| THIEF), None);
    }

    #[test]
    fn the_owners_client_in_the_newcomers_network_dismisses_it() {
        let mut stage = Stage::new(true);
        stage.call(THIEF, 0);
        assert_eq!(
            stage.call(("BR", 28_573, "acme-sdk/2"), 700),
            Verdict::Dismissed
        );
    }

    #[test]
    fn a_proxy_that_rotates_is_one_newcomer_even_if_it_passes_the_owners_network() {
        const AGENT: &str = "python-requests/2";
        let mut stage = Stage::new(true);
        stage.grounds.met_before = true;
        let found = stage.alternate(20, |number| match number {
            2 => ("DE", 3_320, AGENT),
            _ => ("DE", 64_000 + number as u32, AGENT),
        });
        assert!(found.is_some_and(|calls| calls <= 4), "{found:?}");
        assert!(stage.contest.expect("one").networks() >= ROTATING);
    }

    #[test]
    fn a_new_phone_that_comes_home_is_no_second_party() {
        let phone = |number: i64| {
            if number == 0 {
                ("FR", 3_215, "okhttp/4")
            } else {
                ("DE", 3_320, "okhttp/4")
            }
        };
        let mut stage = Stage::new(true);
        stage.call(phone(0), 0);
        for number in 1..10 {
            assert_eq!(stage.call(phone(1), 700 * number), Verdict::Open);
            assert_eq!(stage.call(HOME, 700 * number + 5), Verdict::Open);
        }
    }

    #[test]
    fn a_newcomer_that_is_silent_for_a_day_is_none() {
        let mut stage = Stage::new(true);
        stage.call(THIEF, 0);
        let contest = stage.contest.expect("one");
        assert!(!contest.is_over(Timestamp::from_secs(NOW + DAY)));
        assert!(contest.is_over(Timestamp::from_secs(NOW + DAY + 1)));
    }
}
