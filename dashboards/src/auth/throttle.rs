//! A bounded leaky bucket per key: how often a name or an address may try.
//!
//! The generic cell rate algorithm: per key one time, at which its bucket will be empty again. Who fills the bucket
//! past its size has to wait for as long as it takes to leak.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokenwatch_model::Timestamp;

/// Keys remembered; at about 150 bytes each, 1.5 MB. Beyond, the key unused for longest starts afresh: flooding names
/// costs attempts of an address, flooding addresses takes ten thousand networks.
const KEYS_LIMIT: NonZeroUsize = NonZeroUsize::new(10_000).expect("it is not zero");

/// How much one key may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Attempts at once.
    pub(crate) burst: u32,
    /// One more after each of these.
    pub(crate) refill: Duration,
}

/// Attempts by key.
#[derive(Debug)]
pub(crate) struct Throttle {
    limit: Limit,
    empty_at: Mutex<LruCache<String, Timestamp>>,
}

impl Throttle {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            limit,
            empty_at: Mutex::new(LruCache::new(KEYS_LIMIT)),
        }
    }

    /// Counts an attempt of `key`, or says how long it has to wait for one.
    pub(crate) fn admit(&self, key: &str, now: Timestamp) -> Result<(), Duration> {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = empty_at.get(key).map_or(now, |at| (*at).max(now)) + self.limit.refill;
        let size = self.limit.refill * self.limit.burst;
        let too_much = filled.since(now).saturating_sub(size);
        if !too_much.is_zero() {
            return Err(too_much);
        }
        empty_at.put(key.to_owned(), filled);
        Ok(())
    }

    /// Forgets the attempts of `key`: it turned out to be who it said.
    pub(crate) fn forgive(&self, key: &str) {
        self.empty_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        burst: 3,
        refill: Duration::from_secs(10),
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + secs)
    }

    #[test]
    fn a_burst_passes_and_the_next_attempt_waits_for_the_refill() {
        let throttle = Throttle::new(LIMIT);
        for _ in 0..3 {
            assert_eq!(throttle.admit("mallory", at(0)), Ok(()));
        }
        assert_eq!(
            throttle.admit("mallory", at(4)),
            Err(Duration::from_secs(6))
        );
        assert_eq!(throttle.admit("alice", at(4)), Ok(()));
        assert_eq!(throttle.admit("mallory", at(10)), Ok(()));
        assert!(throttle.admit("mallory", at(10)).is_err());
    }

    #[test]
    fn who_was_forgiven_starts_afresh() {
        let throttle = Throttle::new(LIMIT);
        for _ in 0..3 {
            throttle.admit("alice", at(0)).unwrap();
        }
        throttle.forgive("alice");
        assert_eq!(throttle.admit("alice", at(0)), Ok(()));
    }

    #[test]
    fn keys_are_bounded() {
        let throttle = Throttle::new(LIMIT);
        for index in 0..KEYS_LIMIT.get() + 10 {
            throttle.admit(&index.to_string(), at(0)).unwrap();
        }
        assert_eq!(throttle.empty_at.lock().unwrap().len(), KEYS_LIMIT.get());
    }
}
