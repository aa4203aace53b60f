//! The engine: admits events, finds their tokens, runs the detectors, keeps the cases.

mod blindness;
mod checkpoint;
mod deadlines;
mod found;
mod leaks;
mod registered;
mod sealing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokenwatch_model::{
    AccessEvent, Explanation, Finding, Incident, Outcome, Signal, Timestamp, TokenId, TokenProfile,
    TokenUse,
};

pub use checkpoint::{EngineDelta, RestoreError, TokenDelta};
use deadlines::{circumstances, explains};
use found::{Found, Moment, belongs};
use registered::Life;

use crate::asides::Asides;
use crate::calendar::day_of;
use crate::case::{Case, Circumstances};
use crate::commons::{ANY, Commons, Groups, window_of};
use crate::coverage::Coverage;
use crate::detect::advice::Passed;
use crate::detect::{
    data_volume_spike, dormant_reactivation, failure_burst, insecure_transport, new_endpoint,
    off_hours_use, out_of_scope, rate_spike, slow_drift, token_in_url,
};
use crate::episode::{CONFIRM_AFTER, Episode, Scene};
use crate::event_clock::{Admission, EventClock};
use crate::quotas::Quotas;
use crate::settings::DetectorSettings;
use crate::sources::{Sources, Standing};
use crate::subject::SubjectKey;
use crate::token::{Fact, Token};
use crate::token_table::{AHEAD, Ahead, TokenTable};

/// How far another stream may get on before it ends the episodes of one that stands still. Partitions are days apart while
/// a backlog is caught up with, and who is ahead must not decide what a finding says.
const STREAM_PATIENCE: Duration = Duration::from_hours(24);

/// Detects, in event time. See the crate's documentation.
#[derive(Debug)]
pub struct Engine {
    settings: Arc<DetectorSettings>,
    clock: EventClock,
    tokens: TokenTable,
    commons: Commons,
    sources: Sources,
    quotas: Quotas,
    asides: Asides,
    coverage: Coverage,
    cases: BTreeMap<SubjectKey, Case>,
    /// When each case has to be looked at, at the latest; a case may have postponed it meanwhile.
    deadlines: BTreeSet<(Timestamp, SubjectKey)>,
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
    /// Every new version of an incident, in order.
    pub incidents: Vec<Incident>,
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
    /// Bytes of the largest of them, but for a contest for it.
    pub largest_token_bytes: usize,
    /// Tokens with evidence against them.
    pub cases: usize,
    /// Episodes that go on.
    pub open_episodes: usize,
    /// Streams whose watermark is kept.
    pub streams: usize,
    /// Events of streams beyond the limit, which share a watermark.
    pub streams_overflowed: u64,
    /// Events and gateway nodes beyond the limits of what is watched for silence.
    pub coverage_overflowed: u64,
    /// Tokens forgotten for want of room.
    pub tokens_evicted: u64,
    /// Cases forgotten for want of room.
    pub cases_evicted: u64,
    /// Addresses, networks, systems and routes that somebody tried credentials with.
    pub sources: usize,
    /// Bytes of them.
    pub source_bytes: usize,
    /// Those forgotten for want of room.
    pub sources_evicted: u64,
    /// Events that came late.
    pub late: u64,
    /// Events that were quarantined.
    pub quarantined: u64,
}

/// How an event came.
#[derive(Clone, Copy)]
struct Arrived {
    stream: u32,
    late: bool,
    slot: Ahead,
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
            commons: Commons::default(),
            sources: Sources::default(),
            quotas: Quotas::default(),
            asides: Asides::default(),
            coverage: Coverage::default(),
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
        let told = (out.findings.len(), out.incidents.len());
        for events in events.chunks(AHEAD) {
            let slots = self.tokens.look_ahead(events);
            for (event, slot) in events.iter().zip(slots) {
                self.take(event, slot, &settings, out);
            }
        }
        self.name_owners(out, told);
    }

    /// Takes one event; `slot` is where its token was when the events around it were looked at.
    fn take(
        &mut self,
        event: &AccessEvent<'_>,
        slot: Ahead,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let admission = self.clock.admit(
            &event.origin,
            event.ts,
            settings.lateness_micros,
            settings.future_micros,
        );
        let Admission::Live { stream, late, tick } = admission else {
            out.quarantined += 1;
            self.counts.quarantined += 1;
            return;
        };
        out.late += u64::from(late);
        self.counts.late += u64::from(late);
        let arrival = Arrived { stream, late, slot };
        self.cover(event, arrival, settings, out);
        match &event.token {
            Some(token) => self.observe(event, token, arrival, settings, out),
            None if late => {}
            None => self.sources.note(event, Standing::Anonymous),
        }
        if let Some(watermark) = tick {
            self.follow_stream(stream, settings, out);
            self.seal(settings, out);
            self.close_due(watermark, out);
        }
    }

    /// Nothing came for a while, and nothing before `until` is expected any more: what waits for a time before it is confirmed,
    /// told and closed. Live sources call this when they are silent; a replay never does.
    pub fn pass_time(&mut self, until: Timestamp, out: &mut Detections) {
        if self.clock.pass(until) {
            let settings = Arc::clone(&self.settings);
            let told = (out.findings.len(), out.incidents.len());
            self.coverage.is_live = true;
            self.seal(&settings, out);
            self.coverage.is_live = false;
            self.close_due(until, out);
            self.name_owners(out, told);
        }
    }

    /// The end of a replay: every finding that is still open gets its last state.
    pub fn finish(&mut self, out: &mut Detections) {
        let settings = Arc::clone(&self.settings);
        let told = (out.findings.len(), out.incidents.len());
        self.seal_until(Timestamp::from_micros(i64::MAX), &settings, out);
        let (tokens, commons) = (&self.tokens, &self.commons);
        for (key, case) in &mut self.cases {
            let common_mode = |episode: &Episode, at| explains(commons, episode, at, &settings);
            let circumstances = circumstances(tokens, key, &common_mode, &settings);
            case.finish(key, circumstances, out);
        }
        self.name_owners(out, told);
    }

    /// What the engine knows of a token, for people.
    pub fn profile(&self, id: TokenId) -> Option<TokenProfile> {
        self.tokens
            .find(id)
            .map(|slot| self.tokens.at(slot).profile(&self.settings))
    }

    /// Why there is, or is not, a finding about a token, as of its newest event; `last` is that event, by which modes and
    /// exceptions are chosen.
    pub fn explain(&self, id: TokenId, last: Option<&AccessEvent<'_>>) -> Option<Explanation> {
        let token = self.tokens.at(self.tokens.find(id)?);
        let case = self.cases.get(&SubjectKey::Token(id));
        Some(crate::explain::of(token, case, last, &self.settings))
    }

    /// Sizes and counters. Walks over all tokens: for a metric every few seconds, not for every event.
    pub fn stats(&self) -> EngineStats {
        let (streams, streams_overflowed) = self.clock.stats();
        let episodes = self.cases.values().flat_map(|case| &case.episodes);
        let sources = self.sources.stats();
        EngineStats {
            tokens: self.tokens.len(),
            state_bytes: self.tokens.bytes() + self.quotas.bytes() + self.asides.bytes(),
            largest_token_bytes: self.tokens.largest_bytes(),
            cases: self.cases.len(),
            open_episodes: episodes.filter(|episode| episode.open).count(),
            streams,
            streams_overflowed,
            coverage_overflowed: self.coverage.overflowed(),
            tokens_evicted: self.tokens.evicted(),
            cases_evicted: self.counts.cases_evicted,
            sources: sources.keys,
            source_bytes: sources.bytes,
            sources_evicted: sources.evicted,
            late: self.counts.late,
            quarantined: self.counts.quarantined,
        }
    }

    fn observe(
        &mut self,
        event: &AccessEvent<'_>,
        used: &TokenUse<'_>,
        arrived: Arrived,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let slot = self.slot_for(used.id, event.ts, arrived.slot);
        let token = self.tokens.at_mut(slot);
        if !token.marks.is(Fact::Changed) {
            token.marks.set(Fact::Changed, true);
            self.changed.push(slot);
        }
        let groups = Groups::of(event);
        let silence = event.ts.since(token.newest);
        let before = token.newest;
        let is_known = token.calls > 0;
        token.advance(event.ts, settings);
        let life = Life {
            known: settings.registry.find(used, event.ts),
            passed: Passed {
                before: is_known.then_some(before),
                now: token.newest,
            },
        };
        if day_of(token.newest) > day_of(before)
            && let Some(peaks) = token.yesterdays_peaks(settings)
        {
            self.commons
                .peers
                .record(groups.client(), day_of(token.newest), peaks);
        }
        if let Some((before, window)) = next_window(before, token.newest) {
            token.begin_window(before, window, groups, &self.commons, settings);
        }
        let standing = token.homes.visit(event, token.first_seen());
        // What comes late would count for others or not, depending on how far they are.
        if !arrived.late {
            // Whose token is refused elsewhere than at home is no victim of an outage.
            if event.outcome != Outcome::Denied || standing == Standing::Regular {
                self.commons.count(token, event, groups);
            }
            self.sources.note(event, standing);
        }

        let mut found = Found::default();
        let known = life.known.as_ref();
        found.push(out_of_scope::observe(event, used, known, settings));
        found.observe_registered(token, event, used, &life, &mut self.quotas, settings);
        let popularity = &mut self.commons.popularity;
        found.observe_jwt(&mut self.asides, event, used, life.passed, popularity);
        let visit = found.arrive(token, event, popularity, &mut self.asides, settings);
        found.observe_leak(&mut self.asides, token, event, &life, visit.as_ref());
        found.push(failure_burst::observe(token, event, settings));
        let peers = &self.commons.peers;
        let known_on = day_of(token.newest - CONFIRM_AFTER);
        let caps = || peers.caps(groups.client(), known_on);
        found.push(rate_spike::observe(token, event.ts, &caps, settings));
        found.push(data_volume_spike::observe(token, event, settings));
        if let Some(called) = new_endpoint::observe(token, event, &mut self.commons) {
            found.observe_scope(token, event, &called, &self.commons, settings);
        }
        found.push(off_hours_use::observe(token, event));
        found.push(slow_drift::observe(token, event, settings));
        found.push(dormant_reactivation::observe(
            token, silence, event, settings,
        ));
        if !event.flags.is_empty() {
            let popularity = &mut self.commons.popularity;
            found.push(token_in_url::observe(token, popularity, event));
            found.push(insecure_transport::observe(token, popularity, event));
        }
        if token.marks.is(Fact::HasCase) || !found.hits.is_empty() {
            let moment = Moment {
                slot,
                stream: arrived.stream,
                visit,
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
        let key = SubjectKey::Token(used.id);
        let token = self.tokens.at_mut(moment.slot);
        found.apply_modes(event, settings);
        if !token.marks.is(Fact::HasCase) {
            if found.hits.is_empty() {
                return;
            }
            token.marks.set(Fact::HasCase, true);
            self.cases.insert(key.clone(), Case::new(token.newest));
        }
        let Some(case) = self.cases.get_mut(&key) else {
            return;
        };
        let known = settings.registry.find(used, event.ts);
        case.protected = known.is_some_and(|known| known.entry.protected);
        let commons = &self.commons;
        let common_mode = |episode: &Episode, at| explains(commons, episode, at, settings);
        let circumstances = Circumstances {
            mature: token.active_days >= settings.mature_days,
            common_mode: &common_mode,
        };
        case.advance(&key, token.newest, circumstances, out);
        let scene = Scene {
            event: Some(event),
            now: token.newest,
            stream: moment.stream,
        };
        let hits = &found.hits;
        let belongs = |episode: &Episode| belongs(episode, token, moment, hits, event);
        case.join(&key, &scene, hits, belongs, out);
        for hit in found.hits {
            case.take(&key, hit, &scene, circumstances, out);
        }
        self.schedule(&key);
        self.bound_cases();
    }

    /// The slot of a token, which is new if it was not seen before.
    fn slot_for(&mut self, id: TokenId, ts: Timestamp, ahead: Ahead) -> u32 {
        if let Some(slot) = self.tokens.find_ahead(id, ahead) {
            return slot;
        }
        if self.tokens.is_full() {
            for evicted in self.tokens.evict() {
                self.forget_case(&SubjectKey::Token(evicted));
                self.quotas.forget(evicted);
                self.asides.forget(evicted);
                self.removed.push(evicted);
            }
        }
        self.commons.popularity.takes_up(ANY, ts);
        self.tokens.insert(Token::new(id, ts))
    }
}

/// The half-minutes that two times lie in, if they are different ones.
fn next_window(before: Timestamp, now: Timestamp) -> Option<(u32, u32)> {
    let (before, now) = (window_of(before), window_of(now));
    if before == now {
        return None;
    }
    Some((u32::try_from(before).ok()?, u32::try_from(now).ok()?))
}
