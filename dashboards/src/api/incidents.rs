//! `/incidents`: the list, and one incident with its findings and what was done about them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    Detector, Finding, FindingStatus, Handling, Incident, Notification, Response, Saying, Severity,
};
use tokenwatch_store::queries::{IncidentFilter, IncidentOrder};

use super::findings::{Handled, STATUSES, page_error};
use super::input::{Asked, Id, given, limit, named, one, range_if_asked, search, several};
use super::series::{self, Series};
use crate::problem::ApiError;
use crate::state::DashboardState;

const ORDERS: [IncidentOrder; 3] = [
    IncidentOrder::Newest,
    IncidentOrder::Gravest,
    IncidentOrder::MostRecent,
];

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
    handling: Handling,
    sayings: Vec<Saying>,
    /// Of its findings, by their ids.
    findings_handling: BTreeMap<String, Handling>,
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
    let ids: Vec<String> = page.items.iter().map(|one| one.id.clone()).collect();
    let handling = queries.handling(&ids).await?;
    Ok(Json(Handled { page, handling }))
}

pub(super) async fn show(
    State(state): State<DashboardState>,
    Id(id): Id<String>,
) -> Result<impl IntoResponse, ApiError> {
    let queries = state.store.queries();
    let incident = queries.incident(&id).await?.ok_or(ApiError::NotFound)?;
    let (first, last) = (incident.first_event_at, incident.last_event_at);
    let ids: Vec<String> = incident
        .finding_ids
        .iter()
        .map(ToString::to_string)
        .collect();
    let subjects = [id];
    let (findings, series, notifications, responses, sayings, findings_handling) = tokio::try_join!(
        queries.findings_by_id(&incident.finding_ids),
        series::around(&state, &incident.subject, first, last),
        queries.notifications_of(&incident.finding_ids),
        queries.responses_to(&incident.finding_ids),
        queries.sayings(&subjects),
        queries.handling(&ids),
    )?;
    Ok(Json(Story {
        incident,
        findings,
        series,
        notifications,
        responses,
        handling: Handling::after(&sayings),
        sayings,
        findings_handling,
    }))
}

fn filter(asked: &ListInput, state: &DashboardState) -> Result<IncidentFilter, ApiError> {
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
        range: range_if_asked(asked.from.as_ref(), asked.to.as_ref(), state.clock.now())?,
    })
}

const fn sort_name(order: IncidentOrder) -> &'static str {
    match order {
        IncidentOrder::Newest => "-detected_at",
        IncidentOrder::Gravest => "-severity",
        IncidentOrder::MostRecent => "-last_event_at",
    }
}
