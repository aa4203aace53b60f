//! How many tokens have taken up a feature: a network, a client, an endpoint. News for a token is less of a surprise if
//! its peers have it too, and none at all if everybody has it since yesterday.
//!
//! Counts are kept by hour, and read as of the end of the hour before, so they do not depend on the order in which
//! streams are read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use crate::calendar::hour_of;

/// Features kept: 16,384 of 56 bytes are 0.9 MiB.
const MAX_FEATURES: usize = 16_384;
/// Hours that are kept apart, for streams that are behind.
const HOURS: usize = 3;
/// What one token took up is forgotten after so many hours, if there is no room.
const LONELY_HOURS: u32 = 48;
/// A count halves in about as many hours: a month.
const FADE_HOURS: u32 = 720;
/// An hour is read so long after its end at the earliest: streams may be a little apart.
const READ_LAG: Duration = Duration::from_mins(1);
/// The feature that every token has.
pub(crate) const ANY: u64 = 0;

/// Features and their tokens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Popularity {
    features: BTreeMap<u64, Feature>,
    /// Features that found no room.
    pub(crate) overflowed: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Feature {
    first_hour: u32,
    /// Until when the sum has faded.
    faded_hour: u32,
    before: u32,
    recent: [(u32, u32); HOURS],
}

impl Popularity {
    /// Notes that one token takes up `feature` at `ts`.
    pub(crate) fn takes_up(&mut self, feature: u64, ts: Timestamp) {
        let Ok(hour) = u32::try_from(hour_of(ts)) else {
            return;
        };
        if !self.features.contains_key(&feature) && self.features.len() >= MAX_FEATURES {
            self.features.retain(|key, feature| {
                *key == ANY || feature.total() > 1 || feature.first_hour + LONELY_HOURS > hour
            });
            if self.features.len() >= MAX_FEATURES {
                self.overflowed += 1;
                return;
            }
        }
        let feature = self.features.entry(feature).or_insert(Feature {
            first_hour: hour,
            faded_hour: hour,
            before: 0,
            recent: [(0, 0); HOURS],
        });
        feature.first_hour = feature.first_hour.min(hour);
        feature.add(hour);
    }

    /// How many tokens had it by the end of the hour before `ts`.
    pub(crate) fn tokens_with(&self, feature: u64, ts: Timestamp) -> u32 {
        let hour = u32::try_from(hour_of(ts - READ_LAG)).unwrap_or(0);
        self.features
            .get(&feature)
            .map_or(0, |feature| feature.until(hour))
    }

    /// How many tokens there were by then.
    pub(crate) fn tokens(&self, ts: Timestamp) -> u32 {
        self.tokens_with(ANY, ts)
    }

    /// Hours since the first token of all took it up; `None` if that is not known to be before the hour of `ts`.
    pub(crate) fn age_hours(&self, feature: u64, ts: Timestamp) -> Option<u32> {
        let hour = u32::try_from(hour_of(ts - READ_LAG)).ok()?;
        let first = self.features.get(&feature)?.first_hour;
        (first < hour).then(|| hour - first)
    }
}

impl Feature {
    fn add(&mut self, hour: u32) {
        if let Some(slot) = self.recent.iter_mut().find(|(known, _)| *known == hour) {
            slot.1 += 1;
            return;
        }
        let oldest = self
            .recent
            .iter_mut()
            .min_by_key(|(known, _)| *known)
            .expect("there are three");
        if oldest.0 > hour {
            self.before += 1;
            return;
        }
        let (_, count) = std::mem::replace(oldest, (hour, 1));
        self.before += count;
        let faded = (hour.saturating_sub(self.faded_hour)) / (FADE_HOURS / 32);
        if faded > 0 {
            // A forty-sixth in a thirty-second of a month leaves half of it after the month.
            for _ in 0..faded.min(256) {
                self.before -= self.before / 46;
            }
            self.faded_hour += faded * (FADE_HOURS / 32);
        }
    }

    fn until(&self, hour: u32) -> u32 {
        let recent = self.recent.iter().filter(|(known, _)| *known < hour);
        self.before + recent.map(|(_, count)| count).sum::<u32>()
    }

    fn total(&self) -> u32 {
        self.before + self.recent.iter().map(|(_, count)| count).sum::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(number: i64) -> Timestamp {
        Timestamp::from_secs(500_000 * 3_600 + number * 3_600 + 60)
    }

    #[test]
    fn a_feature_is_known_from_the_hour_after_on() {
        let mut popularity = Popularity::default();
        for number in 0..10 {
            popularity.takes_up(7, hour(number / 5));
        }
        assert_eq!(popularity.tokens_with(7, hour(0)), 0);
        assert_eq!(popularity.age_hours(7, hour(0)), None);
        assert_eq!(popularity.tokens_with(7, hour(1)), 5);
        assert_eq!(popularity.tokens_with(7, hour(2)), 10);
        assert_eq!(popularity.age_hours(7, hour(2)), Some(2));
    }

    #[test]
    fn the_order_in_which_tokens_take_it_up_does_not_matter() {
        let hours = [3, 1, 2, 2, 3, 1, 0, 3];
        let count = |order: &mut dyn Iterator<Item = i64>| {
            let mut popularity = Popularity::default();
            order.for_each(|at| popularity.takes_up(9, hour(at)));
            (1..5)
                .map(|at| popularity.tokens_with(9, hour(at)))
                .collect::<Vec<_>>()
        };
        let sorted = {
            let mut sorted = hours;
            sorted.sort_unstable();
            count(&mut sorted.into_iter())
        };
        // Reads two hours and more behind the newest are not promised.
        assert_eq!(count(&mut hours.into_iter())[2..], sorted[2..]);
    }

    #[test]
    fn features_stay_bounded() {
        let mut popularity = Popularity::default();
        for feature in 1..=40_000 {
            popularity.takes_up(feature, hour(0));
        }
        assert!(popularity.features.len() <= MAX_FEATURES);
        assert!(popularity.overflowed > 0);
        popularity.takes_up(50_000, hour(100));
        assert!(popularity.features.len() < 10);
    }
}
