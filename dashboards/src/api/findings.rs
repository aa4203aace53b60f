//! `/findings`: the list, one finding with its story, and its events.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    Detector, Finding, FindingId, FindingStatus, Handling, HandlingState, Incident, Notification,
    Response, Saying, Severity, Signal,
};
use tokenwatch_store::queries::{
    EventFilter, EventScope, FindingFilter, FindingOrder, Page, PageError, TimeRange,
};

use super::input::{Asked, Id, given, limit, named, one, range_if_asked, search, several};
use super::series::{self, Series};
use crate::problem::ApiError;
use crate::state::DashboardState;

pub(super) const STATUSES: [FindingStatus; 2] = [FindingStatus::Open, FindingStatus::Closed];
const ORDERS: [FindingOrder; 4] = [
    FindingOrder::Newest,
    FindingOrder::Oldest,
    FindingOrder::Gravest,
    FindingOrder::MostRecent,
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    severity: Option<String>,
    detector: Option<String>,
    status: Option<String>,
    token: Option<String>,
    consumer: Option<String>,
    handling: Option<String>,
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

/// A page, and where people's words leave what is on it; what nobody spoke of is not in `handling`.
#[derive(Serialize)]
pub(super) struct Handled<T> {
    #[serde(flatten)]
    pub(super) page: Page<T>,
    pub(super) handling: BTreeMap<String, Handling>,
}

#[derive(Serialize)]
struct Story {
    finding: Finding,
    incident: Option<Incident>,
    series: Series,
    signals: Vec<Signal>,
    notifications: Vec<Notification>,
    responses: Vec<Response>,
    related: Vec<Finding>,
    handling: Handling,
    sayings: Vec<Saying>,
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
        handling: named(
            "handling",
            asked.handling.as_ref(),
            &HandlingState::ALL,
            HandlingState::name,
        )?,
        q: search("q", asked.q.as_ref())?,
        range: range_if_asked(asked.from.as_ref(), asked.to.as_ref(), state.clock.now())?,
    };
    let queries = state.store.queries();
    let page = async {
        let page = queries.findings(&filter, order, limit, given(asked.cursor.as_ref()));
        page.await.map_err(page_error)
    };
    let total = async { Ok(queries.count_findings(&filter).await?) };
    let (mut page, total) = tokio::try_join!(page, total)?;
    page.total = Some(total);
    let ids: Vec<String> = page.items.iter().map(|one| one.id.to_string()).collect();
    let handling = queries.handling(&ids).await?;
    Ok(Json(Handled { page, handling }))
}

pub(super) async fn show(
    State(state): State<DashboardState>,
    Id(id): Id<FindingId>,
) -> Result<impl IntoResponse, ApiError> {
    let queries = state.store.queries();
    let finding = queries.finding(id).await?.ok_or(ApiError::NotFound)?;
    let (first, last) = (finding.first_event_at, finding.last_event_at);
    let incident = async {
        match &finding.incident_id {
            Some(id) => queries.incident(id).await,
            None => Ok(None),
        }
    };
    let subjects = [id.to_string()];
    let (incident, series, signals, notifications, responses, related, sayings) = tokio::try_join!(
        incident,
        series::around(&state, &finding.subject, first, last),
        queries.signals(id),
        queries.notifications(id),
        queries.responses_to_finding(id),
        queries.related_findings(&finding),
        queries.sayings(&subjects),
    )?;
    Ok(Json(Story {
        finding,
        incident,
        series,
        signals,
        notifications,
        responses,
        related,
        handling: Handling::after(&sayings),
        sayings,
    }))
}

/// Which routes take a finding as they are now, as of its detection.
pub(super) async fn routing(
    State(state): State<DashboardState>,
    Id(id): Id<FindingId>,
) -> Result<impl IntoResponse, ApiError> {
    let finding = state.store.queries().finding(id).await?;
    let finding = finding.ok_or(ApiError::NotFound)?;
    Ok(Json(state.routing.tell(&finding, finding.detected_at)))
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
