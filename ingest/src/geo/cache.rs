//! Remembers where recent addresses are: a look-up walks two trees of 130 MB, and clients come back.
//!
//! Direct-mapped, so it needs no order and no clock, and sharded, so that threads seldom meet; a thread that finds a
//! shard taken looks up for itself.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Mutex;

use foldhash::fast::RandomState;

/// Enough that two threads of sixteen seldom want the same one.
const SHARDS: usize = 32;
/// 32 shards of 512 addresses at about 100 bytes are 1.6 MB.
const SHARD_ENTRIES: usize = 512;

/// A bounded map from addresses to copies of `V`.
#[derive(Debug)]
pub(super) struct Cache<V> {
    shards: Box<[Shard<V>]>,
    hasher: RandomState,
}

type Shard<V> = Mutex<Box<[Option<(IpAddr, V)>]>>;

impl<V: Copy> Cache<V> {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS)
                .map(|_| Mutex::new(vec![None; SHARD_ENTRIES].into_boxed_slice()))
                .collect(),
            hasher: RandomState::default(),
        }
    }

    /// The value of `ip`, computed if it is not at hand.
    pub(super) fn get_or_insert(&self, ip: IpAddr, compute: impl FnOnce() -> V) -> V {
        let hash = self.hasher.hash_one(ip) as usize;
        let Ok(mut shard) = self.shards[hash % SHARDS].try_lock() else {
            return compute();
        };
        let entry = &mut shard[hash / SHARDS % SHARD_ENTRIES];
        match entry {
            Some((known, value)) if *known == ip => *value,
            entry => {
                let value = compute();
                *entry = Some((ip, value));
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_known_address_is_not_looked_up_again() {
        let cache = Cache::new();
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(cache.get_or_insert(ip, || 1), 1);
        assert_eq!(cache.get_or_insert(ip, || 2), 1);
    }

    #[test]
    fn more_addresses_than_it_holds_are_still_told_apart() {
        let cache = Cache::new();
        for round in 0..2 {
            for bits in 0..50_000_u32 {
                let value = cache.get_or_insert(IpAddr::V4(bits.into()), || bits);
                assert_eq!(value, bits, "round {round}");
            }
        }
    }
}
