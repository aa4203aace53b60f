//! One that logs, a gateway node or a stream: how steadily it does, and its silence.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::voices::Moment;
use super::{Heard, SLOT_WINDOWS};
use crate::commons::WINDOW_S;
use crate::detect::blind_window::{Blind, BlindWindowConfig, Silent};

/// Slots of five minutes that make a habit: three hours. So many of them must be steady.
const SLOTS: usize = 36;
const STEADY_SLOTS: usize = 32;
/// Callers of a steady slot: one busy client that stops must not look like a gateway that does.
const CALLERS: u32 = 5;
/// The share of what the others usually log that makes a half-minute in which one is missed.
const WELL: f64 = 0.5;
/// Who logged less than this part of an hour's mean in the last five minutes was running down, not cut off.
const CUT_OFF: f64 = 0.5;
/// The others have taken over what the silent one did if they log this part of it more than before.
const TAKEN_OVER: f64 = 0.5;

/// How steadily somebody logs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Habit {
    slots: VecDeque<Slot>,
    /// The running slot.
    heard: Heard,
    /// Events of the newest half-minutes, five minutes of them.
    recent: VecDeque<u32>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Slot {
    events: u32,
    callers: u8,
}

/// One that logs; nobody, if it has no name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Voice {
    pub(super) name: String,
    pub(super) hash: u64,
    /// The first and the newest half-minute in which it was heard.
    pub(super) first: i64,
    pub(super) last: i64,
    habit: Habit,
    pub(super) silence: Option<Silence>,
    /// It has replaced one that fell silent.
    pub(super) is_heir: bool,
}

/// Half-minutes without a word while the others went on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Silence {
    /// The first of them.
    pub(super) since: i64,
    /// What it logged in a half-minute before, and what the others did.
    pub(super) level: f64,
    others: f64,
    /// Half-minutes in which the others were well, what they logged in them, and what it would have.
    windows: u32,
    heard: f64,
    pub(super) missing: f64,
    pub(super) standing: Standing,
    /// The half-minute in which it was told last.
    pub(super) told: i64,
}

/// What became of a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Standing {
    /// It is not long enough.
    Watched,
    /// Nothing goes unseen because of it.
    Explained,
    /// It is about to be told.
    New,
    /// It is told in a finding of its own.
    Alone,
    /// It is told together with others.
    Together,
}

impl Habit {
    /// Events of a usual half-minute, by the last five minutes.
    pub(super) fn level(&self) -> f64 {
        let sum: f64 = self.recent.iter().map(|events| f64::from(*events)).sum();
        sum / SLOT_WINDOWS as f64
    }

    /// What it may be counted on for in a half-minute, if it logs steadily and did to the end: the less of the
    /// last five minutes and an hour.
    pub(super) fn steady_level(&self, settings: &BlindWindowConfig) -> Option<f64> {
        let steady = |slot: &&Slot| slot.is_steady(settings);
        if self.slots.len() < SLOTS || self.slots.iter().filter(steady).count() < STEADY_SLOTS {
            return None;
        }
        let hour = self.slots.iter().rev().take(12);
        let hour: f64 = hour.map(|slot| f64::from(slot.events)).sum();
        let hour = hour / (12 * SLOT_WINDOWS) as f64;
        (self.level() >= CUT_OFF * hour).then(|| hour.min(self.level()))
    }

    pub(super) fn add(&mut self, heard: Heard) {
        self.heard.events = self.heard.events.saturating_add(heard.events);
        self.heard.callers |= heard.callers;
        self.recent.push_back(heard.events);
        while self.recent.len() as i64 > SLOT_WINDOWS {
            self.recent.pop_front();
        }
    }

    /// Ends the running slot; whether it was steady.
    pub(super) fn end_slot(&mut self, settings: Option<&BlindWindowConfig>) -> bool {
        let heard = std::mem::take(&mut self.heard);
        let slot = Slot {
            events: heard.events,
            callers: heard.callers.count_ones() as u8,
        };
        self.slots.push_back(slot);
        while self.slots.len() > SLOTS {
            self.slots.pop_front();
        }
        settings.is_some_and(|settings| slot.is_steady(settings))
    }
}

impl Slot {
    fn is_steady(self, settings: &BlindWindowConfig) -> bool {
        self.events >= settings.steady_events && u32::from(self.callers) >= CALLERS
    }
}

impl Voice {
    pub(super) fn new(name: &str, hash: u64, number: i64) -> Self {
        Self {
            // A name is what tells it from nobody.
            name: if name.is_empty() { "-" } else { name }.to_owned(),
            hash,
            first: number,
            last: number,
            ..Self::default()
        }
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.name.is_empty()
    }

    /// Takes a half-minute, of whose usual voices some that log `silent` are silent, too; a silence that it ends.
    pub(super) fn hear(
        &mut self,
        heard: Heard,
        moment: Moment,
        silent: f64,
        settings: &BlindWindowConfig,
    ) -> Option<Silence> {
        let ended = if heard.events > 0 {
            self.last = moment.number;
            self.silence.take()
        } else {
            let was_heard = self.habit.recent.back().is_some_and(|events| *events > 0);
            if self.silence.is_none() && was_heard {
                self.silence = self.habit.steady_level(settings).map(|level| Silence {
                    since: moment.number,
                    level,
                    others: (moment.usual - self.habit.level()).max(0.0),
                    windows: 0,
                    heard: 0.0,
                    missing: 0.0,
                    standing: Standing::Watched,
                    told: 0,
                });
            }
            if let Some(silence) = &mut self.silence {
                silence.go_on(moment.all, silent);
            }
            None
        };
        self.habit.add(heard);
        ended
    }

    /// Whether its silence is long enough to be judged.
    pub(super) fn is_due(&self, settings: &BlindWindowConfig) -> bool {
        self.silence.as_ref().is_some_and(|silence| {
            silence.standing == Standing::Watched
                && i64::from(silence.windows) * WINDOW_S >= settings.silence_s()
                && silence.missing >= f64::from(settings.steady_events) * WELL
        })
    }

    /// Five minutes are over. What it does not say while it is missed is no habit.
    pub(super) fn end_slot(&mut self) {
        if self.silence.as_ref().is_some_and(Silence::is_told) {
            self.habit.heard = Heard::default();
        } else {
            self.habit.end_slot(None);
        }
    }

    /// Everybody was silent for long: what was usual before says nothing.
    pub(super) fn begin_anew(&mut self) {
        self.habit = Habit::default();
        self.silence = None;
    }
}

impl Silence {
    fn go_on(&mut self, all: f64, silent: f64) {
        // Who is silent, too, is not among those that go on.
        let others = self.others - (silent - self.level).max(0.0);
        if others <= 0.0 || all < WELL * others {
            return;
        }
        self.windows += 1;
        self.heard += all;
        self.missing += self.level * (all / others).min(1.0);
    }

    /// Its part of what all logged before.
    pub(super) fn share(&self) -> f64 {
        self.level / (self.level + self.others).max(f64::MIN_POSITIVE)
    }

    /// Whether the others log so much more that they do its work: nothing goes unseen.
    pub(super) fn is_taken_over(&self) -> bool {
        let now = self.heard / f64::from(self.windows.max(1));
        now >= self.others + TAKEN_OVER * self.level
    }

    pub(super) fn is_told(&self) -> bool {
        matches!(
            self.standing,
            Standing::New | Standing::Alone | Standing::Together
        )
    }

    pub(super) fn tell(&self, voice: &Voice, is_node: bool, number: i64, over: bool) -> Blind {
        // It is over in the half-minute in which it is heard again.
        let end = if over { number } else { number + 1 };
        Blind::Silent(Silent {
            is_node,
            name: voice.name.clone(),
            since_s: self.since * WINDOW_S,
            at_s: (number + 1) * WINDOW_S,
            lasted_s: (end - self.since) * WINDOW_S,
            usual: self.level * SLOT_WINDOWS as f64,
            missing: self.missing,
            share: self.share(),
            over,
        })
    }
}
