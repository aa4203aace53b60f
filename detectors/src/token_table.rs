//! All tokens: a hash index over chunks, so that growing never copies states and forgetting leaves no holes behind.
//!
//! The index is only ever looked up, never walked, so its order cannot reach a result. When the table is full, the
//! sixteenth that was silent for longest is forgotten at once, by (newest event, id): deterministic, and cheap on average.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use tokenwatch_model::{AccessEvent, Timestamp, TokenId};

use crate::token::Token;

/// States per chunk: 256 of 168 bytes are 42 KiB.
const CHUNK: usize = 256;
/// The share that is forgotten at once.
const EVICTED_SHARE: usize = 16;

/// Events whose tokens are found together: what 32 tokens hold fits into the second cache, and more do not overlap.
pub(crate) const AHEAD: usize = 32;

/// What was found of a token before its event's turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead {
    slot: Option<u32>,
    /// Tokens forgotten by then.
    evicted: u64,
}

/// Tokens by id.
#[derive(Debug)]
pub(crate) struct TokenTable {
    index: HashTable<u32>,
    chunks: Vec<Vec<Token>>,
    len: usize,
    free: Vec<u32>,
    hasher: FixedState,
    limit: usize,
    evicted: u64,
}

impl TokenTable {
    /// An empty table for at most `limit` tokens.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            index: HashTable::new(),
            chunks: Vec::new(),
            len: 0,
            free: Vec::new(),
            hasher: FixedState::default(),
            limit,
            evicted: 0,
        }
    }

    /// Where the token is.
    pub(crate) fn find(&self, id: TokenId) -> Option<u32> {
        let same = |slot: &u32| self.at(*slot).id() == id;
        self.index.find(self.hasher.hash_one(id), same).copied()
    }

    /// Finds the tokens of the next events together, and reads what they point at. A token in a million is in no cache: one after
    /// the other, each event would wait for memory several times; together, the reads overlap. Changes nothing.
    pub(crate) fn look_ahead(&self, events: &[AccessEvent<'_>]) -> [Ahead; AHEAD] {
        let mut ahead = [Ahead::default(); AHEAD];
        let mut hashes = [0; AHEAD];
        for (hash, event) in hashes.iter_mut().zip(events) {
            *hash = event
                .token
                .as_ref()
                .map_or(0, |token| self.hasher.hash_one(token.id));
        }
        for ((found, event), hash) in ahead.iter_mut().zip(events).zip(hashes) {
            let Some(used) = &event.token else {
                continue;
            };
            let same = |slot: &u32| self.at(*slot).id() == used.id;
            found.slot = self.index.find(hash, same).copied();
            found.evicted = self.evicted;
        }
        let known = || ahead.iter().filter_map(|found| found.slot);
        let header = known().fold(0, |sum, slot| sum ^ self.at(slot).read_header());
        let parts = known().fold(0, |sum, slot| sum ^ self.at(slot).read_parts());
        std::hint::black_box(header ^ parts);
        ahead
    }

    /// Where the token is, which [`Self::look_ahead`] may have found.
    pub(crate) fn find_ahead(&self, id: TokenId, ahead: Ahead) -> Option<u32> {
        match ahead.slot {
            // Slots change their owners only when tokens are forgotten.
            Some(slot) if ahead.evicted == self.evicted => Some(slot),
            _ => self.find(id),
        }
    }

    /// Whether a new token would not fit.
    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.limit
    }

    /// Adds a token that is not there; there must be room.
    pub(crate) fn insert(&mut self, token: Token) -> u32 {
        let hash = self.hasher.hash_one(token.id());
        let slot = if let Some(slot) = self.free.pop() {
            *self.at_mut(slot) = token;
            slot
        } else {
            if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
                self.chunks.push(Vec::with_capacity(CHUNK));
            }
            let chunk = self.chunks.last_mut().expect("one was just pushed");
            chunk.push(token);
            ((self.chunks.len() - 1) * CHUNK + self.chunks[self.chunks.len() - 1].len() - 1) as u32
        };
        let (chunks, hasher) = (&self.chunks, &self.hasher);
        let rehash = |slot: &u32| hasher.hash_one(token_at(chunks, *slot).id());
        self.index.insert_unique(hash, slot, rehash);
        self.len += 1;
        slot
    }

    /// Forgets the tokens that were silent for longest; their ids, in order.
    pub(crate) fn evict(&mut self) -> Vec<TokenId> {
        let mut ages: Vec<(Timestamp, TokenId)> = self
            .slots()
            .map(|slot| (self.at(slot).newest, self.at(slot).id()))
            .collect();
        let count = (self.limit / EVICTED_SHARE).max(1).min(ages.len());
        if count < ages.len() {
            ages.select_nth_unstable(count);
            ages.truncate(count);
        }
        ages.sort_unstable();
        let ids: Vec<TokenId> = ages.into_iter().map(|(_, id)| id).collect();
        for id in &ids {
            self.remove(*id);
        }
        self.evicted += ids.len() as u64;
        ids
    }

    fn remove(&mut self, id: TokenId) {
        let chunks = &self.chunks;
        let same = |slot: &u32| token_at(chunks, *slot).id() == id;
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(id), same) {
            let (slot, _) = entry.remove();
            *self.at_mut(slot) = Token::new(id, Timestamp::from_micros(0));
            self.free.push(slot);
            self.len -= 1;
        }
    }

    /// The token at a slot that `find` or `insert` gave.
    pub(crate) fn at(&self, slot: u32) -> &Token {
        token_at(&self.chunks, slot)
    }

    /// The same, to be changed.
    pub(crate) fn at_mut(&mut self, slot: u32) -> &mut Token {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.index.iter().copied()
    }

    /// Tokens in the table.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Tokens forgotten so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Bytes of the largest state, but for contests.
    pub(crate) fn largest_bytes(&self) -> usize {
        let bytes = self.slots().map(|slot| self.at(slot).bytes());
        bytes.max().unwrap_or(0)
    }

    /// Bytes of all states, of the index over them, and of chunks not filled yet.
    pub(crate) fn bytes(&self) -> usize {
        let bytes_of = |token: &Token| token.bytes() + token.parts.contest_bytes();
        let states: usize = self.slots().map(|slot| bytes_of(self.at(slot))).sum();
        let unused = self.chunks.len() * CHUNK - self.len;
        states + unused * size_of::<Token>() + self.index.allocation_size()
    }
}

fn token_at(chunks: &[Vec<Token>], slot: u32) -> &Token {
    &chunks[slot as usize / CHUNK][slot as usize % CHUNK]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silent_are_forgotten_first_and_ties_by_id() {
        let mut table = TokenTable::new(32);
        for number in (0..32u128).rev() {
            let at = Timestamp::from_secs(i64::try_from(number / 2).expect("small"));
            table.insert(Token::new(TokenId::from_bits(number), at));
        }
        assert!(table.is_full());
        assert_eq!(
            table.evict(),
            [TokenId::from_bits(0), TokenId::from_bits(1)]
        );
        assert!(table.find(TokenId::from_bits(0)).is_none());
        assert_eq!(table.len(), 30);
        let slot = table.insert(Token::new(TokenId::from_bits(99), Timestamp::from_secs(9)));
        assert_eq!(table.find(TokenId::from_bits(99)), Some(slot));
        assert_eq!(table.evicted(), 2);
    }
}
