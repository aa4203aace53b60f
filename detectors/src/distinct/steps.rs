//! From which id to which a token goes: the steps between the numbers of one sort of object.
//!
//! Three habits are told apart. Most tokens go back and forth. A consumer of a sequence goes onward, always, and takes short
//! steps when it catches up; only a far jump back shows that someone else goes on. An exporter walks through ids day after
//! day. All are learned a day late. 12 bytes per token.

use serde::{Deserialize, Serialize};

use crate::route_template::Object;

/// A step of at most this many ids is short, one of more than that is far.
const SHORT_STEP: u32 = 10;
const FAR_STEP: u32 = 4_096;
/// Steps of other objects in between, after which those are followed.
const PATIENCE: u8 = 4;
/// Steps that today's share rests on at most; at the double, all are halved.
const MEMORY: u8 = 20;
/// Steps that a day may teach, and weight of older days.
const TAUGHT: f64 = 32.0;
const OLDER_DAYS: f64 = 0.9;
/// Share of onward steps of a consumer of a sequence, and how many it takes to know.
const SEQUENCE_SHARE: f64 = 0.85;
const KNOWN_STEPS: u8 = 8;
/// Steps that all lead one way may be the beginning of a walk.
const FIRST_STEPS: u8 = 10;
/// A day with a walk, in sixteenths, which fades by one a day; from so many on, walking is a habit.
const WALK_DAY: u8 = 16;
const WALK_HABIT: u8 = 19;

/// The steps of one token.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Steps {
    /// Which sort of object is followed, 0 for none, and the last id, in halves that align to two bytes.
    slot: u16,
    last: [u16; 2],
    /// Calls to other objects since; the highest bit says that the last far jump led back.
    misses: u8,
    /// Steps of today, and those of them that led onward.
    seen: u8,
    onward: u8,
    /// The same of the days before.
    learned_seen: u8,
    learned_onward: u8,
    /// Days with a walk, in sixteenths, in the lower six bits; what today adds, in days, in the upper two.
    walks: u8,
}

const JUMPED: u8 = 0x80;
const WALK_BITS: u8 = 0x3f;

impl Steps {
    /// Notes a call to an object with a number; whether the step to it was short, if there was one.
    pub(crate) fn take(&mut self, object: &Object, number: u64) -> Option<bool> {
        let slot = ((object.slot >> 48) as u16).max(1);
        let id = number as u32;
        if slot != self.slot {
            self.misses += 1;
            if self.slot == 0 || self.misses & !JUMPED >= PATIENCE {
                self.slot = slot;
                self.misses = 0;
                self.follow(id);
            }
            return None;
        }
        let last = u32::from(self.last[0]) << 16 | u32::from(self.last[1]);
        let step = id.wrapping_sub(last);
        self.follow(id);
        if step == 0 {
            return None;
        }
        let is_onward = step < 1 << 31;
        let length = step.min(step.wrapping_neg());
        if length > FAR_STEP {
            self.misses = if is_onward { 0 } else { JUMPED };
        }
        if self.seen >= 2 * MEMORY {
            self.seen /= 2;
            self.onward /= 2;
        }
        self.seen += 1;
        self.onward += u8::from(is_onward);
        Some(length <= SHORT_STEP)
    }

    fn follow(&mut self, id: u32) {
        self.last = [(id >> 16) as u16, id as u16];
        self.misses &= JUMPED;
    }

    /// Whether the steps of today all lead one way, which is not the token's habit.
    pub(crate) fn may_walk(self) -> bool {
        self.seen >= FIRST_STEPS && self.leads_one_way(8) && !self.follows_sequence()
    }

    /// Whether all but one in `others` of the last steps lead one way. Back and forth between a few objects is no walk, however
    /// close together they are.
    pub(crate) fn leads_one_way(self, others: u8) -> bool {
        let back = self.seen - self.onward;
        self.onward.min(back) <= self.seen / others
    }

    /// Whether the token consumes a sequence on other days.
    pub(crate) fn follows_sequence(self) -> bool {
        let share = f64::from(self.learned_onward) / f64::from(self.learned_seen.max(1));
        self.learned_seen >= KNOWN_STEPS && share >= SEQUENCE_SHARE
    }

    /// Whether the last steps are far behind the ones before: someone else goes on there.
    pub(crate) const fn has_jumped(self) -> bool {
        self.misses & JUMPED != 0
    }

    /// Whether the token walks through ids on other days.
    pub(crate) const fn walks_by_habit(self) -> bool {
        self.walks & WALK_BITS >= WALK_HABIT
    }

    /// Remembers that the token walks today; one that does nothing else has it for a habit at once.
    pub(crate) fn mark_walk(&mut self, only: bool) {
        let days = if only { 2 } else { 1 };
        self.walks = self.walks & WALK_BITS | (self.walks >> 6).max(days) << 6;
    }

    /// Ends a day: it is learned.
    pub(crate) fn end_day(&mut self) {
        let walked = (self.walks >> 6) * WALK_DAY;
        let before = (self.walks & WALK_BITS).saturating_sub(1);
        self.walks = (before + walked).min(WALK_BITS);
        self.misses &= !JUMPED;
        if self.seen == 0 {
            return;
        }
        let part = (TAUGHT / f64::from(self.seen)).min(1.0);
        let learn = |learned: u8, today: u8| {
            libm::round(f64::from(learned) * OLDER_DAYS + f64::from(today) * part).min(255.0) as u8
        };
        self.learned_seen = learn(self.learned_seen, self.seen);
        self.learned_onward = learn(self.learned_onward, self.onward).min(self.learned_seen);
        (self.seen, self.onward) = (0, 0);
    }
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

    /// How many of the steps are short.
    fn take(steps: &mut Steps, ids: impl IntoIterator<Item = u64>) -> usize {
        ids.into_iter()
            .filter(|id| steps.take(&object(7), *id) == Some(true))
            .count()
    }

    fn scattered() -> impl Iterator<Item = u64> {
        (0..40).map(|number| number * 7_919 % 30_011)
    }

    #[test]
    fn a_walk_is_told_from_scattered_ids() {
        let mut steps = Steps::default();
        assert!(take(&mut steps, scattered()) < 8);
        assert!(!steps.may_walk());
        let mut walker = Steps::default();
        assert_eq!(
            take(&mut walker, (0..30).rev().map(|number| 5_000 + 3 * number)),
            29
        );
        assert!(walker.may_walk());
    }

    #[test]
    fn calls_to_other_objects_in_between_do_not_disturb() {
        let mut steps = Steps::default();
        let mut short = 0;
        for id in 100..130 {
            short += usize::from(steps.take(&object(7), id) == Some(true));
            steps.take(&object(8), id * 977);
        }
        assert_eq!(short, 29);
    }

    #[test]
    fn polling_the_same_object_is_no_step() {
        let mut steps = Steps::default();
        assert_eq!(take(&mut steps, [5; 50]), 0);
        assert!(!steps.may_walk());
    }

    #[test]
    fn back_and_forth_between_neighbours_is_no_walk() {
        let mut steps = Steps::default();
        assert!(take(&mut steps, (0..60).map(|number| 500 + number * 7 % 12)) > 50);
        assert!(!steps.leads_one_way(4));
    }

    #[test]
    fn a_jump_back_is_forgotten_with_the_jump_onward_and_with_other_objects() {
        let mut steps = Steps::default();
        take(&mut steps, [900_000, 100_000, 100_001]);
        assert!(steps.has_jumped());
        take(&mut steps, [900_001]);
        assert!(!steps.has_jumped());
        take(&mut steps, [100_002]);
        for id in [5; 1 + PATIENCE as usize] {
            steps.take(&object(8), id);
        }
        assert!(!steps.has_jumped());
    }

    #[test]
    fn a_sequence_is_followed_onward_until_someone_jumps_back() {
        let mut steps = Steps::default();
        for day in 0..3 {
            take(
                &mut steps,
                (0..30).map(|number| 1_000_000 + 40_000 * day + 60 * number),
            );
            steps.end_day();
        }
        assert!(steps.follows_sequence() && !steps.has_jumped());
        take(&mut steps, (0..30).map(|number| 2_000_000 + 2 * number));
        assert!(
            !steps.has_jumped() && !steps.may_walk(),
            "catching up is no walk"
        );
        take(&mut steps, 5_000..5_030);
        assert!(steps.has_jumped());
    }

    #[test]
    fn walking_is_a_habit_from_the_third_day_on() {
        let mut steps = Steps::default();
        for want in [false, false, true] {
            assert_eq!(steps.walks_by_habit(), want);
            steps.mark_walk(false);
            steps.end_day();
        }
        let mut job = Steps::default();
        job.mark_walk(true);
        job.mark_walk(false);
        job.end_day();
        assert!(job.walks_by_habit(), "it does nothing else");
        for _ in 0..40 {
            job.end_day();
        }
        assert!(!job.walks_by_habit());
        assert_eq!(size_of::<Steps>(), 12);
    }
}
