//! Leaves a receiver alone that does not answer, and says when that is worth telling somebody else. Pure.
//!
//! Failures in a row open the circuit: nothing is tried for a while, then one message as a probe, after pauses that
//! double. A success closes it. Being asked to slow down is no failure: such a receiver lives.

use std::time::Duration;

use tokenwatch_model::Timestamp;

/// Failures in a row that open the circuit at once.
const FAILURES_LIMIT: u32 = 5;
/// Fewer open it when they go on for a while: one message alone is seldom tried five times in an hour.
const SLOW_FAILURES_LIMIT: u32 = 3;
/// This long.
const SLOW_SPAN: Duration = Duration::from_mins(5);
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest: a receiver that is back is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How a receiver does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circuit {
    failures: u32,
    since: Option<Timestamp>,
    pause: Duration,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing worth telling.
    None,
    /// It opened: nothing has reached the receiver since this time.
    Opened(Timestamp),
    /// It closed: something reached the receiver for the first time since this time.
    Closed(Timestamp),
}

impl Circuit {
    /// Whether the receiver is left alone.
    pub(crate) fn is_open(&self) -> bool {
        !self.pause.is_zero()
    }

    /// How long the receiver is to be left alone from now.
    pub(crate) fn pause(&self) -> Duration {
        self.pause
    }

    /// An attempt failed.
    pub(crate) fn failed(&mut self, now: Timestamp) -> Change {
        self.failures = self.failures.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        if self.is_open() {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            return Change::None;
        }
        let is_slow = self.failures >= SLOW_FAILURES_LIMIT && now.since(since) >= SLOW_SPAN;
        if self.failures < FAILURES_LIMIT && !is_slow {
            return Change::None;
        }
        self.pause = FIRST_PAUSE;
        Change::Opened(since)
    }

    /// An attempt succeeded, or was refused for what it said: the receiver lives.
    pub(crate) fn answered(&mut self) -> Change {
        let before = std::mem::take(self);
        match before.since {
            Some(since) if before.is_open() => Change::Closed(since),
            _ => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_closes_it() {
        let mut circuit = Circuit::default();
        for secs in 1..5 {
            assert_eq!(circuit.failed(at(secs)), Change::None);
        }
        assert_eq!(circuit.failed(at(5)), Change::Opened(at(1)));
        assert!(circuit.is_open());
        assert_eq!(circuit.answered(), Change::Closed(at(1)));
        assert_eq!(circuit, Circuit::default());
    }

    #[test]
    fn three_failures_over_five_minutes_open_it_too() {
        let mut circuit = Circuit::default();
        assert_eq!(circuit.failed(at(0)), Change::None);
        assert_eq!(circuit.failed(at(35)), Change::None);
        assert_eq!(circuit.failed(at(335)), Change::Opened(at(0)));
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let mut circuit = Circuit::default();
        let mut pauses = Vec::new();
        for secs in 0..11 {
            circuit.failed(at(secs));
            pauses.push(circuit.pause().as_secs());
        }
        assert_eq!(pauses, [0, 0, 0, 0, 30, 60, 120, 240, 300, 300, 300]);
    }

    #[test]
    fn single_failures_among_successes_never_open_it() {
        let mut circuit = Circuit::default();
        for secs in 0..100 {
            assert_eq!(circuit.failed(at(secs)), Change::None);
            assert_eq!(circuit.answered(), Change::None);
        }
    }
}
