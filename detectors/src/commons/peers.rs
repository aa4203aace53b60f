//! What tokens of one client program do on their busiest windows of a day: the measure for a token that has no habit yet.
//!
//! One histogram per group and window length, of the daily maxima of tokens with a mature habit; never one per token. A
//! day's maxima count from the day after the next on, so that it does not matter which stream is read first. A group
//! speaks once it has [`LEAST_SAMPLES`]; the fleet speaks for those that do not.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::habit::RATE_WIDTHS;

/// Window lengths.
const SCALES: usize = RATE_WIDTHS.len();
/// Groups: 64 of five histograms of at most 8 KiB, thrice, are 7.5 MiB.
const MAX_GROUPS: usize = 64;
/// Daily maxima that a group must have.
const LEAST_SAMPLES: u64 = 50;
/// What is exceeded by one day in a thousand.
const CAP_QUANTILE: f64 = 0.999;
/// Counts above this are not told apart.
const MAX_COUNT: u64 = 100_000_000;
/// From so many samples on, old ones fade.
const FADE_ABOVE: u64 = 100_000;
/// The key of the fleet.
const FLEET: u64 = 0;

/// The groups' distributions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Peers {
    groups: BTreeMap<u64, Group>,
}

/// The most that a token's peers do, by window length.
pub(crate) type Caps = [u32; SCALES];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Group {
    settled: Counts,
    /// Maxima of the last days, by the day on which they were recorded.
    recent: BTreeMap<i64, Counts>,
    /// What follows from the settled ones, from which day on; the last two.
    caps: [(i64, Option<Caps>); 2],
}

/// One histogram per window length.
#[derive(Clone, Debug)]
struct Counts([Histogram<u32>; SCALES]);

impl Peers {
    /// Notes, on day number `day`, the largest windows of a day that ended.
    pub(crate) fn record(&mut self, client: u64, day: i64, maxima: [f64; SCALES]) {
        self.record_in(FLEET, day, maxima);
        if client != FLEET && (self.groups.contains_key(&client) || self.groups.len() < MAX_GROUPS)
        {
            self.record_in(client, day, maxima);
        }
    }

    fn record_in(&mut self, key: u64, day: i64, maxima: [f64; SCALES]) {
        let group = self.groups.entry(key).or_default();
        if day < group.caps[1].0 - 1 {
            // Its day is settled.
            return;
        }
        if day > group.caps[1].0 {
            group.begin(day);
        }
        let counts = group.recent.entry(day).or_default();
        for (histogram, maximum) in counts.0.iter_mut().zip(maxima) {
            histogram.saturating_record((maximum.max(1.0) as u64).min(MAX_COUNT));
        }
    }

    /// The most that peers do, as known on day number `day`; none if too little is known of them.
    pub(crate) fn caps(&self, client: u64, day: i64) -> Option<Caps> {
        let of = |key: u64| {
            let known = self.groups.get(&key)?.caps;
            known.iter().rev().find(|(from, _)| *from <= day)?.1
        };
        of(client).or_else(|| of(FLEET))
    }
}

impl Group {
    /// Begins a day: no stream records in the days before yesterday any more, so they are settled.
    fn begin(&mut self, day: i64) {
        let recent = self.recent.split_off(&(day - 1));
        for counts in std::mem::replace(&mut self.recent, recent).into_values() {
            self.settled.add(&counts);
        }
        self.caps = [self.caps[1], (day, self.settled.caps())];
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            if mine.add(theirs).is_err() {
                // Equal limits make this impossible; a histogram that cannot take more keeps what it has.
                continue;
            }
            if mine.len() > FADE_ABOVE {
                *mine = halved(mine);
            }
        }
    }

    fn caps(&self) -> Option<Caps> {
        (self.0[0].len() >= LEAST_SAMPLES).then(|| {
            std::array::from_fn(|index| {
                let cap = self.0[index].value_at_quantile(CAP_QUANTILE);
                u32::try_from(cap).unwrap_or(u32::MAX)
            })
        })
    }
}

fn empty() -> Histogram<u32> {
    Histogram::new_with_bounds(1, MAX_COUNT, 1)
        .expect("one to a hundred million with one digit is valid")
}

fn halved(histogram: &Histogram<u32>) -> Histogram<u32> {
    let mut half = empty();
    for step in histogram.iter_recorded() {
        half.saturating_record_n(step.value_iterated_to(), step.count_at_value() / 2);
    }
    half
}

impl Default for Counts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| empty()))
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let steps = |histogram: &Histogram<u32>| -> Vec<(u64, u32)> {
            histogram
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_at_value()))
                .collect()
        };
        self.0.each_ref().map(steps).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let all: [Vec<(u64, u32)>; SCALES] = Deserialize::deserialize(from)?;
        let mut counts = Self::default();
        for (histogram, steps) in counts.0.iter_mut().zip(all) {
            for (value, count) in steps {
                histogram.saturating_record_n(value, count);
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_days(days: i64) -> Peers {
        let mut peers = Peers::default();
        for day in 0..days {
            for token in 0..60 {
                let calls = f64::from(100 + token);
                peers.record(
                    7,
                    day,
                    [calls / 10.0, calls / 5.0, calls, 2.0 * calls, 9.0 * calls],
                );
            }
        }
        peers
    }

    #[test]
    fn peers_speak_two_days_later_and_for_those_of_other_clients_too() {
        assert_eq!(after_days(2).caps(7, 2), None);
        let peers = after_days(3);
        assert_eq!(
            peers.caps(7, 1),
            None,
            "what a day knows does not change in it"
        );
        let caps = peers.caps(7, 2).expect("sixty samples");
        assert!((140..=170).contains(&caps[2]), "{caps:?}");
        assert_eq!(peers.caps(12_345, 2), Some(caps), "the fleet's");
    }

    #[test]
    fn state_is_the_same_after_it_was_stored() {
        let peers = after_days(5);
        let bytes = postcard::to_allocvec(&peers).expect("serialises");
        let restored: Peers = postcard::from_bytes(&bytes).expect("deserialises");
        assert_eq!(postcard::to_allocvec(&restored).expect("serialises"), bytes);
        assert_eq!(restored.caps(7, 5), peers.caps(7, 5));
    }
}
