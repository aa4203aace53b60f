//! What the detectors found at one event, and which open episodes the event belongs to.

use tokenwatch_model::AccessEvent;

use crate::arrival::Arrival;
use crate::asides::Asides;
use crate::commons::{Commons, Popularity};
use crate::config::DetectorMode;
use crate::detect::new_endpoint::Called;
use crate::detect::{
    binding_mismatch, concurrent_use, data_volume_spike, endpoint_enumeration, failure_burst,
    impossible_travel, new_client, new_endpoint, new_geography, privilege_use, rate_spike,
    token_sharing,
};
use crate::episode::Episode;
use crate::hit::{Belonging, Hit, Stream, Tier};
use crate::rules::Matched;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::whereabouts::Visit;

/// Hits of one event.
#[derive(Default)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
}

/// What the slow path needs to know of the event beside the event.
pub(super) struct Moment {
    pub(super) slot: u32,
    pub(super) stream: u32,
    /// Where it came from, if its credential was accepted.
    pub(super) visit: Option<Visit>,
}

impl Found {
    pub(super) fn push(&mut self, hit: Option<Hit>) {
        self.hits.extend(hit);
    }

    /// What the place and the client of a call say; where it came from, if its credential was accepted.
    pub(super) fn arrive(
        &mut self,
        token: &mut Token,
        event: &AccessEvent<'_>,
        popularity: &mut Popularity,
        asides: &mut Asides,
        settings: &DetectorSettings,
    ) -> Option<Visit> {
        let arrival = Arrival::of(token, event, popularity, settings)?;
        self.push(new_client::observe(token, &arrival, settings));
        self.push(new_geography::observe(token, &arrival, settings));
        self.push(impossible_travel::observe(token, &arrival, settings));
        self.push(concurrent_use::observe(token, &arrival, settings));
        self.push(binding_mismatch::observe_client(
            asides,
            token.id(),
            &arrival,
        ));
        self.push(token_sharing::observe(token, &arrival, settings));
        Some(arrival.visit)
    }

    /// What was called, against what the token and its peers call.
    pub(super) fn observe_scope(
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
    pub(super) fn apply_modes(&mut self, event: &AccessEvent<'_>, settings: &DetectorSettings) {
        if self.hits.is_empty() {
            return;
        }
        self.apply(&Matched::of(event), settings);
    }

    pub(super) fn apply(&mut self, call: &Matched<'_>, settings: &DetectorSettings) {
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

/// Whether an event belongs to an open episode of its token; if so, whether it keeps the episode going.
pub(super) fn belongs(
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
        Belonging::OwnHits | Belonging::Standing => hits
            .iter()
            .any(|hit| hit.story.detector == episode.detector())
            .then_some(true),
        // Half-minutes of all tokens, no events, belong to it.
        Belonging::Together(_) => None,
        Belonging::Newcomer => {
            let visit = moment.visit?;
            let contest = token.parts.roaming()?.contest()?;
            contest
                .is_newcomer(visit.place, visit.client)
                .then_some(true)
        }
        Belonging::Place(place) => moment.visit?.place?.is_same_as(place).then_some(true),
        Belonging::Client(client) => moment.visit?.client?.is_same_as(client).then_some(true),
        Belonging::Ranges { half } => {
            let counts = token.parts.roaming()?.spread_at(event.ts);
            Some(counts.ranges >= half)
        }
    }
}
