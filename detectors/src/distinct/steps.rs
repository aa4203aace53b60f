//! Whether a token walks from id to id: steps between the numbers of one sort of object, and how many of them are short.
//!
//! Someone who tries ids one after the other (OWASP API1:2023, broken object level authorization) takes short steps. So do
//! exporters and consumers of a queue, always: the share of short steps is learned, a day late. 10 bytes per token.

use serde::{Deserialize, Serialize};

use crate::route_template::Object;

/// A step of at most this many ids is short.
const SHORT_STEP: u16 = 10;
/// Steps of other objects in between, after which those are followed.
const PATIENCE: u8 = 4;
/// Steps that today's share rests on at most; at the double, all are halved.
const MEMORY: u8 = 20;
/// Steps that a day may teach, and weight of older days.
const TAUGHT: f64 = 32.0;
const OLDER_DAYS: f64 = 0.9;

/// The steps of one token.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Steps {
    /// Which sort of object is followed, and the last id, in sixteen bits each; 0 for none.
    slot: u16,
    last: u16,
    misses: u8,
    /// Steps of today, and those of them that were short.
    seen: u8,
    short: u8,
    /// The same of the days before.
    learned_seen: u8,
    learned_short: u8,
}

impl Steps {
    /// Notes a call to an object with a number.
    pub(crate) fn take(&mut self, object: &Object, number: u64) {
        let slot = ((object.slot >> 48) as u16).max(1);
        let id = number as u16;
        if slot != self.slot {
            self.misses += 1;
            if self.slot == 0 || self.misses >= PATIENCE {
                (self.slot, self.last, self.misses) = (slot, id, 0);
            }
            return;
        }
        self.misses = 0;
        let step = id.wrapping_sub(std::mem::replace(&mut self.last, id));
        let length = step.min(step.wrapping_neg());
        if length == 0 {
            return;
        }
        if self.seen >= 2 * MEMORY {
            self.seen /= 2;
            self.short /= 2;
        }
        self.seen += 1;
        self.short += u8::from(length <= SHORT_STEP);
    }

    /// How many steps today's share rests on.
    pub(crate) const fn seen(self) -> u8 {
        self.seen
    }

    /// Share of short steps today.
    pub(crate) fn share(self) -> f64 {
        share(self.short, self.seen)
    }

    /// Share of short steps on other days, and on how many steps it rests.
    pub(crate) fn habit(self) -> (f64, u8) {
        (
            share(self.learned_short, self.learned_seen),
            self.learned_seen,
        )
    }

    /// Ends a day: it is learned.
    pub(crate) fn end_day(&mut self) {
        if self.seen == 0 {
            return;
        }
        let part = (TAUGHT / f64::from(self.seen)).min(1.0);
        let learn = |learned: u8, today: u8| {
            libm::round(f64::from(learned) * OLDER_DAYS + f64::from(today) * part).min(255.0) as u8
        };
        self.learned_seen = learn(self.learned_seen, self.seen);
        self.learned_short = learn(self.learned_short, self.short).min(self.learned_seen);
        (self.seen, self.short) = (0, 0);
    }
}

fn share(short: u8, seen: u8) -> f64 {
    f64::from(short) / f64::from(seen.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(slot: u64) -> Object {
        Object {
            slot: slot << 48,
            hash: 0,
            number: None,
        }
    }

    fn take(steps: &mut Steps, ids: impl IntoIterator<Item = u64>) {
        for id in ids {
            steps.take(&object(7), id);
        }
    }

    #[test]
    fn a_walk_is_told_from_random_ids() {
        let mut steps = Steps::default();
        take(&mut steps, (0..40).map(|number| number * 7_919 % 30_011));
        assert!(steps.share() < 0.2, "{}", steps.share());
        take(&mut steps, 1_000..1_040);
        assert!(steps.share() >= 0.6 && steps.seen() >= 20, "{steps:?}");
        let mut backwards = Steps::default();
        take(
            &mut backwards,
            (0..30).rev().map(|number| 5_000 + 3 * number),
        );
        assert!(backwards.share() > 0.99);
    }

    #[test]
    fn calls_to_other_objects_in_between_do_not_disturb() {
        let mut steps = Steps::default();
        for id in 100..130 {
            steps.take(&object(7), id);
            steps.take(&object(8), id * 977);
        }
        assert!(steps.share() > 0.99 && steps.seen() >= 20);
    }

    #[test]
    fn polling_the_same_object_is_no_step() {
        let mut steps = Steps::default();
        take(&mut steps, [5; 50]);
        assert_eq!(steps.seen(), 0);
    }

    #[test]
    fn a_habit_is_learned_a_day_late() {
        let mut steps = Steps::default();
        take(&mut steps, 100..140);
        assert_eq!(steps.habit().1, 0);
        steps.end_day();
        let (share, seen) = steps.habit();
        assert!(share > 0.95 && seen >= 20 && steps.seen() == 0);
        for _ in 0..20 {
            take(&mut steps, (0..30).map(|number| number * 7_919 % 30_011));
            steps.end_day();
        }
        assert!(steps.habit().0 < 0.2);
        assert!(size_of::<Steps>() <= 10);
    }
}
