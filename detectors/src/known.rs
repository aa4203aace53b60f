//! A few things that a token is known by (its places, its clients), with the days of their use: two inline, more in a box.
//!
//! When there is no room, what was used for the fewest days goes first, so that a thief behind a hundred proxies pushes out
//! his own proxies and not the owner's home.

use serde::{Deserialize, Serialize};

/// Kept in the token itself.
pub(crate) const INLINE: usize = 2;

/// One thing and the days, since 1970, of its first and last use; unused while there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known<K> {
    pub(crate) key: K,
    pub(crate) first_day: u16,
    pub(crate) last_day: u16,
}

impl<K: Copy> Known<K> {
    pub(crate) fn new(key: K, day: u16) -> Self {
        Self {
            key,
            first_day: day,
            last_day: day,
        }
    }

    pub(crate) fn is_used(&self) -> bool {
        self.last_day != 0
    }

    /// Notes a use.
    pub(crate) fn touch(&mut self, day: u16) {
        self.first_day = self.first_day.min(day);
        self.last_day = self.last_day.max(day);
    }

    /// Begins anew after it was forgotten.
    pub(crate) fn renew(&mut self, day: u16) {
        self.first_day = day;
        self.last_day = self.last_day.max(day);
    }
}

/// The slot for something new: an empty one, else that of what matters least by `today`.
pub(crate) fn slot_for<'s, K: Copy + Ord + 's>(
    slots: impl Iterator<Item = &'s mut Known<K>>,
    today: u16,
    forget_days: u16,
) -> Option<&'s mut Known<K>> {
    slots.min_by_key(|slot| {
        let forgotten = today.saturating_sub(slot.last_day) > forget_days;
        let tenure = slot.last_day.saturating_sub(slot.first_day);
        (slot.is_used(), !forgotten, tenure, slot.last_day, slot.key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(key: u8, first_day: u16, last_day: u16) -> Known<u8> {
        Known {
            key,
            first_day,
            last_day,
        }
    }

    #[test]
    fn room_is_made_by_the_forgotten_then_by_the_shortest_acquaintance() {
        let mut slots = [
            known(1, 100, 140),
            known(2, 150, 150),
            known(3, 149, 151),
            known(4, 10, 90),
        ];
        let take = |slots: &mut [Known<u8>]| {
            let slot = slot_for(slots.iter_mut(), 151, 30).expect("there are four");
            std::mem::replace(slot, known(9, 100, 151)).key
        };
        assert_eq!(take(&mut slots), 4, "not used for 61 days");
        assert_eq!(take(&mut slots), 2, "used on one day only");
        assert_eq!(take(&mut slots), 3);
        slots[0] = Known::default();
        assert_eq!(take(&mut slots), 0, "an empty slot");
    }
}
