//! When a delivery that failed is tried again: a schedule with jitter, and never before the receiver allows it.

use std::time::Duration;

/// How far a wait may be stretched or shortened, so that receivers that came back are not hit by everybody at once.
const JITTER: f64 = 0.2;
/// A Retry-After beyond this is a way of saying no.
const RETRY_AFTER_LIMIT: Duration = Duration::from_hours(24);

/// How long to wait after the failed attempt number `attempts` (from 1), or `None` if that was the last. `chance` is
/// from 0 to 1.
pub(crate) fn next_delay(
    delays: &[Duration],
    attempts: u32,
    retry_after: Option<Duration>,
    chance: f64,
) -> Option<Duration> {
    let index = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let scheduled = delays
        .get(index)?
        .mul_f64(1.0 - JITTER + 2.0 * JITTER * chance);
    let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_LIMIT);
    Some(scheduled.max(asked))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DELAYS: [Duration; 2] = [Duration::from_secs(5), Duration::from_mins(5)];

    #[test]
    fn attempts_are_one_more_than_the_waits() {
        assert!(next_delay(&DELAYS, 1, None, 0.5).is_some());
        assert!(next_delay(&DELAYS, 2, None, 0.5).is_some());
        assert_eq!(next_delay(&DELAYS, 3, None, 0.5), None);
        assert_eq!(next_delay(&[], 1, None, 0.5), None);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_the_receiver_asked(secs in 0u64..86_400, chance in 0.0f64..1.0) {
            let asked = Duration::from_secs(secs);
            let delay = next_delay(&DELAYS, 1, Some(asked), chance).expect("an attempt is left");
            prop_assert!(delay >= asked);
        }

        #[test]
        fn jitter_stays_within_a_fifth(chance in 0.0f64..1.0) {
            let delay = next_delay(&DELAYS, 2, None, chance).expect("an attempt is left");
            prop_assert!((240.0..=360.0).contains(&delay.as_secs_f64()));
        }
    }
}
