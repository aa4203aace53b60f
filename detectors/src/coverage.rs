//! What the logs cover: which gateway nodes and streams log steadily, and when one of them, or all, said nothing.
//!
//! Events are counted by half-minutes of event time and judged when the watermark of all streams has passed, like the
//! fleet's failures: sums, so the order in which partitions are read does not matter. Only who logged steadily for three
//! hours is missed. Whether a stream falls behind, or can no longer be read, is told by its own events. Knows no clock: a
//! silence of everybody is seen when somebody logs again, or when the pipeline lets time pass.

mod fleet;
mod streams;
mod voice;
mod voices;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Timestamp};

use crate::commons::window_of;
use crate::detect::blind_window::{Blind, BlindWindowConfig};
use crate::samples::shortened;
use crate::{hash_ip, hash_text};
use fleet::Fleet;
use streams::StreamWatch;
use voice::{Silence, Standing, Voice};
use voices::{Moment, Voices};

/// Half-minutes of a slot: five minutes.
const SLOT_WINDOWS: i64 = 10;
/// Half-minutes that may be open at once: an hour. With 1,280 voices of 16 bytes each they are 2.4 MB at most.
const MAX_WINDOWS: usize = 120;
/// Gateway nodes kept apart: 256 of about 500 bytes are 128 KB. Streams are bounded by the event clock.
const MAX_NODES: usize = 256;
/// Who says nothing for a day is forgotten; a silence of all is looked at for as long.
const DAY_WINDOWS: i64 = 2_880;
/// A silence of all that is longer than this ends every habit: what comes after it is another time of the day.
const HOUR_WINDOWS: i64 = 120;
/// How often what goes on is told again, in half-minutes.
const AGAIN_WINDOWS: i64 = 10;
/// Silences that begin so many half-minutes apart are one: of a node, and of the stream that only it writes to.
const SAME_WINDOWS: i64 = 2;

/// What is known of who logs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Coverage {
    /// Counts of half-minutes that are not sealed yet.
    windows: BTreeMap<i64, Tally>,
    /// Half-minutes before this one are sealed; none was, if absent.
    sealed: Option<i64>,
    fleet: Fleet,
    nodes: Voices,
    streams: Voices,
    /// The node of a hash of its name.
    node_index: BTreeMap<u64, u32>,
    /// The node of the last event: most come in runs.
    last_node: Option<(u64, u32)>,
    watches: Vec<StreamWatch>,
    overflowed: u64,
    /// Time passes although nothing comes.
    #[serde(skip)]
    pub(crate) is_live: bool,
}

/// What was logged in one half-minute, by voice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Tally {
    all: Heard,
    nodes: Vec<Heard>,
    streams: Vec<Heard>,
}

/// Events, and who called, as bits of a hash: few callers that stop are no silence of a gateway.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Heard {
    events: u32,
    callers: u64,
}

impl Heard {
    fn add(&mut self, caller: u64) {
        self.events = self.events.saturating_add(1);
        self.callers |= caller;
    }
}

impl Coverage {
    /// Counts an event that did not come late, of the stream with this index.
    pub(crate) fn count(&mut self, event: &AccessEvent<'_>, stream: u32) {
        let number = window_of(event.ts);
        if self.sealed.is_some_and(|sealed| number < sealed) {
            self.count_late(event, stream);
            return;
        }
        let node = event.origin.gateway.as_deref();
        let node = node.and_then(|name| self.node(name, number));
        let stream = self.stream(event, stream, number);
        let caller = match (&event.token, event.client.ip) {
            (Some(token), _) => token.id.bits() as u64,
            (None, Some(ip)) => hash_ip(ip),
            (None, None) => 0,
        };
        let caller = 1 << (caller.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58);
        let Some(tally) = self.tally(number) else {
            self.overflowed += 1;
            return;
        };
        tally.all.add(caller);
        if let Some(node) = node {
            heard_mut(&mut tally.nodes, node).add(caller);
        }
        heard_mut(&mut tally.streams, stream).add(caller);
    }

    /// An event that came late: who logs it is behind the others, or its clock is, but it is not silent.
    pub(crate) fn count_late(&mut self, event: &AccessEvent<'_>, stream: u32) {
        self.fleet.fill(window_of(event.ts));
        let node = event.origin.gateway.as_deref().map(hash_text);
        let node = node.and_then(|hash| self.node_index.get(&hash));
        let node = node.and_then(|index| self.nodes.all.get_mut(*index as usize));
        let stream = self.streams.all.get_mut(stream as usize);
        for voice in node.into_iter().chain(stream) {
            if let Some(silence) = &mut voice.silence {
                silence.standing = Standing::Explained;
            }
        }
    }

    /// Events and nodes that found no room.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// Seals every half-minute that `watermark` has passed; who was silent in them, in order.
    pub(crate) fn seal_until(
        &mut self,
        watermark: Timestamp,
        settings: &BlindWindowConfig,
        told: &mut Vec<Blind>,
    ) {
        let mut until = window_of(watermark);
        if watermark.as_micros() == i64::MAX {
            // The end of a replay is no silence.
            until = self.windows.keys().next_back().map_or(i64::MIN, |w| w + 1);
        }
        let first = || self.windows.keys().next().copied();
        let Some(mut number) = self.sealed.or_else(first) else {
            return;
        };
        while number < until {
            match self.windows.remove(&number) {
                Some(tally) => self.seal(number, &tally, settings, told),
                None => self.fleet.miss(number, self.is_live, settings, told),
            }
            number += 1;
            if self.fleet.quiet_windows(number) > DAY_WINDOWS {
                let next = self.windows.keys().next().copied().unwrap_or(until);
                number = number.max(next.min(until));
            }
        }
        self.sealed = Some(number);
    }

    fn watch_mut(&mut self, stream: u32) -> Option<(&mut StreamWatch, &str)> {
        let watch = self.watches.get_mut(stream as usize)?;
        Some((watch, &self.streams.all[stream as usize].name))
    }

    /// What a stream's time says beside that of the foremost one, in seconds.
    pub(crate) fn follow(
        &mut self,
        stream: u32,
        newest_s: i64,
        foremost_s: i64,
        settings: &BlindWindowConfig,
        told: &mut Vec<Blind>,
    ) {
        if let Some((watch, name)) = self.watch_mut(stream) {
            // Files are read one after the other, however old they are: history that is loaded is no lag.
            if !settings.lag.is_zero() && !name.starts_with("file:") {
                told.extend(watch.follow(name, newest_s, foremost_s, settings));
            }
        }
    }

    /// Counts an event that could be read, at its stream's newest time.
    pub(crate) fn read(
        &mut self,
        stream: u32,
        newest_s: i64,
        settings: &BlindWindowConfig,
        told: &mut Vec<Blind>,
    ) {
        if let Some((watch, name)) = self.watch_mut(stream) {
            told.extend(watch.read(name, newest_s, settings));
        }
    }

    /// Counts a record that could not be read.
    pub(crate) fn rejected(
        &mut self,
        stream: u32,
        newest_s: i64,
        settings: &BlindWindowConfig,
        told: &mut Vec<Blind>,
    ) {
        if let Some((watch, name)) = self.watch_mut(stream) {
            told.extend(watch.rejected(name, newest_s, settings));
        }
    }

    fn node(&mut self, name: &str, number: i64) -> Option<u32> {
        let hash = hash_text(name);
        if let Some((last, index)) = self.last_node
            && last == hash
        {
            return Some(index);
        }
        let index = match self.node_index.get(&hash) {
            Some(index) => *index,
            None => self.new_node(name, hash, number)?,
        };
        self.last_node = Some((hash, index));
        Some(index)
    }

    fn new_node(&mut self, name: &str, hash: u64, number: i64) -> Option<u32> {
        let voice = Voice::new(shortened(name), hash, number);
        let nodes = &mut self.nodes.all;
        let index = if let Some(index) = nodes.iter().position(Voice::is_nobody) {
            nodes[index] = voice;
            index
        } else if nodes.len() < MAX_NODES {
            nodes.push(voice);
            nodes.len() - 1
        } else {
            self.overflowed += 1;
            return None;
        };
        self.node_index.insert(hash, index as u32);
        Some(index as u32)
    }

    /// Makes sure that the stream has a voice.
    fn stream(&mut self, event: &AccessEvent<'_>, stream: u32, number: i64) -> u32 {
        let index = stream as usize;
        while self.streams.all.len() <= index {
            self.streams.all.push(Voice::default());
            self.watches.push(StreamWatch::default());
        }
        if self.streams.all[index].is_nobody() {
            let topic = event.origin.topic.as_deref().unwrap_or("");
            let name = match event.origin.partition {
                Some(partition) if !topic.starts_with("file:") => {
                    format!("{}/{partition}", shortened(topic))
                }
                _ => shortened(topic).to_owned(),
            };
            self.streams.all[index] = Voice::new(&name, 0, number);
        }
        stream
    }

    fn tally(&mut self, number: i64) -> Option<&mut Tally> {
        if self.windows.len() >= MAX_WINDOWS && !self.windows.contains_key(&number) {
            let oldest = *self.windows.keys().next()?;
            if oldest > number {
                return None;
            }
            self.windows.remove(&oldest);
            self.overflowed += 1;
        }
        Some(self.windows.entry(number).or_default())
    }

    /// A half-minute in which somebody logged.
    fn seal(
        &mut self,
        number: i64,
        tally: &Tally,
        settings: &BlindWindowConfig,
        told: &mut Vec<Blind>,
    ) {
        if self.fleet.quiet_windows(number) > HOUR_WINDOWS {
            for voice in self.nodes.all.iter_mut().chain(&mut self.streams.all) {
                voice.begin_anew();
            }
            (self.nodes.many, self.streams.many) = (None, None);
        } else if self.fleet.ends_slot(number) {
            for voice in self.nodes.all.iter_mut().chain(&mut self.streams.all) {
                voice.end_slot();
            }
        }
        let usual = self.fleet.level();
        self.fleet.hear(number, tally.all, settings, told);
        let began = self.fleet.began();
        let moment = Moment {
            number,
            all: f64::from(tally.all.events),
            usual,
            began,
        };
        let no_nodes = |_: &Silence| false;
        self.nodes
            .seal(true, &tally.nodes, moment, settings, &no_nodes, told);
        let nodes = &self.nodes.all;
        let of_a_node = |silence: &Silence| {
            nodes.iter().any(|node| {
                let own = node.silence.as_ref().filter(|own| own.is_told());
                own.is_some_and(|own| {
                    (own.since - silence.since).abs() <= SAME_WINDOWS
                        && own.level >= 0.5 * silence.level
                })
            })
        };
        self.streams
            .seal(false, &tally.streams, moment, settings, &of_a_node, told);
        self.forget(number);
    }

    fn forget(&mut self, number: i64) {
        let open = &self.windows;
        for (index, node) in self.nodes.all.iter_mut().enumerate() {
            let heard = |tally: &Tally| tally.nodes.get(index).is_some_and(|h| h.events > 0);
            let silent = number - node.last > DAY_WINDOWS && !open.values().any(heard);
            if silent && !node.is_nobody() {
                self.node_index.remove(&node.hash);
                *node = Voice::default();
                self.last_node = None;
            }
        }
    }
}

fn heard_mut(heard: &mut Vec<Heard>, index: u32) -> &mut Heard {
    let index = index as usize;
    if heard.len() <= index {
        heard.resize(index + 1, Heard::default());
    }
    &mut heard[index]
}
