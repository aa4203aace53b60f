//! `/incidents`: the list, and one incident with its findings and what was done about them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    Detector, Finding, FindingStatus, Incident, Notification, Response, Severity,
};
use tokenwatch_store::queries::{IncidentFilter, IncidentOrder};

use super::findings::{STATUSES, page_error};
use super::input::{Asked, Id, given, limit, named, one, range, search, several};
use super::series::{self, Series};
use crate::problem::ApiError;
use crate::state::DashboardState;

const ORDERS: [IncidentOrder; 3] = [
    IncidentOrder::Newest,
    IncidentOrder::Gravest,
    IncidentOrder::MostRecent,
];
/// How far back a list looks unless told: everything that is kept.
const LIST_SPAN: Duration = Duration::from_hours(400 * 24);

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

#[derive(Serialize)]
struct Story {
    incident: Incident,
    findings: Vec<Finding>,
    series: Series,
    notifications: Vec<Notification>,
    responses: Vec<Response>,
}

pub(super) async fn list(
    State(state): State<DashboardState>,
    Asked(asked): Asked<ListInput>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = limit(asked.limit, 50, 200)?;
    let order = named("sort", asked.sort.as_ref(), &ORDERS, sort_name)?.unwrap_or_default();
    let filter = filter(&asked, &state)?;
    let queries = state.store.queries();
    let page = async {
        let page = queries.incidents(&filter, order, limit, given(asked.cursor.as_ref()));
        page.await.map_err(page_error)
    };
    let total = async { Ok(queries.count_incidents(&filter).await?) };
    let (mut page, total) = tokio::try_join!(page, total)?;
    page.total = Some(total);
    Ok(Json(page))
}

pub(super) async fn show(
    State(state): State<DashboardState>,
    Id(id): Id<String>,
) -> Result<impl IntoResponse, ApiError> {
    let queries = state.store.queries();
    let incident = queries.incident(&id).await?.ok_or(ApiError::NotFound)?;
    let (first, last) = (incident.first_event_at, incident.last_event_at);
    let (findings, series, notifications, responses) = tokio::try_join!(
        queries.findings_by_id(&incident.finding_ids),
        series::around(&state, &incident.subject, first, last),
        queries.notifications_of(&incident.finding_ids),
        queries.responses_to(&incident.finding_ids),
    )?;
    Ok(Json(Story {
        incident,
        findings,
        series,
        notifications,
        responses,
    }))
}

fn filter(asked: &ListInput, state: &DashboardState) -> Result<IncidentFilter, ApiError> {
    let (from, to) = (asked.from.as_ref(), asked.to.as_ref());
    Ok(IncidentFilter {
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
        range: if from.is_some() || to.is_some() {
            Some(range(from, to, LIST_SPAN, state.clock.now())?)
        } else {
            None
        },
    })
}

const fn sort_name(order: IncidentOrder) -> &'static str {
    match order {
        IncidentOrder::Newest => "-detected_at",
        IncidentOrder::Gravest => "-severity",
        IncidentOrder::MostRecent => "-last_event_at",
    }
}
