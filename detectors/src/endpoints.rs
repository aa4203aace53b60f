//! The endpoints that a token uses, and how often it takes up new ones.
//!
//! Six of sixteen bits live in the token itself, which is all that most tokens ever call. A token with more gets a box of
//! thirty-two, of which the one unused for longest makes room. A token that calls more than that takes up "new" ones
//! every day, and so is not surprised by any: its rate of novelty says so. 24 bytes, 144 more beyond six endpoints.

use serde::{Deserialize, Serialize};

use crate::habit::DAY_DISCOUNT;

/// Endpoints that live in the token, and in the box.
const INLINE: usize = 6;
const BOXED: usize = 32;
/// Prior of the share of days with a new endpoint: half a day in fifteen.
const PRIOR_NOVEL_DAYS: f64 = 0.5;
const PRIOR_DAYS: f64 = 15.0;
/// Novel days are counted in 256ths.
const STEP: f64 = 256.0;

/// The endpoints of one token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// The first six; 0 is free.
    few: [u16; INLINE],
    /// Discounted days with a new endpoint.
    novel_days: u16,
    novel_today: bool,
    many: Option<Box<Many>>,
}

/// More endpoints than fit into a token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Many {
    known: [Known; BOXED],
    count: u8,
}

/// An endpoint and the day it was last used, in days since 1970.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Known {
    key: u16,
    last_day: u16,
}

impl Endpoints {
    /// Bytes outside the struct at most, the allocator's overhead included.
    #[cfg(test)]
    pub(crate) const MOST_HEAP_BYTES: usize = size_of::<Many>() + 8;

    /// Notes a call on `day` to the endpoint of this hash; whether it is the first to it, as far as is known.
    pub(crate) fn visit(&mut self, hash: u64, day: u16) -> bool {
        let key = key(hash);
        if let Some(many) = &mut self.many {
            return many.visit(key, day);
        }
        let Some(slot) = self
            .few
            .iter_mut()
            .find(|slot| **slot == key || **slot == 0)
        else {
            self.many = Some(Box::new(Many::begin(&self.few, key, day)));
            return true;
        };
        let is_new = *slot == 0;
        *slot = key;
        is_new
    }

    /// Remembers that a new endpoint was taken up today by a token that is not new itself.
    pub(crate) fn mark_novel(&mut self) {
        self.novel_today = true;
    }

    /// How many endpoints are known.
    pub(crate) fn count(&self) -> usize {
        match &self.many {
            Some(many) => usize::from(many.count),
            None => self.few.iter().filter(|slot| **slot != 0).count(),
        }
    }

    /// How surprising it is, in decibans, that a token with `days` days of history takes up a new endpoint today: the
    /// share of days on which it did, half a day in fifteen assumed before.
    pub(crate) fn surprise_db(&self, days: f64) -> f64 {
        let novel = f64::from(self.novel_days) / STEP;
        -10.0 * libm::log10((novel + PRIOR_NOVEL_DAYS) / (days + PRIOR_DAYS).max(novel + 1.0))
    }

    /// Ends a day.
    pub(crate) fn end_day(&mut self) {
        let today = if self.novel_today { STEP } else { 0.0 };
        self.novel_days = libm::round(f64::from(self.novel_days) * DAY_DISCOUNT + today) as u16;
        self.novel_today = false;
    }

    /// Bytes outside the struct.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.many.as_ref().map_or(0, |_| size_of::<Many>() + 8)
    }
}

impl Many {
    fn begin(few: &[u16; INLINE], key: u16, day: u16) -> Self {
        let mut many = Self::default();
        for key in few.iter().chain([&key]) {
            many.visit(*key, day);
        }
        many
    }

    fn visit(&mut self, key: u16, day: u16) -> bool {
        let count = usize::from(self.count);
        if let Some(known) = self.known[..count]
            .iter_mut()
            .find(|known| known.key == key)
        {
            known.last_day = known.last_day.max(day);
            return false;
        }
        let new = Known { key, last_day: day };
        if count < BOXED {
            self.known[count] = new;
            self.count += 1;
        } else if let Some(oldest) = self
            .known
            .iter_mut()
            .min_by_key(|known| (known.last_day, known.key))
        {
            *oldest = new;
        }
        true
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

    fn hash(number: u64) -> u64 {
        crate::hash_text(&number.to_string())
    }

    #[test]
    fn an_endpoint_is_new_once() {
        let mut endpoints = Endpoints::default();
        for number in 0..20 {
            assert!(endpoints.visit(hash(number), 100), "{number}");
        }
        for number in 0..20 {
            assert!(!endpoints.visit(hash(number), 101), "{number}");
        }
        assert_eq!(endpoints.count(), 20);
    }

    #[test]
    fn the_one_unused_for_longest_makes_room() {
        let mut endpoints = Endpoints::default();
        for number in 0..32 {
            endpoints.visit(hash(number), if number == 15 { 90 } else { 100 });
        }
        assert!(endpoints.visit(hash(99), 101));
        assert_eq!(endpoints.count(), 32);
        assert!(endpoints.visit(hash(15), 101), "it was forgotten");
        assert!(!endpoints.visit(hash(99), 101));
    }

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
    fn it_takes_24_bytes_and_144_beyond_six_endpoints() {
        assert_eq!(size_of::<Endpoints>(), 24);
        assert!(
            Endpoints::MOST_HEAP_BYTES <= 144,
            "{}",
            Endpoints::MOST_HEAP_BYTES
        );
    }
}
