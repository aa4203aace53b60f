//! Lets in so many calls a minute, evenly, with a tenth of a minute's calls at once (the generic cell rate algorithm).
//!
//! One number: the time at which all calls that were let in are paid for. Several instances count for themselves alone.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokenwatch_model::Timestamp;

const MINUTE_MICROS: i64 = 60_000_000;
/// Calls that may come at once are those of so long, and one at least.
const BURST_MICROS: i64 = MINUTE_MICROS / 10;

/// The calls of one token.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    paid_until: AtomicI64,
}

impl Throttle {
    /// Lets a call in, or says how soon one may come.
    pub(super) fn admit(&self, per_minute: u32, now: Timestamp) -> Result<(), Duration> {
        let price = MINUTE_MICROS / i64::from(per_minute.max(1));
        let burst = BURST_MICROS.max(price);
        let now = now.as_micros();
        let mut paid = self.paid_until.load(Ordering::Relaxed);
        loop {
            let next = paid.max(now) + price;
            if next - now > burst {
                let wait = next - now - burst;
                return Err(Duration::from_micros(wait.unsigned_abs()));
            }
            let exchanged = self.paid_until.compare_exchange_weak(
                paid,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match exchanged {
                Ok(_) => return Ok(()),
                Err(other) => paid = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_lets_in_what_it_may_and_a_tenth_of_that_at_once() {
        let throttle = Throttle::default();
        let start = Timestamp::from_secs(1_795_329_600);
        let admitted = |from: u64, to: u64| {
            let tries = (from..to).map(|step| start + Duration::from_millis(step * 100));
            tries.filter(|at| throttle.admit(60, *at).is_ok()).count()
        };
        let at_once = (0..100).filter(|_| throttle.admit(60, start).is_ok());
        assert_eq!(at_once.count(), 6);
        // Ten tries a second for a minute, and for another one.
        assert_eq!(admitted(1, 600), 59);
        assert_eq!(admitted(600, 1_200), 60);
    }

    #[test]
    fn who_is_turned_away_is_told_how_soon_to_come_back() {
        let throttle = Throttle::default();
        let start = Timestamp::from_secs(1_795_329_600);
        assert_eq!(throttle.admit(2, start), Ok(()));
        let wait = throttle.admit(2, start).expect_err("two a minute");
        assert_eq!(wait, Duration::from_secs(30));
        let early = start + wait - Duration::from_micros(1);
        assert!(throttle.admit(2, early).is_err());
        assert_eq!(throttle.admit(2, start + wait), Ok(()));
    }
}
