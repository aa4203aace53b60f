//! The keys that are remembered, by level; bounded, and the ones without a try for longest make room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::attacks::QUIET_WINDOWS;
use super::entry::Entry;
use super::key::{Level, SourceKey};
use super::tally::Tally;
use super::window::Window;
use super::{LAG_WINDOWS, SPAN_WINDOWS};

/// Keys remembered per level: 16,384 in all, 4 MB of passers-by, 80 MB if all of them tried many credentials just now.
const LIMITS: [usize; Level::ALL.len()] = [8_192, 4_096, 2_048, 1_024, 1_024];
/// Addresses of newcomers kept of each of the last twenty windows: 7 MB in the worst of times.
const MAX_NEWCOMERS: usize = 1_024;
/// Bits of the filter over remembered addresses: 8 KB, one in eight set when full.
const FILTER_BITS: usize = 65_536;

/// What is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    levels: [BTreeMap<SourceKey, Entry>; Level::ALL.len()],
    /// Newcomers let in from addresses that tried nothing yet, by window, then by address.
    newcomers: VecDeque<(i64, Vec<(SourceKey, Tally)>)>,
    evicted: u64,
    /// Which addresses may be remembered; follows from the rest.
    #[serde(skip)]
    filter: Vec<u64>,
}

impl Table {
    /// The entry of a key.
    pub(crate) fn get(&self, key: SourceKey) -> Option<&Entry> {
        self.levels[key.level() as usize].get(&key)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, key: SourceKey) -> Option<&mut Entry> {
        self.levels[key.level() as usize].get_mut(&key)
    }

    /// Every entry, the narrowest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SourceKey, &Entry)> {
        self.levels.iter().flatten()
    }

    /// Whether an address is remembered; costs next to nothing for most that are not.
    pub(crate) fn remembers(&self, address: IpAddr) -> bool {
        if self.filter.is_empty() {
            return false;
        }
        let (word, bit) = place(address);
        self.filter[word] & bit != 0 && self.get(SourceKey::Address(address)).is_some()
    }

    /// Takes in what a sealed window says; the keys that tries came with, and those under attack whose addresses were let
    /// in.
    pub(crate) fn fold(&mut self, number: i64, mut window: Window) -> BTreeSet<SourceKey> {
        let mut touched = BTreeSet::new();
        for (key, cell) in window.take_tries() {
            let newcomers = &self.newcomers;
            let entries = &mut self.levels[key.level() as usize];
            let entry = entries.entry(key).or_insert_with(|| {
                let mut entry = Entry::new(number, key, &cell);
                add_newcomers(&mut entry, key, newcomers);
                entry
            });
            entry.add_tries(number, &cell);
            touched.insert(key);
        }
        let mut newcomers = Vec::new();
        for (key, cell) in window.take_others() {
            let Some(entry) = self.get_mut(key) else {
                if cell.tally.admitted > 0 && key.level() == Level::Address {
                    newcomers.push((key, cell.tally));
                }
                continue;
            };
            entry.add(number, &cell.tally);
            if cell.tally.admitted > 0 && key.level() == Level::Address {
                let keys = entry.keys;
                touched.extend(keys.iter().filter(|key| self.is_attacked(*key, number)));
            }
        }
        self.keep_newcomers(number, newcomers);
        for (address, calls) in window.usual {
            // Whether an address was remembered when the call came must not depend on how far other streams had got.
            let entry = self.get_mut(SourceKey::Address(address));
            if let Some(entry) = entry.filter(|entry| entry.since <= number - LAG_WINDOWS) {
                entry.add_usual(number, calls);
            }
        }
        touched
    }

    /// Keeps those with the smallest hashes, which does not depend on the order of events.
    fn keep_newcomers(&mut self, number: i64, mut newcomers: Vec<(SourceKey, Tally)>) {
        if newcomers.len() > MAX_NEWCOMERS {
            newcomers.select_nth_unstable_by_key(MAX_NEWCOMERS, |(key, _)| (key.hash(), *key));
            newcomers.truncate(MAX_NEWCOMERS);
            newcomers.sort_unstable_by_key(|(key, _)| *key);
        }
        self.newcomers
            .retain(|(window, _)| *window > number - SPAN_WINDOWS);
        if !newcomers.is_empty() {
            self.newcomers.push_back((number, newcomers));
        }
    }

    fn is_attacked(&self, key: SourceKey, number: i64) -> bool {
        self.get(key)
            .is_some_and(|entry| entry.attack_at(number, QUIET_WINDOWS).is_some())
    }

    /// Forgets keys beyond the limits, and rebuilds the filter.
    pub(crate) fn bound(&mut self) {
        for (entries, limit) in self.levels.iter_mut().zip(LIMITS) {
            let excess = entries.len().saturating_sub(limit);
            if excess == 0 {
                continue;
            }
            let mut ages: Vec<(i64, SourceKey)> = entries
                .iter()
                .map(|(key, entry)| (entry.last, *key))
                .collect();
            ages.select_nth_unstable(excess - 1);
            for (_, key) in &ages[..excess] {
                entries.remove(key);
            }
            self.evicted += excess as u64;
        }
        self.build_filter();
    }

    /// Makes the filter anew: after a restore, and when keys have come or gone.
    pub(crate) fn build_filter(&mut self) {
        let addresses = &self.levels[Level::Address as usize];
        self.filter.clear();
        if addresses.is_empty() {
            return;
        }
        self.filter.resize(FILTER_BITS / 64, 0);
        for key in addresses.keys() {
            if let SourceKey::Address(address) = key {
                let (word, bit) = place(*address);
                self.filter[word] |= bit;
            }
        }
    }

    /// Keys remembered.
    pub(crate) fn len(&self) -> usize {
        self.levels.iter().map(BTreeMap::len).sum()
    }

    /// Keys forgotten for want of room.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        let entries = self.levels.iter().flat_map(BTreeMap::values);
        let newcomers = self.newcomers.iter().flat_map(|(_, list)| list);
        let newcomers =
            newcomers.map(|(_, tally)| size_of::<(SourceKey, Tally)>() + tally.heap_bytes());
        entries.map(Entry::bytes).sum::<usize>()
            + newcomers.sum::<usize>()
            + self.filter.capacity() * size_of::<u64>()
    }
}

/// What an address was let in with before its first try.
fn add_newcomers(
    entry: &mut Entry,
    key: SourceKey,
    newcomers: &VecDeque<(i64, Vec<(SourceKey, Tally)>)>,
) {
    for (window, list) in newcomers {
        if let Ok(place) = list.binary_search_by_key(&key, |(known, _)| *known) {
            entry.add(*window, &list[place].1);
        }
    }
}

fn place(address: IpAddr) -> (usize, u64) {
    let bit = crate::hash_ip(address) as usize % FILTER_BITS;
    (bit / 64, 1 << (bit % 64))
}
