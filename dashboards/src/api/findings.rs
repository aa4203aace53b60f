//! `/findings`: the list, one finding with its story, and its events.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    Detector, Finding, FindingId, FindingStatus, Notification, Response, Severity, Signal,
    Timestamp,
};
use tokenwatch_store::StoreError;
use tokenwatch_store::queries::{
    BandPoint, CallPoint, EventFilter, EventScope, FindingFilter, FindingOrder, PageError,
    TimeGrid, TimeRange, baseline_band,
};

use super::input::{Asked, Id, given, limit, named, one, range, search, several};
use crate::problem::ApiError;
use crate::state::DashboardState;

const STATUSES: [FindingStatus; 2] = [FindingStatus::Open, FindingStatus::Closed];
const ORDERS: [FindingOrder; 4] = [
    FindingOrder::Newest,
    FindingOrder::Oldest,
    FindingOrder::Gravest,
    FindingOrder::MostRecent,
];
/// How far back a list looks unless told: everything that is kept.
const LIST_SPAN: Duration = Duration::from_hours(400 * 24);
/// What is drawn before a finding: as long again as it lasted, between three hours and three days.
const BEFORE_LEAST: Duration = Duration::from_hours(3);
const BEFORE_MOST: Duration = Duration::from_hours(3 * 24);
/// What is drawn behind it.
const AFTER: Duration = Duration::from_mins(30);
/// The longest part of a finding that is drawn.
const DRAWN_MOST: Duration = Duration::from_hours(14 * 24);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    severity: Option<String>,
    detector: Option<String>,
    status: Option<String>,
    token: Option<String>,
    consumer: Option<String>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    sort: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsInput {
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Story {
    finding: Finding,
    series: Series,
    signals: Vec<Signal>,
    notifications: Vec<Notification>,
    responses: Vec<Response>,
    related: Vec<Finding>,
}

#[derive(Serialize)]
struct Series {
    from: Timestamp,
    to: Timestamp,
    step_s: u64,
    points: Vec<CallPoint>,
    band: Vec<BandPoint>,
}

pub(super) async fn list(
    State(state): State<DashboardState>,
    Asked(asked): Asked<ListInput>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = limit(asked.limit, 50, 200)?;
    let order = named("sort", asked.sort.as_ref(), &ORDERS, sort_name)?.unwrap_or_default();
    let filter = FindingFilter {
        severities: several(
            "severity",
            asked.severity.as_ref(),
            &Severity::ALL,
            Severity::name,
        )?,
        detectors: several(
            "detector",
            asked.detector.as_ref(),
            &Detector::ALL,
            Detector::name,
        )?,
        status: named(
            "status",
            asked.status.as_ref(),
            &STATUSES,
            FindingStatus::name,
        )?,
        token: one("token", asked.token.as_ref())?,
        consumer: search("consumer", asked.consumer.as_ref())?,
        q: search("q", asked.q.as_ref())?,
        range: if asked.from.is_some() || asked.to.is_some() {
            let now = state.clock.now();
            Some(range(
                asked.from.as_ref(),
                asked.to.as_ref(),
                LIST_SPAN,
                now,
            )?)
        } else {
            None
        },
    };
    let queries = state.store.queries();
    let page = async {
        let page = queries.findings(&filter, order, limit, given(asked.cursor.as_ref()));
        page.await.map_err(page_error)
    };
    let total = async { Ok(queries.count_findings(&filter).await?) };
    let (mut page, total) = tokio::try_join!(page, total)?;
    page.total = Some(total);
    Ok(Json(page))
}

pub(super) async fn show(
    State(state): State<DashboardState>,
    Id(id): Id<FindingId>,
) -> Result<impl IntoResponse, ApiError> {
    let queries = state.store.queries();
    let finding = queries.finding(id).await?.ok_or(ApiError::NotFound)?;
    let (series, signals, notifications, responses, related) = tokio::try_join!(
        draw(&state, &finding),
        queries.signals(id),
        queries.notifications(id),
        queries.responses_to_finding(id),
        queries.related_findings(&finding),
    )?;
    Ok(Json(Story {
        finding,
        series,
        signals,
        notifications,
        responses,
        related,
    }))
}

pub(super) async fn events(
    State(state): State<DashboardState>,
    Id(id): Id<FindingId>,
    Asked(asked): Asked<EventsInput>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = limit(asked.limit, 100, 500)?;
    let queries = state.store.queries();
    let finding = queries.finding(id).await?.ok_or(ApiError::NotFound)?;
    let Some(scope) = EventScope::of_subject(&finding.subject) else {
        return Err(ApiError::NotFound);
    };
    let filter = EventFilter::all(
        scope,
        TimeRange {
            from: finding.first_event_at,
            // The end of a range is not part of it, and the last event is.
            to: finding.last_event_at + Duration::from_micros(1),
        },
    );
    let page = queries.events(&filter, limit, given(asked.cursor.as_ref()));
    Ok(Json(page.await.map_err(page_error)?))
}

/// The subject's calls around a finding, on the token's baseline where there is one.
async fn draw(state: &DashboardState, finding: &Finding) -> Result<Series, StoreError> {
    let grid = TimeGrid::fitting(drawn_range(finding));
    let queries = state.store.queries();
    let points = async {
        match EventScope::of_subject(&finding.subject) {
            Some(scope) => queries.calls(&scope, &grid).await,
            None => Ok(Vec::new()),
        }
    };
    let profile = async {
        match EventScope::of_subject(&finding.subject) {
            Some(EventScope::Token(id)) => queries.profile(id).await,
            _ => Ok(None),
        }
    };
    let (points, profile) = tokio::try_join!(points, profile)?;
    Ok(Series {
        from: grid.range.from,
        to: grid.range.to,
        step_s: grid.step.as_secs(),
        points,
        band: profile.map_or_else(Vec::new, |profile| baseline_band(&profile, &grid)),
    })
}

fn drawn_range(finding: &Finding) -> TimeRange {
    let length = finding.last_event_at.since(finding.first_event_at);
    let from = finding.first_event_at - length.clamp(BEFORE_LEAST, BEFORE_MOST);
    TimeRange {
        from,
        to: finding.first_event_at + length.min(DRAWN_MOST) + AFTER,
    }
}

const fn sort_name(order: FindingOrder) -> &'static str {
    match order {
        FindingOrder::Newest => "-detected_at",
        FindingOrder::Oldest => "detected_at",
        FindingOrder::Gravest => "-severity",
        FindingOrder::MostRecent => "-last_event_at",
    }
}

/// A page's error: a cursor that is not ours is the client's mistake.
pub(super) fn page_error(error: PageError) -> ApiError {
    match error {
        PageError::Cursor(error) => ApiError::BadRequest(format!("cursor: {error}")),
        PageError::Store(error) => error.into(),
    }
}

/// A list that fits on one page.
#[derive(Serialize)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
}
