//! Why a token has, or has not, a finding at some time: its stored events run through the detectors once more, and what
//! the store knows around them.
//!
//! The engine sees this one token's events only. What it cannot know from them comes from the store: failures of the
//! whole fleet (findings of `fleet_failure`), what the service found then, who was told, which events came late, and
//! when no events came at all.

mod text;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokenwatch_detectors::{Detections, DetectorSettings, Engine};
use tokenwatch_model::{
    AccessEvent, Detector, Explanation, Finding, FindingToken, Notification, Response, Timestamp,
    TokenId,
};
use tokenwatch_store::queries::{
    Arrivals, FindingFilter, FindingOrder, PageError, Queries, TimeRange,
};
use tokenwatch_store::{History, Store, StoreError};

pub(crate) use text::{time, write as write_text};

/// How far back events are read: the longest that a habit remembers, and a week to settle.
const WARM_UP: Duration = Duration::from_hours(35 * 24);
/// Findings that ended longer before are another story.
const FINDINGS_BEFORE: Duration = Duration::from_hours(24);
/// A count is confirmed, and a finding told, within moments of the event.
const FINDINGS_AFTER: Duration = Duration::from_mins(10);
/// Findings told; a token has one for each detector at a time.
const FINDINGS_LIMIT: u32 = 100;
/// Where gaps in the stored events are looked for.
const GAPS_BEFORE: Duration = Duration::from_hours(7 * 24);
/// Shorter ones are ordinary.
const GAP_LEAST: Duration = Duration::from_mins(15);
/// Gaps told, the newest.
const GAPS_LIMIT: usize = 5;
/// Stored later than this after it happened, an event was judged late.
const LATE: Duration = Duration::from_mins(10);
/// Further ahead of the clock than this, an event is not believed; the engine's own default.
const AHEAD: Duration = Duration::from_mins(5);

/// Everything that is known.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    /// The token, as its events name it.
    pub(crate) token: FindingToken,
    /// The time asked about.
    pub(crate) at: Timestamp,
    /// What it rests on.
    pub(crate) events: EventsRead,
    /// What each detector makes of the events, with the configuration at hand; none without events.
    pub(crate) explanation: Option<Explanation>,
    /// What the service found about the token around that time, and who was told.
    pub(crate) findings: Vec<Told>,
    /// Failures of the whole fleet around that time: while one goes on, soft findings of single tokens are held back.
    pub(crate) fleet: Vec<Finding>,
    /// How the token's events of the day before reached the store.
    pub(crate) arrivals: Arrivals,
    /// When no event of anybody is stored, in the week before.
    pub(crate) gaps: Vec<Gap>,
}

/// The events that went through the detectors.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct EventsRead {
    /// Read from here on.
    pub(crate) since: Timestamp,
    /// How many.
    pub(crate) count: u64,
    /// The earliest.
    pub(crate) first: Option<Timestamp>,
    /// The newest.
    pub(crate) last: Option<Timestamp>,
}

/// A stored finding and what was said and done about it.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    pub(crate) finding: Finding,
    pub(crate) notifications: Vec<Notification>,
    pub(crate) responses: Vec<Response>,
}

/// A time without events.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Gap {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// What a replay of one token gave.
struct Replayed {
    events: EventsRead,
    token: FindingToken,
    explanation: Option<Explanation>,
}

/// Explains `token` as of `at`; `read` is told how many events went through, of how many.
pub(crate) async fn explain(
    store: &Store,
    settings: Arc<DetectorSettings>,
    token: TokenId,
    at: Timestamp,
    read: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Account, StoreError> {
    let queries = store.queries();
    let replayed = replay(store, settings, token, at, read).await?;
    let day = TimeRange {
        from: at - FINDINGS_BEFORE,
        to: at + Duration::from_micros(1),
    };
    let week = TimeRange {
        from: at - GAPS_BEFORE,
        to: at,
    };
    let of_token = FindingFilter {
        token: Some(token),
        ..FindingFilter::default()
    };
    let of_fleet = FindingFilter {
        detectors: vec![Detector::FleetFailure],
        ..FindingFilter::default()
    };
    let (findings, fleet, arrivals, gaps) = tokio::try_join!(
        findings_around(&queries, of_token, at),
        findings_around(&queries, of_fleet, at),
        queries.arrivals(token, day, LATE, AHEAD),
        queries.gaps(week, GAP_LEAST),
    )?;
    let mut told = Vec::with_capacity(findings.len());
    for finding in findings {
        told.push(Told {
            notifications: queries.notifications(finding.id).await?,
            responses: queries.responses_to_finding(finding.id).await?,
            finding,
        });
    }
    let gaps = gaps.iter().rev().take(GAPS_LIMIT).map(|gap| Gap {
        from: gap.from,
        to: gap.to,
    });
    Ok(Account {
        token: replayed.token,
        at,
        events: replayed.events,
        explanation: replayed.explanation,
        findings: told,
        fleet,
        arrivals,
        gaps: gaps.collect(),
    })
}

/// Runs the token's events up to `at` through an engine of its own.
async fn replay(
    store: &Store,
    settings: Arc<DetectorSettings>,
    token: TokenId,
    at: Timestamp,
    read: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Replayed, StoreError> {
    let range = TimeRange {
        from: at - WARM_UP,
        to: at + Duration::from_micros(1),
    };
    let mut history: History = store.history(range, Some(token)).await?;
    let total = history.event_count();
    let mut engine = Engine::new(settings);
    let mut events = EventsRead {
        since: range.from,
        count: 0,
        first: None,
        last: None,
    };
    let mut newest: Option<AccessEvent<'static>> = None;
    while let Some(batch) = history.next_batch().await? {
        tokio::task::block_in_place(|| engine.process(&batch, &mut Detections::default()));
        events.count += batch.len() as u64;
        events.first = events.first.or(batch.first().map(|event| event.ts));
        newest = batch.into_iter().next_back().or(newest);
        read(events.count, total);
    }
    // What waits for later events is decided by what time it is.
    engine.pass_time(at, &mut Detections::default());
    events.last = newest.as_ref().map(|event| event.ts);
    let names = newest.as_ref().and_then(|event| event.token.as_ref());
    let name = |text: Option<&std::borrow::Cow<'_, str>>| text.map(ToString::to_string);
    Ok(Replayed {
        events,
        token: FindingToken {
            id: token,
            credential_id: name(names.and_then(|names| names.credential_id.as_ref())),
            consumer: name(names.and_then(|names| names.consumer.as_ref())),
            owner: None,
            team: None,
            environment: None,
        },
        explanation: engine.explain(token, newest.as_ref()),
    })
}

/// The stored findings of `filter` that went on within a day before `at`.
async fn findings_around(
    queries: &Queries,
    mut filter: FindingFilter,
    at: Timestamp,
) -> Result<Vec<Finding>, StoreError> {
    filter.range = Some(TimeRange {
        from: at - WARM_UP,
        to: at + FINDINGS_AFTER,
    });
    let page = queries.findings(&filter, FindingOrder::MostRecent, FINDINGS_LIMIT, None);
    let mut findings = match page.await {
        Ok(page) => page.items,
        Err(PageError::Store(error)) => return Err(error),
        Err(PageError::Cursor(_)) => unreachable!("no cursor was given"),
    };
    findings.retain(|finding| finding.last_event_at >= at - FINDINGS_BEFORE);
    findings.sort_by_key(|finding| (finding.detected_at, finding.id));
    Ok(findings)
}
