//! Half-minutes that all streams have passed: what happened to the fleet and to sources in them becomes hits.

use std::time::Duration;

use tokenwatch_model::Timestamp;

use super::deadlines::explains;
use super::found::Found;
use super::{Detections, Engine};
use crate::case::{Case, Circumstances};
use crate::commons::{Groups, READ_LAG_S};
use crate::detect::fleet_failure;
use crate::episode::{Episode, Scene};
use crate::hit::Hit;
use crate::rules::Matched;
use crate::settings::DetectorSettings;
use crate::sources::SourceHit;
use crate::subject::SubjectKey;
use crate::token::Fact;

/// What speaks against a token that an attacking source was let in with.
const SOURCE_DB: f64 = 20.0;

impl Engine {
    /// Seals what all streams have passed.
    pub(super) fn seal(&mut self, settings: &DetectorSettings, out: &mut Detections) {
        self.seal_until(self.clock.common_watermark(), settings, out);
    }

    pub(super) fn seal_until(
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
            self.take_sealed(&key, hit, decided, settings, out);
        }
        let commons = &self.commons;
        let outage = |from: Timestamp, to: Timestamp| {
            let read = to + Duration::from_secs(READ_LAG_S.unsigned_abs());
            commons.is_failing(Groups::default(), from, read, &settings.fleet)
        };
        for found in self.sources.seal_until(watermark, settings, outage) {
            self.take_source(found, settings, out);
        }
        self.seal_coverage(watermark, settings, out);
    }

    /// Hands an attack to its source's case, and what it was let in with to the cases of those tokens.
    pub(super) fn take_source(
        &mut self,
        found: SourceHit,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let (decided, counts_from) = (found.decided(), found.counts_from());
        let detector = found.hit.story.detector;
        let name = SubjectKey::Source(found.name);
        self.take_sealed(&name, found.hit, decided, settings, out);
        for id in found.helped {
            let Some(slot) = self.tokens.find(id) else {
                continue;
            };
            self.tokens.at_mut(slot).marks.set(Fact::HasCase, true);
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
    pub(super) fn take_sealed(
        &mut self,
        key: &SubjectKey,
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
        case.advance(key, decided, circumstances, out);
        case.take(key, hit, &scene, circumstances, out);
        self.schedule(key);
        self.bound_cases();
    }
}
