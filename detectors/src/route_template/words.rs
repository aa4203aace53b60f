//! Positions of paths that take very many words, and so name objects: `/users/alice`.
//!
//! One table for the fleet. It is commutative: what an hour's calls add are bits, kept apart until the hour is sealed and
//! read only from the second hour after it, so that no reader depends on who was faster. A position is two cells of a
//! table of bitmaps, of which the emptier counts, so nothing has to be admitted or thrown out. Only words of calls that
//! succeeded are counted: guesses teach nothing.
//!
//! Misses an API that really has two hundred resources in one place: they become one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Cells of a row; two rows. 16 + 4 bytes each: 160 KiB in all.
const CELLS: usize = 4_096;
/// Of 128 bits, as many as about two hundred words set: 128 * (1 - exp(-200 / 128)) = 101.
const ID_BITS: u32 = 101;
/// Bits of hours that are not sealed yet: three hours of a table that is all new.
const MAX_PENDING: usize = 3 * 2 * CELLS;

/// What the fleet's paths have at each position.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RouteWords {
    seen: Vec<u128>,
    /// The hour from which a cell is full enough; 0 if it is not.
    id_from: Vec<u32>,
    pending: BTreeMap<(i64, u32), u128>,
    /// Whether any position is an id: most fleets ask for nothing else.
    learned: bool,
    /// Hours before this number are sealed; what comes later for them counts for nothing.
    sealed: i64,
    /// Words that found no room in `pending`.
    pub(crate) dropped: u64,
}

impl Default for RouteWords {
    fn default() -> Self {
        Self {
            seen: vec![0; 2 * CELLS],
            id_from: vec![0; 2 * CELLS],
            pending: BTreeMap::new(),
            learned: false,
            sealed: i64::MIN,
            dropped: 0,
        }
    }
}

impl RouteWords {
    /// Whether the position behind `prefix` names objects, as far as hour number `hour` may know.
    pub(crate) fn is_id(&self, prefix: u64, hour: i64) -> bool {
        self.learned
            && cells(prefix).into_iter().all(|cell| {
                let from = self.id_from[cell as usize];
                from != 0 && i64::from(from) <= hour
            })
    }

    /// Notes a word behind `prefix` in hour number `hour`.
    pub(crate) fn note(&mut self, prefix: u64, word: u64, hour: i64) {
        if hour < self.sealed {
            return;
        }
        let bit = 1u128 << (word >> 57);
        for cell in cells(prefix) {
            if self.seen[cell as usize] & bit != 0 {
                continue;
            }
            if self.pending.len() >= MAX_PENDING && !self.pending.contains_key(&(hour, cell)) {
                self.dropped += 1;
                continue;
            }
            *self.pending.entry((hour, cell)).or_default() |= bit;
        }
    }

    /// Ends all hours before `hour`.
    pub(crate) fn seal(&mut self, hour: i64) {
        self.sealed = self.sealed.max(hour);
        while let Some(entry) = self.pending.first_entry() {
            let (ended, cell) = *entry.key();
            if ended >= hour {
                return;
            }
            let cell = cell as usize;
            self.seen[cell] |= entry.remove();
            if self.id_from[cell] == 0 && self.seen[cell].count_ones() >= ID_BITS {
                self.id_from[cell] = u32::try_from(ended + 2).unwrap_or(u32::MAX);
                self.learned = true;
            }
        }
    }

    #[cfg(test)]
    /// Bytes of the tables.
    pub(crate) fn bytes(&self) -> usize {
        2 * CELLS * (size_of::<u128>() + size_of::<u32>())
            + self.pending.len() * (size_of::<(i64, u32)>() + size_of::<u128>())
    }
}

/// The cells of a position, one in each row.
fn cells(prefix: u64) -> [u32; 2] {
    let row = CELLS as u64;
    let first = prefix % row;
    let second = (prefix >> 32) % row + row;
    [first as u32, second as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        crate::hash_text(&number.to_string())
    }

    #[test]
    fn the_order_of_words_does_not_matter() {
        let mut notes: Vec<(u64, u64, i64)> = (0..5_000u64)
            .map(|number| (hash(number % 7), hash(number), 10 + (number % 3) as i64))
            .collect();
        let learn = |notes: &[(u64, u64, i64)]| {
            let mut words = RouteWords::default();
            for (prefix, word, hour) in notes {
                words.note(*prefix, *word, *hour);
            }
            words.seal(20);
            words
        };
        let straight = learn(&notes);
        fastrand::Rng::with_seed(3).shuffle(&mut notes);
        let mixed = learn(&notes);
        assert_eq!(straight.seen, mixed.seen);
        assert_eq!(straight.id_from, mixed.id_from);
        assert!(straight.is_id(hash(0), 14) && !straight.is_id(hash(0), 11));
    }

    #[test]
    fn sixty_resources_in_one_place_stay_words() {
        let mut words = RouteWords::default();
        for number in 0..60 {
            words.note(hash(1), hash(number), 5);
        }
        words.seal(6);
        assert!(!words.is_id(hash(1), 100));
    }

    #[test]
    fn what_is_not_sealed_stays_within_its_bound() {
        let mut words = RouteWords::default();
        for number in 0..100_000u64 {
            words.note(hash(number), hash(number), (number % 50) as i64);
        }
        assert!(words.pending.len() <= MAX_PENDING && words.dropped > 0);
        assert!(words.bytes() < 2_000_000);
    }
}
