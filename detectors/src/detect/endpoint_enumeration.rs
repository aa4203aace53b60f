//! `endpoint_enumeration`: a token tries endpoints or ids, one after the other.
//!
//! Catches walks from id to id (broken object level authorization), far more different endpoints or objects in an hour
//! than the token ever calls, sweeps over paths of which many are forbidden or not found, and sweeps over the services of
//! a cloud account. Misses a patient thief below thirty an hour, and random ids within the token's own habit. Its main
//! false positive is a new export job. Exporters that walk every day are known to. Bytes per token: 12; 152 more from its
//! first busy hour on, 32 for tokens that call cloud APIs.

mod judging;

use tokenwatch_model::{AccessEvent, Outcome};

use super::new_endpoint::Called;
use crate::calendar::hour_of;
use crate::distinct::{Counted, Distinct, discovery_of};
use crate::hash_text;
use crate::hit::{Hit, Stream};
use crate::settings::DetectorSettings;
use crate::token::Token;

/// Calls in an hour from which different things are counted.
const BUSY_CALLS: u32 = 20;
/// Index of the hour among the windows of the rate.
const HOUR_SCALE: usize = 3;

/// Counts what the call called; a hit if it is one of too many.
pub(crate) fn observe(
    token: &mut Token,
    event: &AccessEvent<'_>,
    called: &Called,
    settings: &DetectorSettings,
) -> Option<Hit> {
    if event.http.path.is_none() {
        return observe_action(token, event, called, settings);
    }
    // Streams of one hour: what comes later than that counts for nothing.
    if hour_of(event.ts) != hour_of(token.newest) {
        return None;
    }
    let mut step = None;
    if let Some(object) = &called.endpoint.object
        && let Some(number) = object.number
    {
        step = token.scope.steps.take(object, number);
    }
    begin_if_busy(token);
    let distinct = token.parts.distinct_mut()?;
    distinct.count_call();
    let failing = matches!(event.outcome, Outcome::NotFound) || event.http.status == Some(403);
    let failing = failing
        .then(|| event.http.path.as_deref().map(hash_text))
        .flatten()
        .and_then(|path| distinct.note_failing(path, called.is_foreign));
    let endpoints = distinct.note(Counted::Endpoints, called.endpoint.hash);
    let objects = called
        .endpoint
        .object
        .and_then(|object| distinct.note(Counted::Objects, object.hash));
    if let (Some(_), Some(is_short)) = (objects, step) {
        distinct.note_step(is_short);
    }
    // Only who walks takes a short step: what else the token calls in between does not make it one.
    let walked = objects.filter(|_| step == Some(true));
    failing
        .and_then(|paths| judging::failing_paths(token, paths, settings))
        .or_else(|| walked.and_then(|count| judging::walk(token, count, settings)))
        .or_else(|| {
            objects.and_then(|count| judging::habit(token, Counted::Objects, count, settings))
        })
        .or_else(|| {
            endpoints.and_then(|count| judging::habit(token, Counted::Endpoints, count, settings))
        })
}

/// The count that keeps an episode going: different things in the newest hour, or actions of a sweep.
pub(crate) fn heat(token: &Token, event: &AccessEvent<'_>, stream: Stream) -> Option<u32> {
    match stream {
        Stream::Endpoints => token
            .parts
            .distinct()
            .map(|distinct| distinct.count(Counted::Endpoints)),
        Stream::Objects => token
            .parts
            .distinct()
            .map(|distinct| distinct.count(Counted::Objects)),
        Stream::Actions => {
            discovery_of(&event.http)?;
            token.parts.sweep().map(|sweep| sweep.breadth().0)
        }
        _ => None,
    }
}

/// Begins to count once the token is busy, or walks.
fn begin_if_busy(token: &mut Token) {
    if token.parts.distinct().is_some() {
        return;
    }
    let walks = token.scope.steps.may_walk();
    let (calls, peak) = calls_of_hour(token);
    if calls >= BUSY_CALLS || walks {
        let distinct = Distinct::begin(token.newest, peak.min(f64::from(BUSY_CALLS)));
        token.parts.begin_distinct(distinct);
    }
}

/// The calls of the newest hour, as far as they are counted, and those of the busiest hour of a usual day.
fn calls_of_hour(token: &Token) -> (u32, f64) {
    match &token.rate {
        Some(rate) => {
            let hour = &rate.scales[HOUR_SCALE];
            (hour.count(0), hour.mean_peak())
        }
        None => (0, token.day.mean_peak()),
    }
}

/// The same for the actions of a cloud API, which have no paths: reading ones that are new to the token.
fn observe_action(
    token: &mut Token,
    event: &AccessEvent<'_>,
    called: &Called,
    settings: &DetectorSettings,
) -> Option<Hit> {
    if !called.is_new {
        return None;
    }
    let discovery = discovery_of(&event.http)?;
    let refused = event.outcome == Outcome::Denied;
    token.parts.sweep_mut().note(discovery, refused, event.ts);
    judging::sweep(token, settings)
}
