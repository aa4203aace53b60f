//! The engine: admits events, finds their tokens, runs the detectors, keeps the cases.

mod checkpoint;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokenwatch_model::{
    AccessEvent, Detector, Finding, Signal, Timestamp, TokenId, TokenProfile, TokenUse,
};

pub use checkpoint::{EngineDelta, RestoreError, TokenDelta};

use crate::case::{Case, Circumstances};
use crate::config::DetectorMode;
use crate::contest::Contest;
use crate::detect::{failure_burst, new_geography, out_of_scope, rate_spike};
use crate::episode::{Episode, Scene};
use crate::event_clock::{Admission, EventClock};
use crate::fleet::Fleet;
use crate::hit::{Hit, Story, Tier};
use crate::places::PlaceKey;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::token_table::TokenTable;

/// How far another stream may be ahead before it ends the episodes of one that stands still. Partitions are hours apart
/// while days are caught up with, and who is ahead must not decide how many versions a finding has.
const STREAM_PATIENCE: Duration = Duration::from_hours(24);

/// Detects, in event time. See the crate's documentation.
#[derive(Debug)]
pub struct Engine {
    settings: Arc<DetectorSettings>,
    clock: EventClock,
    tokens: TokenTable,
    fleet: Fleet,
    cases: BTreeMap<TokenId, Case>,
    /// When each case has to be looked at, at the latest; a case may have postponed it meanwhile.
    deadlines: BTreeSet<(Timestamp, TokenId)>,
    /// Slots of tokens that changed since the last checkpoint; a forgotten token's may be in use by another.
    changed: Vec<u32>,
    removed: Vec<TokenId>,
    counts: Counts,
}

/// What [`Engine::process`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detections {
    /// Raw hits.
    pub signals: Vec<Signal>,
    /// Every new version of a finding, in order.
    pub findings: Vec<Finding>,
    /// Events that came later than allowed; they count where their window is still open.
    pub late: u64,
    /// Events whose time lies too far ahead to be believed; they count for nothing.
    pub quarantined: u64,
}

/// How large the engine is, and what its limits cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Tokens whose habits are kept.
    pub tokens: usize,
    /// Bytes of their states, of the index and of unused room.
    pub state_bytes: usize,
    /// Tokens with evidence against them.
    pub cases: usize,
    /// Episodes that go on.
    pub open_episodes: usize,
    /// Streams whose watermark is kept.
    pub streams: usize,
    /// Events of streams beyond the limit, which share a watermark.
    pub streams_overflowed: u64,
    /// Tokens forgotten for want of room.
    pub tokens_evicted: u64,
    /// Cases forgotten for want of room.
    pub cases_evicted: u64,
    /// Events that came late.
    pub late: u64,
    /// Events that were quarantined.
    pub quarantined: u64,
}

#[derive(Debug, Default)]
struct Counts {
    cases_evicted: u64,
    late: u64,
    quarantined: u64,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(settings: Arc<DetectorSettings>) -> Self {
        Self {
            tokens: TokenTable::new(settings.max_tokens),
            settings,
            clock: EventClock::default(),
            fleet: Fleet::default(),
            cases: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            changed: Vec::new(),
            removed: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Takes events in the order in which they were read; what they lead to is added to `out`. The result does not
    /// depend on how the events are cut into batches.
    pub fn process(&mut self, events: &[AccessEvent<'_>], out: &mut Detections) {
        let settings = Arc::clone(&self.settings);
        for event in events {
            let admission = self.clock.admit(
                &event.origin,
                event.ts,
                settings.lateness_micros,
                settings.future_micros,
            );
            let Admission::Live { stream, late, tick } = admission else {
                out.quarantined += 1;
                self.counts.quarantined += 1;
                continue;
            };
            out.late += u64::from(late);
            self.counts.late += u64::from(late);
            if let Some(token) = &event.token {
                self.observe(event, token, stream, &settings, out);
            }
            if let Some(watermark) = tick {
                self.close_due(watermark, out);
            }
        }
    }

    /// The end of a replay: every finding that is still open gets its last state.
    pub fn finish(&mut self, out: &mut Detections) {
        for (id, case) in &mut self.cases {
            case.finish(*id, out);
        }
    }

    /// What the engine knows of a token, for people.
    pub fn profile(&self, id: TokenId) -> Option<TokenProfile> {
        self.tokens
            .find(id)
            .map(|slot| self.tokens.at(slot).profile(&self.settings))
    }

    /// Sizes and counters. Walks over all tokens: for a metric every few seconds, not for every event.
    pub fn stats(&self) -> EngineStats {
        let (streams, streams_overflowed) = self.clock.stats();
        let episodes = self.cases.values().flat_map(|case| &case.episodes);
        EngineStats {
            tokens: self.tokens.len(),
            state_bytes: self.tokens.bytes(),
            cases: self.cases.len(),
            open_episodes: episodes.filter(|episode| episode.open).count(),
            streams,
            streams_overflowed,
            tokens_evicted: self.tokens.evicted(),
            cases_evicted: self.counts.cases_evicted,
            late: self.counts.late,
            quarantined: self.counts.quarantined,
        }
    }

    fn observe(
        &mut self,
        event: &AccessEvent<'_>,
        used: &TokenUse<'_>,
        stream: u32,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let slot = self.slot_for(used.id, event.ts);
        let token = self.tokens.at_mut(slot);
        if !token.marks.changed {
            token.marks.changed = true;
            self.changed.push(slot);
        }
        token.advance(event.ts, settings);
        self.fleet.count(&mut token.fleet, event.ts, event.outcome);

        let mut found = Found::default();
        found.push(out_of_scope::observe(event, used, settings));
        let scope_hit = !found.hits.is_empty();
        let place = PlaceKey::of(&event.client);
        let novelty = place.and_then(|key| new_geography::observe(token, key, event, settings));
        found.push(novelty.and_then(|news| new_geography::judge(token, news, event, settings)));
        let challenged = found.hits.len() > usize::from(scope_hit);
        let fleet = &self.fleet;
        let common_mode = || fleet.is_failing(event.ts, &settings.failure);
        found.push(failure_burst::observe(token, event, common_mode, settings));
        found.push(rate_spike::observe(token, event.ts, settings));
        if token.marks.has_case || !found.hits.is_empty() {
            let moment = Moment {
                slot,
                stream,
                place,
                scope_hit,
                challenged,
            };
            self.follow(event, used, &moment, found, settings, out);
        }
    }

    /// The slow path: the token has a case, or is about to get one.
    fn follow(
        &mut self,
        event: &AccessEvent<'_>,
        used: &TokenUse<'_>,
        moment: &Moment,
        mut found: Found,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let id = used.id;
        let token = self.tokens.at_mut(moment.slot);
        found.apply_modes(used, settings);
        if !token.marks.has_case {
            if found.hits.is_empty() {
                return;
            }
            token.marks.has_case = true;
            self.cases.insert(id, Case::new(token.newest));
        }
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        case.advance(id, token.newest, out);
        if let Some(key) = moment.place {
            if moment.challenged {
                new_geography::challenge(case, token, key, event);
            }
            found.push(new_geography::contest(case, token, key, event, settings));
            found.apply_modes(used, settings);
        }
        let scene = Scene {
            event,
            now: token.newest,
            stream: moment.stream,
        };
        let contest = case.contest.clone();
        let belongs = |episode: &Episode| belongs(episode, token, moment, contest.as_ref(), event);
        case.join(id, &scene, &found.hits, belongs, out);
        let circumstances = Circumstances {
            mature: token.active_days >= settings.mature_days,
            common_mode: self.fleet.is_failing(event.ts, &settings.failure),
        };
        for hit in found.hits {
            case.take(id, hit, &scene, circumstances, out);
        }
        self.schedule(id);
        self.bound_cases();
    }

    /// The slot of a token, which is new if it was not seen before.
    fn slot_for(&mut self, id: TokenId, ts: Timestamp) -> u32 {
        if let Some(slot) = self.tokens.find(id) {
            return slot;
        }
        if self.tokens.is_full() {
            for evicted in self.tokens.evict() {
                self.forget_case(evicted);
                self.removed.push(evicted);
            }
        }
        self.tokens.insert(Token::new(id, ts))
    }

    /// Ends episodes whose time has come by the watermark of one stream.
    fn close_due(&mut self, watermark: Timestamp, out: &mut Detections) {
        let due: Vec<(Timestamp, TokenId)> = self
            .deadlines
            .range(..(watermark, TokenId::from_bits(0)))
            .copied()
            .collect();
        for (deadline, id) in due {
            let Some(case) = self.cases.get_mut(&id) else {
                self.deadlines.remove(&(deadline, id));
                continue;
            };
            // An episode ends by the watermark of the stream that its events came from, unless that stream is far
            // behind or has ended.
            let own = case
                .next_deadline()
                .map_or(watermark, |(_, stream)| self.clock.watermark(stream));
            let now = own.max(watermark - STREAM_PATIENCE);
            if now <= deadline {
                continue;
            }
            self.deadlines.remove(&(deadline, id));
            case.scheduled = None;
            case.expire(id, now, out);
            self.mark_changed(id);
            self.schedule(id);
        }
    }

    /// Makes sure that the case is looked at when it has to be, or forgets it if nothing is left of it.
    fn schedule(&mut self, id: TokenId) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        match (case.next_deadline(), case.scheduled) {
            (None, _) => self.forget_case(id),
            // It is looked at early enough, and will be put off then.
            (Some((deadline, _)), Some(scheduled)) if scheduled <= deadline => {}
            (Some((deadline, _)), scheduled) => {
                case.scheduled = Some(deadline);
                if let Some(old) = scheduled {
                    self.deadlines.remove(&(old, id));
                }
                self.deadlines.insert((deadline, id));
            }
        }
    }

    /// Forgets the case that would end first if there are too many.
    fn bound_cases(&mut self) {
        while self.cases.len() > self.settings.max_cases {
            let Some((_, id)) = self.deadlines.first().copied() else {
                return;
            };
            self.forget_case(id);
            self.mark_changed(id);
            self.counts.cases_evicted += 1;
        }
    }

    fn forget_case(&mut self, id: TokenId) {
        if let Some(case) = self.cases.remove(&id)
            && let Some(scheduled) = case.scheduled
        {
            self.deadlines.remove(&(scheduled, id));
        }
        if let Some(slot) = self.tokens.find(id) {
            self.tokens.at_mut(slot).marks.has_case = false;
        }
    }

    fn mark_changed(&mut self, id: TokenId) {
        if let Some(slot) = self.tokens.find(id) {
            let marks = &mut self.tokens.at_mut(slot).marks;
            if !marks.changed {
                marks.changed = true;
                self.changed.push(slot);
            }
        }
    }
}

/// Hits of one event.
#[derive(Default)]
struct Found {
    hits: Vec<Hit>,
}

/// What the slow path needs to know of the event beside the event.
struct Moment {
    slot: u32,
    stream: u32,
    place: Option<PlaceKey>,
    scope_hit: bool,
    challenged: bool,
}

impl Found {
    fn push(&mut self, hit: Option<Hit>) {
        self.hits.extend(hit);
    }

    /// Drops hits of detectors that are off for this token, and turns those that may only signal into signals.
    fn apply_modes(&mut self, used: &TokenUse<'_>, settings: &DetectorSettings) {
        self.hits.retain_mut(|hit| {
            let detector: Detector = hit.story.detector();
            let credential = used.credential_id.as_deref();
            match settings.mode(detector, used.id, credential, used.consumer.as_deref()) {
                DetectorMode::Off => false,
                DetectorMode::Signal => {
                    hit.tier = Tier::Signal;
                    true
                }
                DetectorMode::On => true,
            }
        });
    }
}

/// Whether an event belongs to an open episode of its token; if so, whether it keeps the episode going.
fn belongs(
    episode: &Episode,
    token: &Token,
    moment: &Moment,
    contest: Option<&Contest>,
    event: &AccessEvent<'_>,
) -> Option<bool> {
    let hot = |count: fn(&Token, u8) -> u32| {
        episode
            .heat
            .is_some_and(|heat| count(token, heat.scale) >= heat.half)
    };
    match &episode.story {
        Story::Scope(_) => moment.scope_hit.then_some(true),
        Story::Rate(_) => Some(hot(rate_spike::heat)),
        Story::Failures(story) if failure_burst::belongs(event, story.kind) => {
            let heat = episode.heat?;
            Some(failure_burst::heat(token, story.kind, heat.scale) >= heat.half)
        }
        Story::Failures(_) => None,
        Story::Place(_) => {
            let key = moment.place?;
            contest
                .is_some_and(|contest| contest.is_newcomer(key))
                .then_some(true)
        }
    }
}
