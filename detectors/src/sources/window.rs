//! What happened within thirty seconds, by key, until all streams have got past them.
//!
//! Commutative and bounded: of more keys than there is room for, those with the smallest hashes are kept, which is the
//! same sample whatever the order of events. A crowd of a million addresses shows in its networks and routes instead.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tokenwatch_model::AccessEvent;

use super::earliest::{Earliest, Example};
use super::key::{Keys, Level, SourceKey, name_of};
use super::standing::Standing;
use super::tally::Tally;

/// Keys kept per level: 8,192 addresses of about 0.7 KB with a call each, 13 MB in the worst of windows.
pub(crate) const LIMITS: [usize; Level::ALL.len()] = [8_192, 4_096, 2_048, 1_024, 1_024];
/// Addresses whose accepted calls are counted while it is not known yet whether they matter: 65,536 of 40 bytes.
const MAX_CALLERS: usize = 65_536;

/// One window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Tries, by key.
    tries: [Cells; Level::ALL.len()],
    /// What speaks for a key that tries have too: regulars that are refused, newcomers that are let in.
    others: [Cells; Level::ALL.len()],
    /// Accepted calls by address.
    pub(crate) usual: BTreeMap<IpAddr, u32>,
}

/// Cells of one level.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cells {
    by_key: BTreeMap<SourceKey, Cell>,
    /// The largest hash that a key may have; `None` while all may come.
    largest: Option<u64>,
}

/// The calls of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) tally: Tally,
    pub(crate) earliest: Earliest,
    /// The first call's time, keys and name for the key.
    pub(crate) origin: Option<(i64, Keys, String)>,
}

impl Window {
    /// Counts a refused call that may be a try.
    pub(crate) fn note_try(&mut self, event: &AccessEvent<'_>, standing: Standing) {
        let keys = Keys::of(event);
        let example = Example::of(event);
        for key in keys.iter() {
            // Calls without any credential are everyday life on a route, and in a large network.
            if standing == Standing::Anonymous && key.level() > Level::Prefix {
                break;
            }
            let level = key.level() as usize;
            if let Some(cell) = self.tries[level].cell(key, LIMITS[level]) {
                cell.note_try(key, keys, event, standing);
                cell.earliest.note(&example);
            }
        }
    }

    /// Counts a call of a regular that was refused, or of a newcomer that was let in.
    pub(crate) fn note_other(&mut self, event: &AccessEvent<'_>, standing: Standing) {
        for key in Keys::of(event).iter() {
            let level = key.level() as usize;
            if let Some(cell) = self.others[level].cell(key, LIMITS[level]) {
                cell.tally.note(event, standing);
            }
        }
    }

    /// Counts an accepted call like any other.
    pub(crate) fn note_usual(&mut self, address: IpAddr) {
        let is_full = self.usual.len() >= MAX_CALLERS;
        if let Some(calls) = self.usual.get_mut(&address) {
            *calls = calls.saturating_add(1);
        } else if !is_full {
            self.usual.insert(address, 1);
        }
    }

    /// The tries, by key; if there was no room for all, without those of a call or two.
    pub(crate) fn take_tries(&mut self) -> impl Iterator<Item = (SourceKey, Cell)> + use<> {
        std::mem::take(&mut self.tries)
            .into_iter()
            .zip(LIMITS)
            .flat_map(|(mut cells, limit)| {
                cells.cut(limit);
                let least = if cells.largest.is_some() { 3 } else { 1 };
                let kept = move |(_, cell): &(SourceKey, Cell)| cell.tally.attempts() >= least;
                cells.by_key.into_iter().filter(kept)
            })
    }

    /// What speaks for keys, by key.
    pub(crate) fn take_others(&mut self) -> impl Iterator<Item = (SourceKey, Cell)> + use<> {
        std::mem::take(&mut self.others)
            .into_iter()
            .zip(LIMITS)
            .flat_map(|(mut cells, limit)| {
                cells.cut(limit);
                cells.by_key
            })
    }

    /// Bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        let cells = self.tries.iter().chain(&self.others);
        let cells = cells.flat_map(|cells| cells.by_key.values());
        let cells: usize = cells
            .map(|cell| {
                size_of::<(SourceKey, Cell)>()
                    + cell.tally.heap_bytes()
                    + cell.earliest.heap_bytes()
                    + cell
                        .origin
                        .as_ref()
                        .map_or(0, |(_, _, name)| name.capacity())
            })
            .sum();
        cells + self.usual.len() * size_of::<(IpAddr, u32)>()
    }
}

impl Cells {
    /// The cell of a key, unless its hash is too large.
    fn cell(&mut self, key: SourceKey, limit: usize) -> Option<&mut Cell> {
        if self.largest.is_some_and(|largest| key.hash() > largest) {
            return None;
        }
        // Twice the limit, so that cutting costs little for each key.
        if self.by_key.len() >= 2 * limit && !self.by_key.contains_key(&key) {
            self.cut(limit);
            if self.largest.is_some_and(|largest| key.hash() > largest) {
                return None;
            }
        }
        Some(self.by_key.entry(key).or_default())
    }

    /// Keeps the `limit` keys with the smallest hashes.
    fn cut(&mut self, limit: usize) {
        if self.by_key.len() <= limit {
            return;
        }
        let mut hashes: Vec<u64> = self.by_key.keys().map(SourceKey::hash).collect();
        let (_, largest, _) = hashes.select_nth_unstable(limit - 1);
        let largest = *largest;
        self.largest = Some(largest);
        self.by_key.retain(|key, _| key.hash() <= largest);
    }
}

impl Cell {
    fn note_try(
        &mut self,
        key: SourceKey,
        keys: Keys,
        event: &AccessEvent<'_>,
        standing: Standing,
    ) {
        self.tally.note(event, standing);
        let at = event.ts.as_micros();
        if self.origin.as_ref().is_none_or(|(first, ..)| at <= *first) {
            let origin = (at, keys, name_of(key, event));
            if self.origin.as_ref().is_none_or(|known| origin < *known) {
                self.origin = Some(origin);
            }
        }
    }
}
