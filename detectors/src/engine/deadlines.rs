//! When each case has to be looked at, and what is looked at then.

use std::sync::Arc;

use tokenwatch_model::Timestamp;

use super::{Detections, Engine, STREAM_PATIENCE};
use crate::case::Circumstances;
use crate::commons::Commons;
use crate::episode::{CONFIRM_AFTER, Episode};
use crate::hit::{Belonging, Stream};
use crate::settings::DetectorSettings;
use crate::subject::SubjectKey;
use crate::token::Fact;
use crate::token_table::TokenTable;

impl Engine {
    /// Confirms and ends episodes whose time has come by the watermark of one stream.
    pub(super) fn close_due(&mut self, watermark: Timestamp, out: &mut Detections) {
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
            // An episode ends by the watermark of the stream that its events came from, unless that stream has stopped;
            // what no stream owns ends by that of all.
            let now = match case.next_deadline() {
                Some((_, u32::MAX)) => self.clock.common_watermark(),
                Some((_, stream)) => self.clock.watermark(stream, STREAM_PATIENCE),
                None => watermark,
            };
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
    pub(super) fn schedule(&mut self, key: &SubjectKey) {
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
    pub(super) fn bound_cases(&mut self) {
        while self.cases.len() > self.settings.max_cases {
            let Some((_, key)) = self.deadlines.first().cloned() else {
                return;
            };
            self.forget_case(&key);
            self.mark_changed(&key);
            self.counts.cases_evicted += 1;
        }
    }

    pub(super) fn forget_case(&mut self, key: &SubjectKey) {
        if let Some(case) = self.cases.remove(key)
            && let Some(scheduled) = case.scheduled
        {
            self.deadlines.remove(&(scheduled, key.clone()));
        }
        if let Some(slot) = key.token().and_then(|id| self.tokens.find(id)) {
            self.tokens.at_mut(slot).marks.set(Fact::HasCase, false);
        }
    }

    pub(super) fn mark_changed(&mut self, key: &SubjectKey) {
        if let Some(slot) = key.token().and_then(|id| self.tokens.find(id)) {
            let marks = &mut self.tokens.at_mut(slot).marks;
            if !marks.is(Fact::Changed) {
                marks.set(Fact::Changed, true);
                self.changed.push(slot);
            }
        }
    }
}

/// What is known of a subject beside its hits.
pub(super) fn circumstances<'c>(
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
pub(super) fn explains(
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
