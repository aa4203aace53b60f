//! One stream by its own events: whether it falls behind the others, and how much of it cannot be read.
//!
//! Both are decided at the stream's own events and rejected records, in its order, so the size of batches does not matter.
//! A stream is behind only if it was abreast of the others for an hour before: days that are caught up with are no lag.

use serde::{Deserialize, Serialize};

use crate::calendar::{DAY, HOUR};
use crate::detect::blind_window::{Blind, BlindWindowConfig, Lag, Rejects};

/// How long a stream must have been abreast of the others.
const ABREAST_S: i64 = HOUR;
/// Five minutes, over two of which the share of rejected records is taken, so that a few in a row are no share.
const SLOT_S: i64 = 300;
/// Slots before a share of rejected records is a habit: an hour.
const HABIT_SLOTS: u32 = 12;
/// Of how many slots a habit is about the mean, and how many times its share is far above it.
const HABIT_WEIGHT: f64 = 64.0;
const HABIT_RATIO: f64 = 5.0;

/// What is watched of a stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct StreamWatch {
    abreast_since: Option<i64>,
    behind: Option<Behind>,
    slot: Option<i64>,
    /// Of the running slot and the one before.
    records: [u64; 2],
    rejected: [u64; 2],
    /// The usual share of rejected records, over so many slots.
    usual: f64,
    slots: u32,
    unreadable: Option<Unreadable>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Behind {
    /// The foremost stream's time when it was found behind, its own then, and when that was told last.
    since: i64,
    stood_at: i64,
    told: Option<i64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Unreadable {
    since: i64,
    rejected: u64,
    /// The slot in which it was told last, and the rejected records that were told.
    slot: i64,
    told: u64,
}

impl StreamWatch {
    /// The stream's newest time moved on to `newest`, and that of all is `foremost`.
    pub(super) fn follow(
        &mut self,
        name: &str,
        newest: i64,
        foremost: i64,
        settings: &BlindWindowConfig,
    ) -> Option<Blind> {
        let behind_s = foremost - newest;
        let lag_s = settings.lag_s();
        if behind_s <= lag_s / 2 {
            self.abreast_since.get_or_insert(newest);
            let behind = self.behind.take()?;
            behind.told.filter(|at| foremost - at < DAY)?;
            return Some(behind.tell(name, foremost, behind_s, true));
        }
        let since = self.abreast_since?;
        if behind_s <= lag_s {
            return None;
        }
        if self.behind.is_none() && newest - since < ABREAST_S {
            self.abreast_since = None;
            return None;
        }
        // A lag of which nothing was said for a day is another one.
        self.behind = self
            .behind
            .filter(|known| foremost - known.told.unwrap_or(known.since) < DAY);
        let behind = self.behind.get_or_insert(Behind {
            since: foremost,
            stood_at: newest,
            told: None,
        });
        let due = match behind.told {
            Some(at) => foremost - at >= SLOT_S,
            None => foremost - behind.since >= settings.silence_s(),
        };
        if !due {
            return None;
        }
        behind.told = Some(foremost);
        Some(behind.tell(name, foremost, behind_s, false))
    }

    /// An event could be read.
    pub(super) fn read(
        &mut self,
        name: &str,
        newest: i64,
        settings: &BlindWindowConfig,
    ) -> Option<Blind> {
        let ended = self.turn(name, newest, settings);
        self.records[0] += 1;
        ended
    }

    /// A record could not.
    pub(super) fn rejected(
        &mut self,
        name: &str,
        newest: i64,
        settings: &BlindWindowConfig,
    ) -> Option<Blind> {
        let ended = self.turn(name, newest, settings);
        self.records[0] += 1;
        self.rejected[0] += 1;
        let slot = newest.div_euclid(SLOT_S);
        if let Some(known) = &mut self.unreadable {
            known.rejected += 1;
        }
        if self.slots < HABIT_SLOTS || !self.is_unreadable(settings) {
            return ended;
        }
        let (records, rejected) = (sum(self.records), sum(self.rejected));
        let unreadable = self.unreadable.get_or_insert(Unreadable {
            since: newest,
            rejected,
            slot: i64::MIN,
            told: 0,
        });
        if unreadable.slot == slot && unreadable.rejected < 2 * unreadable.told {
            return ended;
        }
        let fresh = unreadable.rejected - unreadable.told;
        (unreadable.slot, unreadable.told) = (slot, unreadable.rejected);
        Some(Blind::Rejects(Rejects {
            name: name.to_owned(),
            since_s: unreadable.since,
            at_s: newest,
            fresh,
            rejected: unreadable.rejected,
            share: rejected as f64 / records.max(1) as f64,
            usual: self.usual,
            over: false,
        }))
    }

    /// Goes on to the slot of `newest`; tells if what could not be read can be again.
    fn turn(&mut self, name: &str, newest: i64, settings: &BlindWindowConfig) -> Option<Blind> {
        let slot = newest.div_euclid(SLOT_S);
        let before = *self.slot.get_or_insert(slot);
        if slot <= before {
            return None;
        }
        self.slot = Some(slot);
        let share = self.rejected[0] as f64 / self.records[0].max(1) as f64;
        let weight = HABIT_WEIGHT.min(f64::from(self.slots) + 1.0);
        let well = share < self.limit(settings);
        self.usual += (share - self.usual) / weight;
        self.slots = self.slots.saturating_add(1);
        let adjoins = slot == before + 1;
        self.records = [0, if adjoins { self.records[0] } else { 0 }];
        self.rejected = [0, if adjoins { self.rejected[0] } else { 0 }];
        let away = (slot - before) * SLOT_S >= DAY;
        let unreadable = self.unreadable.filter(|_| well || away)?;
        self.unreadable = None;
        if away {
            return None;
        }
        Some(Blind::Rejects(Rejects {
            name: name.to_owned(),
            since_s: unreadable.since,
            at_s: newest,
            fresh: unreadable.rejected - unreadable.told,
            rejected: unreadable.rejected,
            share,
            usual: self.usual,
            over: true,
        }))
    }

    fn is_unreadable(&self, settings: &BlindWindowConfig) -> bool {
        let (records, rejected) = (sum(self.records), sum(self.rejected));
        rejected >= u64::from(settings.rejected_records)
            && rejected as f64 >= self.limit(settings) * records as f64
    }

    fn limit(&self, settings: &BlindWindowConfig) -> f64 {
        settings.rejected_share.max(HABIT_RATIO * self.usual)
    }
}

impl Behind {
    fn tell(&self, name: &str, foremost: i64, behind_s: i64, over: bool) -> Blind {
        Blind::Lag(Lag {
            name: name.to_owned(),
            since_s: self.since,
            stood_at_s: self.stood_at,
            at_s: foremost,
            behind_s,
            over,
        })
    }
}

fn sum(of: [u64; 2]) -> u64 {
    of[0] + of[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream that is behind by `behind(t)` seconds at the foremost stream's second `t` is told of, and when.
    fn lags(behind: impl Fn(i64) -> i64) -> Vec<(i64, bool)> {
        let settings = BlindWindowConfig {
            lag: std::time::Duration::from_mins(10),
            ..BlindWindowConfig::default()
        };
        let mut watch = StreamWatch::default();
        let mut told = Vec::new();
        for foremost in (0..20_000).step_by(10) {
            let newest = foremost - behind(foremost);
            if let Some(Blind::Lag(lag)) = watch.follow("t/0", newest, foremost, &settings) {
                told.push((foremost, lag.over));
            }
        }
        told
    }

    #[test]
    fn a_lag_is_told_after_its_time_again_and_when_it_is_over() {
        let late = |from: i64, until: i64, by: i64| {
            move |t: i64| if (from..until).contains(&t) { by } else { 0 }
        };
        assert_eq!(
            lags(late(6_000, 6_700, 900)),
            [(6_300, false), (6_600, false), (6_700, true)]
        );
        for (name, told) in [
            ("short", lags(late(6_000, 6_290, 900))),
            ("small", lags(late(6_000, 9_000, 600))),
            ("never abreast", lags(|_| 4_000)),
            ("abreast for too short", lags(late(2_000, 5_000, 900))),
        ] {
            assert_eq!(told, [], "{name}");
        }
    }

    #[test]
    fn a_habit_of_rejects_needs_an_hour_and_five_times_it_to_be_broken() {
        let settings = BlindWindowConfig::default();
        // Per minute 100 records, of which so many cannot be read.
        let told = |rejected: &dyn Fn(i64) -> i64| {
            let mut watch = StreamWatch::default();
            let mut told = Vec::new();
            for minute in 0..240 {
                for number in 0..100 {
                    let newest = 60 * minute;
                    let hit = if number < rejected(minute) {
                        watch.rejected("t/0", newest, &settings)
                    } else {
                        watch.read("t/0", newest, &settings)
                    };
                    told.extend(hit.map(|_| minute));
                }
            }
            told
        };
        let burst = told(&|minute| if (180..190).contains(&minute) { 20 } else { 0 });
        assert_eq!(burst.first(), Some(&182), "{burst:?}");
        assert_eq!(burst.last(), Some(&195), "{burst:?}");
        let quiet = told(&|minute| if minute < 60 { 90 } else { 0 });
        assert!(quiet.is_empty(), "no habit yet: {quiet:?}");
        let as_always = told(&|minute| if minute > 180 { 40 } else { 10 });
        assert!(as_always.is_empty(), "{as_always:?}");
        let more = told(&|minute| if minute > 180 { 70 } else { 10 });
        assert!(!more.is_empty(), "far more than ever");
    }
}
