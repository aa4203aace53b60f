//! Event time: how far each stream of events has got, which events are late, and which cannot be believed.
//!
//! A stream is a partition or a file; its nodes are the gateways that write to it. A node's watermark is its newest event
//! minus the allowed lateness; a stream's is the least of its active nodes'. A node is idle once the others have advanced
//! a minute without it: by event time, never by the wall clock. What is decided about a token rests on the token's own
//! events; watermarks only count late events and end episodes.
//!
//! An event far ahead of its stream is either the first after a silence or comes from a gateway whose clock is wrong.
//! Silence is plausible if the last 64 events took as long as the jump, or if it was silent for a quarter of that before.
//! Otherwise the event is quarantined until others without a believable one in between confirm the new time: the third
//! from the only gateway or from two, the sixty-fourth from one of several.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Origin, StreamId, Timestamp};

use crate::token::micros;

/// Events over which a stream's pace is measured.
const PACE_EVENTS: usize = 64;
/// Streams kept apart; later ones share the last. 1,024 partitions of 64 nodes are 3 MB.
const MAX_STREAMS: usize = 1_024;
/// Nodes kept apart within a stream; later ones share the last.
const MAX_NODES: usize = 64;
/// Suspicious events in a row that confirm a jump: from the only active gateway, from two, from one of several, whose
/// clock may be wrong while the others are silent by chance.
const FROM_THE_ONLY_NODE: u32 = 3;
const FROM_SEVERAL_NODES: u32 = 3;
const FROM_ONE_OF_SEVERAL: u32 = 64;
/// Progress of any node after which those that stood still for all of it, and for the same before, are idle.
const IDLE_MICROS: i64 = 60_000_000;
/// A silence is plausible up to this many times the longest one in about so many events.
const SILENCE_FACTOR: i64 = 4;
const SILENCE_EVENTS: i64 = 16_384;
/// How far a stream may be behind and still be waited for where all streams count together.
const WAIT_MICROS: i64 = 600_000_000;
/// How often the watermark is acted upon.
const TICK_MICROS: i64 = 10_000_000;

/// The clocks of all streams.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct EventClock {
    streams: Vec<Stream>,
    /// Index of the stream of the last event: most come in runs.
    last: usize,
    overflowed: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stream {
    topic: String,
    partition: i32,
    nodes: Vec<Node>,
    last_node: usize,
    /// The newest believable time, and what it was at each of the last 64 events.
    #[serde(with = "micros")]
    newest: Timestamp,
    pace: Vec<i64>,
    pace_at: usize,
    /// The longest recent silence; a sixteen-thousandth is forgotten with every event.
    silence: i64,
    suspects: Suspects,
    /// Watermark at the last tick, and the foremost of all streams' at that moment.
    ticked: i64,
    heard: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Node {
    name: String,
    #[serde(with = "micros")]
    newest: Timestamp,
    /// Generations of idleness: active in the running minute of progress, in the one before.
    seen: [bool; 2],
    /// Its time when the running minute of progress began.
    began: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Suspects {
    in_a_row: u32,
    first_node: usize,
    last_at: i64,
    several_nodes: bool,
}

/// What the clock makes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It counts. `tick` is set when its stream's watermark has moved on by ten seconds.
    Live {
        stream: u32,
        late: bool,
        tick: Option<Timestamp>,
    },
    /// Its time cannot be believed.
    Quarantined,
}

impl EventClock {
    /// Takes note of an event.
    pub(crate) fn admit(
        &mut self,
        origin: &Origin<'_>,
        ts: Timestamp,
        lateness_micros: i64,
        future_micros: i64,
    ) -> Admission {
        let index = self.stream_of(origin, ts);
        let stream = &mut self.streams[index];
        let node = stream.node_of(origin.gateway.as_deref().unwrap_or(""), ts);
        if stream.is_suspicious(ts, future_micros) && !stream.confirms(node, ts, future_micros) {
            return Admission::Quarantined;
        }
        stream.suspects = Suspects::default();
        let late = ts.as_micros() < stream.nodes[node].newest.as_micros() - lateness_micros
            || ts.as_micros() < stream.ticked;
        stream.advance(node, ts);
        let watermark = stream.watermark() - lateness_micros;
        let ticks = watermark >= stream.ticked + TICK_MICROS;
        let tick = ticks.then(|| {
            stream.ticked = watermark.div_euclid(TICK_MICROS) * TICK_MICROS;
            Timestamp::from_micros(stream.ticked)
        });
        if ticks {
            self.streams[index].heard = self.foremost();
        }
        Admission::Live {
            stream: index as u32,
            late,
            tick,
        }
    }

    /// The watermark that a stream has acted upon. One that has stood still while another moved on by more than `patience`
    /// follows that one at this distance.
    pub(crate) fn watermark(&self, stream: u32, patience: Duration) -> Timestamp {
        let Some(stream) = self.streams.get(stream as usize) else {
            return Timestamp::from_micros(i64::MIN);
        };
        let own = Timestamp::from_micros(stream.ticked);
        let foremost = Timestamp::from_micros(self.foremost());
        if Timestamp::from_micros(stream.heard) < foremost - patience {
            own.max(foremost - patience)
        } else {
            own
        }
    }

    fn foremost(&self) -> i64 {
        let ticked = self.streams.iter().map(|stream| stream.ticked);
        ticked.max().unwrap_or(i64::MIN)
    }

    /// Moves every stream's watermark to `until`, if it is behind; whether one was.
    pub(crate) fn pass(&mut self, until: Timestamp) -> bool {
        let ticked = until.as_micros().div_euclid(TICK_MICROS) * TICK_MICROS;
        let mut moved = false;
        for stream in &mut self.streams {
            moved |= stream.ticked < ticked;
            stream.ticked = stream.ticked.max(ticked);
        }
        moved
    }

    /// The watermark that every stream has passed, but for those that are ten minutes behind the foremost: they are waited
    /// for no longer. `newest` minus the allowed lateness, like every watermark.
    pub(crate) fn common_watermark(&self) -> Timestamp {
        let foremost = self.foremost();
        let waited_for = |ticked: &i64| *ticked >= foremost.saturating_sub(WAIT_MICROS);
        let least = self
            .streams
            .iter()
            .map(|s| s.ticked)
            .filter(waited_for)
            .min();
        Timestamp::from_micros(least.unwrap_or(i64::MIN))
    }

    /// The newest believable time of a stream, and that of all.
    pub(crate) fn newest(&self, stream: u32) -> (Timestamp, Timestamp) {
        let all = self.streams.iter().map(|stream| stream.newest);
        let foremost = all.max().unwrap_or(Timestamp::from_micros(i64::MIN));
        (self.newest_of(stream), foremost)
    }

    /// The newest believable time of a stream.
    pub(crate) fn newest_of(&self, stream: u32) -> Timestamp {
        let stream = self.streams.get(stream as usize);
        stream.map_or(Timestamp::from_micros(i64::MIN), |stream| stream.newest)
    }

    /// The index of a stream of which an event was seen.
    pub(crate) fn find(&self, id: &StreamId) -> Option<u32> {
        let is_it = |stream: &Stream| stream.partition == id.partition && stream.topic == id.topic;
        let index = self.streams.iter().position(is_it)?;
        u32::try_from(index).ok()
    }

    /// Streams known, and events of streams or nodes beyond the limit.
    pub(crate) fn stats(&self) -> (usize, u64) {
        (self.streams.len(), self.overflowed)
    }

    fn stream_of(&mut self, origin: &Origin<'_>, ts: Timestamp) -> usize {
        let topic = origin.topic.as_deref().unwrap_or("");
        let partition = origin.partition.unwrap_or(0);
        let is_it = |stream: &Stream| stream.partition == partition && stream.topic == topic;
        if self.streams.get(self.last).is_some_and(is_it) {
            return self.last;
        }
        self.last = match self.streams.iter().position(is_it) {
            Some(index) => index,
            None if self.streams.len() >= MAX_STREAMS => {
                self.overflowed += 1;
                MAX_STREAMS - 1
            }
            None => {
                let heard = self.foremost();
                let stream = Stream::new(topic, partition, ts);
                self.streams.push(Stream { heard, ..stream });
                self.streams.len() - 1
            }
        };
        self.last
    }
}

impl Stream {
    fn new(topic: &str, partition: i32, ts: Timestamp) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            nodes: Vec::new(),
            last_node: 0,
            newest: ts,
            pace: Vec::new(),
            pace_at: 0,
            silence: 0,
            suspects: Suspects::default(),
            ticked: ts.as_micros().saturating_sub(2 * IDLE_MICROS),
            heard: i64::MIN,
        }
    }

    fn node_of(&mut self, name: &str, ts: Timestamp) -> usize {
        if self
            .nodes
            .get(self.last_node)
            .is_some_and(|node| node.name == name)
        {
            return self.last_node;
        }
        self.last_node = match self.nodes.iter().position(|node| node.name == name) {
            Some(index) => index,
            None if self.nodes.len() >= MAX_NODES => MAX_NODES - 1,
            None => {
                self.nodes.push(Node {
                    name: name.to_owned(),
                    newest: ts.min(self.newest),
                    seen: [false; 2],
                    began: ts.as_micros(),
                });
                self.nodes.len() - 1
            }
        };
        self.last_node
    }

    /// Whether `ts` lies further ahead than both the limit and what the last events took.
    fn is_suspicious(&self, ts: Timestamp, future_micros: i64) -> bool {
        let jump = ts.as_micros().saturating_sub(self.newest.as_micros());
        if jump <= future_micros || self.pace.len() < PACE_EVENTS {
            return false;
        }
        let oldest = self.pace[self.pace_at];
        let pace = self.newest.as_micros().saturating_sub(oldest);
        jump > pace.max(self.silence.saturating_mul(SILENCE_FACTOR))
    }

    /// Notes a suspicious event; whether the new time is to be believed by now.
    fn confirms(&mut self, node: usize, ts: Timestamp, agree_micros: i64) -> bool {
        let active = self
            .nodes
            .iter()
            .filter(|node| node.seen.contains(&true))
            .count();
        // Two clocks that are wrong by different times do not confirm each other: the step between two suspects must be
        // small beside the jump that they have in common.
        let jump = ts.as_micros().saturating_sub(self.newest.as_micros());
        let agree_micros = agree_micros.max(jump / 2);
        let suspects = &mut self.suspects;
        let apart = ts
            .as_micros()
            .saturating_sub(suspects.last_at)
            .saturating_abs();
        if suspects.in_a_row == 0 || apart > agree_micros {
            *suspects = Suspects {
                first_node: node,
                ..Suspects::default()
            };
        }
        suspects.last_at = ts.as_micros();
        suspects.several_nodes |= suspects.first_node != node;
        suspects.in_a_row += 1;
        suspects.in_a_row
            >= match (active, suspects.several_nodes) {
                (0 | 1, _) => FROM_THE_ONLY_NODE,
                (_, true) => FROM_SEVERAL_NODES,
                (_, false) => FROM_ONE_OF_SEVERAL,
            }
    }

    fn advance(&mut self, node: usize, ts: Timestamp) {
        self.silence -= self.silence / SILENCE_EVENTS;
        self.silence = self
            .silence
            .max(ts.as_micros().saturating_sub(self.newest.as_micros()));
        self.newest = self.newest.max(ts);
        let newest = self.newest.as_micros();
        if self.pace.len() < PACE_EVENTS {
            self.pace.push(newest);
        } else {
            self.pace[self.pace_at] = newest;
            self.pace_at = (self.pace_at + 1) % PACE_EVENTS;
        }
        let node = &mut self.nodes[node];
        node.seen[0] = true;
        if ts > node.newest {
            node.newest = ts;
            if ts.as_micros() - node.began >= IDLE_MICROS {
                self.begin_generation();
            }
        }
    }

    /// A minute of progress is over: who said nothing in it and in the one before is idle from now on.
    fn begin_generation(&mut self) {
        for node in &mut self.nodes {
            node.seen = [false, node.seen[0]];
            node.began = node.newest.as_micros();
        }
    }

    /// The least of the active nodes' newest times; the stream's own if all are idle.
    fn watermark(&self) -> i64 {
        self.nodes
            .iter()
            .filter(|node| node.seen.contains(&true))
            .map(|node| node.newest.as_micros())
            .min()
            .unwrap_or_else(|| self.newest.as_micros())
    }
}
