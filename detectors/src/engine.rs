//! The engine: admits events, finds their tokens, runs the detectors, keeps the cases.

mod checkpoint;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokenwatch_model::{
    AccessEvent, Explanation, Finding, Incident, Signal, Timestamp, TokenId, TokenProfile, TokenUse,
};

pub use checkpoint::{EngineDelta, RestoreError, TokenDelta};

use crate::arrival::Arrival;
use crate::calendar::day_of;
use crate::case::{Case, Circumstances};
use crate::commons::{ANY, Commons, Groups, Popularity, WINDOW_S};
use crate::config::DetectorMode;
use crate::detect::new_endpoint::Called;
use crate::detect::{
    concurrent_use, data_volume_spike, dormant_reactivation, endpoint_enumeration, failure_burst,
    fleet_failure, impossible_travel, insecure_transport, new_client, new_endpoint, new_geography,
    off_hours_use, out_of_scope, privilege_use, rate_spike, slow_drift, token_in_url,
    token_sharing,
};
use crate::episode::{CONFIRM_AFTER, Episode, Scene};
use crate::event_clock::{Admission, EventClock};
use crate::hit::{Belonging, Hit, Stream, Tier};
use crate::rules::Matched;
use crate::settings::DetectorSettings;
use crate::sources::{SourceHit, Sources, Standing};
use crate::subject::SubjectKey;
use crate::token::Token;
use crate::token_table::TokenTable;
use crate::whereabouts::Visit;

/// How far another stream may be ahead before it ends the episodes of one that stands still. Partitions are hours apart
/// while days are caught up with, and who is ahead must not decide how many versions a finding has.
const STREAM_PATIENCE: Duration = Duration::from_hours(24);

/// What speaks against a token that an attacking source was let in with.
const SOURCE_DB: f64 = 20.0;

/// Detects, in event time. See the crate's documentation.
#[derive(Debug)]
pub struct Engine {
    settings: Arc<DetectorSettings>,
    clock: EventClock,
    tokens: TokenTable,
    commons: Commons,
    sources: Sources,
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
            match &event.token {
                Some(token) => self.observe(event, token, stream, &settings, out),
                None => self.sources.note(event, Standing::Anonymous),
            }
            if let Some(watermark) = tick {
                self.seal(&settings, out);
                self.close_due(watermark, out);
            }
        }
    }

    /// The end of a replay: every finding that is still open gets its last state.
    pub fn finish(&mut self, out: &mut Detections) {
        let settings = Arc::clone(&self.settings);
        self.seal_until(Timestamp::from_micros(i64::MAX), &settings, out);
        let (tokens, commons) = (&self.tokens, &self.commons);
        for (key, case) in &mut self.cases {
            let common_mode = |episode: &Episode, at| explains(commons, episode, at, &settings);
            let circumstances = circumstances(tokens, key, &common_mode, &settings);
            case.finish(key, circumstances, out);
        }
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
            state_bytes: self.tokens.bytes(),
            cases: self.cases.len(),
            open_episodes: episodes.filter(|episode| episode.open).count(),
            streams,
            streams_overflowed,
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
        let silence = event.ts.since(token.newest);
        let day = day_of(token.newest);
        token.advance(event.ts, settings);
        if day_of(token.newest) > day
            && let Some(peaks) = token.yesterdays_peaks(settings)
        {
            let client = Groups::of(event).client();
            self.commons
                .peers
                .record(client, day_of(token.newest), peaks);
        }
        let window = u32::try_from(event.ts.as_secs().div_euclid(WINDOW_S)).unwrap_or(0);
        if window > token.mark.window {
            token.begin_window(window, Groups::of(event), &self.commons, settings);
        }
        self.commons.count(token, event);
        let standing = token.homes.visit(event, token.first_seen);
        self.sources.note(event, standing);

        let mut found = Found::default();
        found.push(out_of_scope::observe(event, used, settings));
        let visit = found.arrive(token, event, &mut self.commons.popularity, settings);
        found.push(failure_burst::observe(token, event, settings));
        let peers = &self.commons.peers;
        let caps = || peers.caps(Groups::of(event).client());
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
        if token.marks.has_case || !found.hits.is_empty() {
            let moment = Moment {
                slot,
                stream,
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
        if !token.marks.has_case {
            if found.hits.is_empty() {
                return;
            }
            token.marks.has_case = true;
            self.cases.insert(key.clone(), Case::new(token.newest));
        }
        let Some(case) = self.cases.get_mut(&key) else {
            return;
        };
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

    /// Seals what all streams have passed.
    fn seal(&mut self, settings: &DetectorSettings, out: &mut Detections) {
        self.seal_until(self.clock.common_watermark(), settings, out);
    }

    fn seal_until(
        &mut self,
        watermark: Timestamp,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let mut hits = Vec::new();
        self.commons
            .seal_until(watermark, &settings.fleet, |failure| {
                hits.push(fleet_failure::hit(failure));
            });
        for (hit, decided) in hits {
            let key = SubjectKey::Fleet("fleet".to_owned());
            self.take_sealed(key, hit, decided, settings, out);
        }
        for found in self.sources.seal_until(watermark, settings) {
            self.take_source(found, settings, out);
        }
    }

    /// Hands an attack to its source's case, and what it was let in with to the cases of those tokens.
    fn take_source(&mut self, found: SourceHit, settings: &DetectorSettings, out: &mut Detections) {
        let (decided, counts_from) = (found.decided(), found.counts_from());
        let detector = found.hit.story.detector;
        let name = SubjectKey::Source(found.name);
        self.take_sealed(name, found.hit, decided, settings, out);
        for id in found.helped {
            let Some(slot) = self.tokens.find(id) else {
                continue;
            };
            self.tokens.at_mut(slot).marks.has_case = true;
            let key = SubjectKey::Token(id);
            let case = self
                .cases
                .entry(key.clone())
                .or_insert_with(|| Case::new(counts_from));
            case.park(detector, SOURCE_DB, counts_from);
            self.mark_changed(&key);
            self.schedule(&key);
        }
        self.bound_cases();
    }

    /// Hands a hit of a sealed window to its subject's case.
    fn take_sealed(
        &mut self,
        key: SubjectKey,
        hit: Hit,
        decided: Timestamp,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let mut found = Found { hits: vec![hit] };
        found.apply(&Matched::source(&key.subject().id, decided), settings);
        let Some(hit) = found.hits.pop() else {
            return;
        };
        let case = self
            .cases
            .entry(key.clone())
            .or_insert_with(|| Case::new(decided));
        let commons = &self.commons;
        let common_mode = |episode: &Episode, at| explains(commons, episode, at, settings);
        let circumstances = Circumstances {
            mature: true,
            common_mode: &common_mode,
        };
        let scene = Scene {
            event: None,
            now: decided,
            stream: u32::MAX,
        };
        case.advance(&key, decided, circumstances, out);
        case.take(&key, hit, &scene, circumstances, out);
        self.schedule(&key);
        self.bound_cases();
    }

    /// The slot of a token, which is new if it was not seen before.
    fn slot_for(&mut self, id: TokenId, ts: Timestamp) -> u32 {
        if let Some(slot) = self.tokens.find(id) {
            return slot;
        }
        if self.tokens.is_full() {
            for evicted in self.tokens.evict() {
                self.forget_case(&SubjectKey::Token(evicted));
                self.removed.push(evicted);
            }
        }
        self.commons.popularity.takes_up(ANY, ts);
        self.tokens.insert(Token::new(id, ts))
    }

    /// Confirms and ends episodes whose time has come by the watermark of one stream.
    fn close_due(&mut self, watermark: Timestamp, out: &mut Detections) {
        let settings = Arc::clone(&self.settings);
        let due: Vec<(Timestamp, SubjectKey)> = self
            .deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline < watermark)
            .cloned()
            .collect();
        for (deadline, key) in due {
            let Some(case) = self.cases.get_mut(&key) else {
                self.deadlines.remove(&(deadline, key));
                continue;
            };
            // An episode ends by the watermark of the stream that its events came from, unless that stream is far
            // behind or has ended; what no stream owns ends by that of all.
            let own = match case.next_deadline() {
                Some((_, u32::MAX)) => self.clock.common_watermark(),
                Some((_, stream)) => self.clock.watermark(stream),
                None => watermark,
            };
            let now = own.max(watermark - STREAM_PATIENCE);
            if now <= deadline {
                continue;
            }
            case.scheduled = None;
            let commons = &self.commons;
            let common_mode = |episode: &Episode, at| explains(commons, episode, at, &settings);
            let circumstances = circumstances(&self.tokens, &key, &common_mode, &settings);
            case.expire(&key, now, circumstances, out);
            self.mark_changed(&key);
            self.schedule(&key);
            self.deadlines.remove(&(deadline, key));
        }
    }

    /// Makes sure that the case is looked at when it has to be, or forgets it if nothing is left of it.
    fn schedule(&mut self, key: &SubjectKey) {
        let Some(case) = self.cases.get_mut(key) else {
            return;
        };
        match (case.next_deadline(), case.scheduled) {
            (None, _) => self.forget_case(key),
            // It is looked at early enough, and will be put off then.
            (Some((deadline, _)), Some(scheduled)) if scheduled <= deadline => {}
            (Some((deadline, _)), scheduled) => {
                case.scheduled = Some(deadline);
                if let Some(old) = scheduled {
                    self.deadlines.remove(&(old, key.clone()));
                }
                self.deadlines.insert((deadline, key.clone()));
            }
        }
    }

    /// Forgets the case that would end first if there are too many.
    fn bound_cases(&mut self) {
        while self.cases.len() > self.settings.max_cases {
            let Some((_, key)) = self.deadlines.first().cloned() else {
                return;
            };
            self.forget_case(&key);
            self.mark_changed(&key);
            self.counts.cases_evicted += 1;
        }
    }

    fn forget_case(&mut self, key: &SubjectKey) {
        if let Some(case) = self.cases.remove(key)
            && let Some(scheduled) = case.scheduled
        {
            self.deadlines.remove(&(scheduled, key.clone()));
        }
        if let Some(slot) = key.token().and_then(|id| self.tokens.find(id)) {
            self.tokens.at_mut(slot).marks.has_case = false;
        }
    }

    fn mark_changed(&mut self, key: &SubjectKey) {
        if let Some(slot) = key.token().and_then(|id| self.tokens.find(id)) {
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
    /// Where it came from, if its credential was accepted.
    visit: Option<Visit>,
}

impl Found {
    fn push(&mut self, hit: Option<Hit>) {
        self.hits.extend(hit);
    }

    /// What the place and the client of a call say; where it came from, if its credential was accepted.
    fn arrive(
        &mut self,
        token: &mut Token,
        event: &AccessEvent<'_>,
        popularity: &mut Popularity,
        settings: &DetectorSettings,
    ) -> Option<Visit> {
        let arrival = Arrival::of(token, event, popularity, settings)?;
        self.push(new_client::observe(token, &arrival, settings));
        self.push(new_geography::observe(token, &arrival, settings));
        self.push(impossible_travel::observe(token, &arrival, settings));
        self.push(concurrent_use::observe(token, &arrival, settings));
        self.push(token_sharing::observe(token, &arrival, settings));
        Some(arrival.visit)
    }

    /// What was called, against what the token and its peers call.
    fn observe_scope(
        &mut self,
        token: &mut Token,
        event: &AccessEvent<'_>,
        called: &Called,
        commons: &Commons,
        settings: &DetectorSettings,
    ) {
        self.push(new_endpoint::judge(token, called, event, commons, settings));
        self.push(privilege_use::observe(
            token, event, called, commons, settings,
        ));
        self.push(endpoint_enumeration::observe(
            token, event, called, settings,
        ));
    }

    /// Drops hits of detectors that are off for this call and those that an exception covers, and turns those that may only
    /// signal into signals.
    fn apply_modes(&mut self, event: &AccessEvent<'_>, settings: &DetectorSettings) {
        if self.hits.is_empty() {
            return;
        }
        self.apply(&Matched::of(event), settings);
    }

    fn apply(&mut self, call: &Matched<'_>, settings: &DetectorSettings) {
        self.hits.retain_mut(|hit| {
            let detector = hit.story.detector;
            if settings.rules.exception(detector, call).is_some() {
                return false;
            }
            match settings.mode(detector, call) {
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

/// What is known of a subject beside its hits.
fn circumstances<'c>(
    tokens: &TokenTable,
    key: &SubjectKey,
    common_mode: &'c dyn Fn(&Episode, Timestamp) -> bool,
    settings: &DetectorSettings,
) -> Circumstances<'c> {
    let slot = key.token().and_then(|id| tokens.find(id));
    Circumstances {
        mature: slot.is_none_or(|slot| tokens.at(slot).active_days >= settings.mature_days),
        common_mode,
    }
}

/// Whether what happened to the fleet, or to the token's groups, in the minutes before `at` explains the episode.
fn explains(
    commons: &Commons,
    episode: &Episode,
    at: Timestamp,
    settings: &DetectorSettings,
) -> bool {
    let from = at - 2 * CONFIRM_AFTER;
    let groups = episode.groups;
    match episode.story.belonging {
        Belonging::Count {
            stream:
                Stream::Calls
                | Stream::BytesOut
                | Stream::Distinct
                | Stream::Endpoints
                | Stream::Objects,
            ..
        } => {
            commons.is_surging(groups, from, at, &settings.fleet)
                || commons.is_failing(groups, from, at, &settings.fleet)
        }
        _ => commons.is_failing(groups, from, at, &settings.fleet),
    }
}

/// Whether an event belongs to an open episode of its token; if so, whether it keeps the episode going.
fn belongs(
    episode: &Episode,
    token: &Token,
    moment: &Moment,
    hits: &[Hit],
    event: &AccessEvent<'_>,
) -> Option<bool> {
    match episode.story.belonging {
        Belonging::Count {
            stream,
            scale,
            half,
        } => {
            let count = match stream {
                Stream::Calls => Some(rate_spike::heat(token, scale)),
                Stream::Denied | Stream::NotFound => {
                    failure_burst::heat(token, event, stream, scale)
                }
                Stream::BytesOut => data_volume_spike::heat(token, scale),
                Stream::Endpoints | Stream::Objects | Stream::Actions => {
                    endpoint_enumeration::heat(token, event, stream)
                }
                Stream::Distinct => None,
            };
            count.map(|count| count >= half)
        }
        Belonging::OwnHits => hits
            .iter()
            .any(|hit| hit.story.detector == episode.detector())
            .then_some(true),
        Belonging::Newcomer => {
            let visit = moment.visit?;
            let contest = token.whereabouts.contest()?;
            contest
                .is_newcomer(visit.place, visit.client)
                .then_some(true)
        }
        Belonging::Place(place) => moment.visit?.place?.is_same_as(place).then_some(true),
        Belonging::Client(client) => moment.visit?.client?.is_same_as(client).then_some(true),
        Belonging::Ranges { half } => {
            let counts = token.whereabouts.spread_at(event.ts)?;
            Some(counts.ranges >= half)
        }
    }
}
