//! The endpoints that a token uses, and how often it takes up new ones.
//!
//! Four of sixteen bits live in the token itself, which is all that most tokens ever call. A token with more gets a list of
//! up to thirty-two, of which the one unused for longest makes room. A token that calls more than that takes up "new" ones
//! every day, and so is not surprised by any: its rate of novelty says so. 10 bytes, 32 to 128 more beyond four endpoints.

use serde::{Deserialize, Serialize};

use crate::habit::DAY_DISCOUNT;

/// Endpoints that live in the token, and in the list.
const INLINE: usize = 4;
const LISTED: usize = 32;
/// Prior of the share of days with a new endpoint: half a day in fifteen.
const PRIOR_NOVEL_DAYS: f64 = 0.5;
const PRIOR_DAYS: f64 = 15.0;
/// Novel days are counted in 256ths.
const STEP: f64 = 256.0;
/// More than 33 days never add up, so one bit is free.
const TODAY: u16 = 1 << 15;

/// The first endpoints of one token, and its rate of novelty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// 0 is free.
    few: [u16; INLINE],
    /// Discounted days with a new endpoint; the highest bit says that today is one.
    novel_days: u16,
}

/// More endpoints than fit into a token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Many(Vec<Known>);

/// An endpoint and the day it was last used, in days since 1970.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Known {
    key: u16,
    last_day: u16,
}

impl Endpoints {
    /// Notes a call to the endpoint of this hash; whether it is the first to it, or `None` if there is no room for it.
    pub(crate) fn visit(&mut self, hash: u64) -> Option<bool> {
        let key = key(hash);
        let slot = self
            .few
            .iter_mut()
            .find(|slot| **slot == key || **slot == 0)?;
        let is_new = *slot == 0;
        *slot = key;
        Some(is_new)
    }

    /// Whether the endpoint of this hash is one of the first.
    pub(crate) fn knows(&self, hash: u64) -> bool {
        self.few.contains(&key(hash))
    }

    /// Remembers that a new endpoint was taken up today by a token that is not new itself.
    pub(crate) fn mark_novel(&mut self) {
        self.novel_days |= TODAY;
    }

    /// How many endpoints are known.
    pub(crate) fn count(&self) -> usize {
        self.few.iter().filter(|slot| **slot != 0).count()
    }

    /// How surprising it is, in decibans, that a token with `days` days of history takes up a new endpoint today: the
    /// share of days on which it did, half a day in fifteen assumed before.
    pub(crate) fn surprise_db(&self, days: f64) -> f64 {
        let novel = f64::from(self.novel_days & !TODAY) / STEP;
        -10.0 * libm::log10((novel + PRIOR_NOVEL_DAYS) / (days + PRIOR_DAYS).max(novel + 1.0))
    }

    /// Ends a day.
    pub(crate) fn end_day(&mut self) {
        let today = if self.novel_days & TODAY == 0 {
            0.0
        } else {
            STEP
        };
        let before = f64::from(self.novel_days & !TODAY);
        self.novel_days = libm::round(before * DAY_DISCOUNT + today) as u16;
    }
}

impl Many {
    /// Takes over the endpoints of `few`, used on `day` at the latest.
    pub(crate) fn begin(&mut self, few: &Endpoints, day: u16) {
        let known = few.few.iter().map(|key| Known {
            key: *key,
            last_day: day,
        });
        self.0 = known.collect();
    }

    /// Reads the beginning of the list, which brings it into the cache.
    pub(crate) fn read(&self) -> u64 {
        self.0.first().map_or(0, |known| u64::from(known.key))
    }

    /// Whether the list is not in use.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many endpoints are known.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether the endpoint of this hash is in the list.
    pub(crate) fn knows(&self, hash: u64) -> bool {
        let key = key(hash);
        self.0.iter().any(|known| known.key == key)
    }

    /// Notes a call on `day` to the endpoint of this hash; whether it is the first to it.
    pub(crate) fn visit(&mut self, hash: u64, day: u16) -> bool {
        let key = key(hash);
        if let Some(known) = self.0.iter_mut().find(|known| known.key == key) {
            known.last_day = known.last_day.max(day);
            return false;
        }
        let new = Known { key, last_day: day };
        if self.0.len() < LISTED {
            let room = self.0.len().next_power_of_two();
            if room == self.0.len() {
                self.0.reserve_exact(room);
            }
            self.0.push(new);
        } else if let Some(oldest) = self
            .0
            .iter_mut()
            .min_by_key(|known| (known.last_day, known.key))
        {
            *oldest = new;
        }
        true
    }

    /// Bytes of the list, which grows by doubling.
    pub(crate) fn heap_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        self.0.len().next_power_of_two() * size_of::<Known>() + 8
    }
}

/// Sixteen bits of a hash: of thirty-two known endpoints, one new one in two thousand is taken for known. Never 0.
const fn key(hash: u64) -> u16 {
    let key = (hash >> 48) as u16;
    if key == 0 { 1 } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_explores_every_day_is_not_surprised() {
        let after = |explores: bool| {
            let mut endpoints = Endpoints::default();
            for _ in 0..20 {
                if explores {
                    endpoints.mark_novel();
                }
                endpoints.end_day();
            }
            endpoints.surprise_db(15.0)
        };
        assert!(after(true) < 4.0, "{}", after(true));
        assert!(after(false) > 17.0, "{}", after(false));
    }

    #[test]
    fn they_take_10_bytes() {
        assert_eq!(size_of::<Endpoints>(), 10);
    }
}
