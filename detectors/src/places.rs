//! The countries and networks that a token is used from, and how often it goes to new ones.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Client, CountryCode, Timestamp};

use crate::calendar::day_of;
use crate::habit::DAY_DISCOUNT;
use crate::token::Short;

/// Places kept; the one unused for longest makes room.
const MAX_PLACES: usize = 8;
/// Prior of the rate of novelty: half a new place in thirty days.
const PRIOR_NOVELTIES: f64 = 0.5;
const PRIOR_DAYS: f64 = 30.0;
/// Days that the discounted memory can hold: 1 / (1 - 0.97).
const MEMORY_DAYS: f64 = 33.0;

/// Country and network of a call; at least one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PlaceKey {
    /// ISO letters as a number; 0 if unknown.
    country: u16,
    /// Autonomous system; 0 if unknown.
    asn: u32,
}

impl PlaceKey {
    /// Where a call came from; `None` without a geo database.
    pub(crate) fn of(client: &Client<'_>) -> Option<Self> {
        let country = client.country.map_or(0, |code| {
            let letters = code.as_str().as_bytes();
            u16::from_be_bytes([letters[0], letters[1]])
        });
        let asn = client.asn.unwrap_or(0);
        (country != 0 || asn != 0).then_some(Self { country, asn })
    }

    /// The country, where known.
    pub(crate) fn country(self) -> Option<CountryCode> {
        let letters = self.country.to_be_bytes();
        std::str::from_utf8(&letters)
            .ok()
            .and_then(CountryCode::parse)
    }

    /// The network, where known.
    pub(crate) fn asn(self) -> Option<u32> {
        (self.asn != 0).then_some(self.asn)
    }

    /// Whether the two are surely in different countries.
    pub(crate) fn is_abroad_of(self, other: Self) -> bool {
        self.country != 0 && other.country != 0 && self.country != other.country
    }

    /// Whether the two are surely different networks, or different countries.
    pub(crate) fn is_apart_from(self, other: Self) -> bool {
        self.is_abroad_of(other) || (self.asn != 0 && other.asn != 0 && self.asn != other.asn)
    }
}

/// A place and the days it was used, in days since 1970.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) key: PlaceKey,
    pub(crate) first_day: u16,
    pub(crate) last_day: u16,
}

/// The places of one token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Places {
    known: Short<Place>,
    /// Discounted counts of new networks and new countries.
    networks: f32,
    countries: f32,
    /// Second since 1970 of the last successful call from a place that was known by then.
    pub(crate) last_home_s: u32,
}

/// A place that was not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Novelty {
    pub(crate) key: PlaceKey,
    /// The country is new too, not only the network.
    pub(crate) new_country: bool,
    /// Decibans of surprise under the token's own rate of novelty.
    pub(crate) surprise_db: f64,
}

impl Places {
    #[cfg(test)]
    /// Eight places of 12 bytes and the allocator's overhead.
    pub(crate) const MOST_HEAP_BYTES: usize = MAX_PLACES * size_of::<Place>() + 8;

    /// Notes a call from `key`; says so if it is new. `age_days` is how long the token is known.
    pub(crate) fn visit(&mut self, key: PlaceKey, ts: Timestamp, age_days: f64) -> Option<Novelty> {
        let day = u16::try_from(day_of(ts).max(0)).unwrap_or(u16::MAX);
        if let Some(place) = self.known.iter_mut().find(|place| place.key == key) {
            place.last_day = place.last_day.max(day);
            place.first_day = place.first_day.min(day);
            return None;
        }
        // A call that only names the country is no news if a network of that country is known, and vice versa.
        if self.known.iter().any(|place| covers(place.key, key)) {
            return None;
        }
        let new_country =
            key.country != 0 && self.known.iter().all(|place| place.key.is_abroad_of(key));
        let novelty = (!self.known.is_empty()).then(|| Novelty {
            key,
            new_country,
            surprise_db: self.surprise(new_country, age_days),
        });
        if novelty.is_some() {
            self.networks += 1.0;
            self.countries += if new_country { 1.0 } else { 0.0 };
        }
        self.insert(Place {
            key,
            first_day: day,
            last_day: day,
        });
        novelty
    }

    /// Probability of a new place on any one day, in decibans, as research note 3.2 weighs them: at most 25 for a
    /// network, 30 for a country.
    fn surprise(&self, new_country: bool, age_days: f64) -> f64 {
        let (seen, bonus, cap) = if new_country {
            (self.countries, 10.0, 30.0)
        } else {
            (self.networks, 5.0, 25.0)
        };
        let rate = (f64::from(seen) + PRIOR_NOVELTIES) / (PRIOR_DAYS + age_days.min(MEMORY_DAYS));
        let probability = 1.0 - libm::exp(-rate);
        (bonus - 10.0 * libm::log10(probability)).min(cap)
    }

    fn insert(&mut self, place: Place) {
        if self.known.len() >= MAX_PLACES {
            let oldest = (0..self.known.len())
                .min_by_key(|index| (self.known[*index].last_day, self.known[*index].key))
                .expect("there are eight");
            self.known.remove(oldest);
        }
        self.known.push(place);
    }

    /// Ends a day: novelties fade.
    pub(crate) fn end_day(&mut self) {
        self.networks *= DAY_DISCOUNT as f32;
        self.countries *= DAY_DISCOUNT as f32;
    }

    /// The places, those used last first.
    pub(crate) fn by_recency(&self) -> Vec<Place> {
        let mut places = self.known.to_vec();
        places.sort_by_key(|place| {
            (
                std::cmp::Reverse(place.last_day),
                place.first_day,
                place.key,
            )
        });
        places
    }

    /// Bytes outside the struct.
    pub(crate) fn heap_bytes(&self) -> usize {
        if self.known.spilled() {
            self.known.capacity() * size_of::<Place>() + 8
        } else {
            0
        }
    }
}

/// Whether `known` says at least as much as `key`, and the same.
fn covers(known: PlaceKey, key: PlaceKey) -> bool {
    (key.asn == 0 && known.country == key.country) || (key.country == 0 && known.asn == key.asn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(country: &str, asn: u32) -> PlaceKey {
        let client = Client {
            country: CountryCode::parse(country),
            asn: (asn != 0).then_some(asn),
            ..Client::default()
        };
        PlaceKey::of(&client).expect("known")
    }

    fn day(number: i64) -> Timestamp {
        Timestamp::from_secs(number * 86_400)
    }

    #[test]
    fn a_new_country_surprises_a_settled_token_more_than_a_roaming_one() {
        let mut settled = Places::default();
        assert_eq!(
            settled.visit(key("DE", 3320), day(100), 0.0),
            None,
            "the first place is no news"
        );
        let news = settled
            .visit(key("BR", 28573), day(130), 30.0)
            .expect("new");
        assert!(news.new_country && news.surprise_db > 28.0, "{news:?}");

        let mut roaming = Places::default();
        for number in 0..6 {
            roaming.visit(
                key(["DE", "FR", "US", "IT", "ES", "PL"][number], 10),
                day(124),
                24.0,
            );
        }
        let news = roaming
            .visit(key("BR", 28573), day(130), 30.0)
            .expect("new");
        assert!(news.surprise_db < 21.0, "{news:?}");
    }

    #[test]
    fn knowing_less_is_no_news() {
        let mut places = Places::default();
        places.visit(key("DE", 3320), day(1), 0.0);
        assert_eq!(places.visit(key("DE", 0), day(2), 1.0), None);
        assert_eq!(PlaceKey::of(&Client::default()), None);
    }

    #[test]
    fn places_stay_bounded() {
        let mut places = Places::default();
        for asn in 1..100 {
            places.visit(key("DE", asn), day(i64::from(asn)), 30.0);
        }
        assert_eq!(places.by_recency().len(), MAX_PLACES);
        assert!(places.heap_bytes() <= Places::MOST_HEAP_BYTES);
        assert_eq!(places.by_recency()[0].key, key("DE", 99));
    }
}
