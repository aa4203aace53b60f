//! `/tokens`: the list, one token, and everything that its page shows.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    CountryCode, Finding, Incident, Outcome, Response, Timestamp, TokenId, TokenProfile,
};
use tokenwatch_store::KnownRegistration;
use tokenwatch_store::queries::{
    EventFilter, EventScope, FindingFilter, FindingOrder, IncidentFilter, IncidentOrder, TimeRange,
    TokenOrder, TokenRow,
};

use super::findings::{Items, page_error};
use super::input::{Asked, Id, given, limit, named, one, range, search};
use super::{registration, series};
use crate::problem::ApiError;
use crate::state::DashboardState;

const ORDERS: [TokenOrder; 3] = [
    TokenOrder::LastSeen,
    TokenOrder::Calls,
    TokenOrder::Findings,
];
/// Findings shown on a token's page.
const FINDINGS_SHOWN: u32 = 50;
/// And incidents.
const INCIDENTS_SHOWN: u32 = 20;
/// What a token's page shows unless told.
const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(30 * 24);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    q: Option<String>,
    sort: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RangeInput {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsInput {
    q: Option<String>,
    outcome: Option<String>,
    method: Option<String>,
    ip: Option<String>,
    country: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainInput {
    at: Option<String>,
}

#[derive(Serialize)]
struct TokenPage {
    token: TokenRow,
    profile: Option<TokenProfile>,
    registration: Option<KnownRegistration>,
    incidents: Vec<Incident>,
    findings: Vec<Finding>,
    responses: Vec<Response>,
}

impl RangeInput {
    fn range(&self, default: Duration, now: Timestamp) -> Result<TimeRange, ApiError> {
        range(self.from.as_ref(), self.to.as_ref(), default, now)
    }
}

pub(super) async fn list(
    State(state): State<DashboardState>,
    Asked(asked): Asked<ListInput>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = limit(asked.limit, 50, 200)?;
    let order = named("sort", asked.sort.as_ref(), &ORDERS, sort_name)?.unwrap_or_default();
    let q = search("q", asked.q.as_ref())?;
    let now = state.clock.now();
    let queries = state.store.queries();
    let page = async {
        let page = queries.tokens(&q, order, limit, given(asked.cursor.as_ref()), now);
        page.await.map_err(page_error)
    };
    let total = async { Ok(queries.count_tokens(&q).await?) };
    let (mut page, total) = tokio::try_join!(page, total)?;
    page.total = Some(total);
    Ok(Json(page))
}

pub(super) async fn show(
    State(state): State<DashboardState>,
    Id(id): Id<TokenId>,
) -> Result<impl IntoResponse, ApiError> {
    let queries = state.store.queries();
    let token = queries.token(id, state.clock.now()).await?;
    let token = token.ok_or(ApiError::NotFound)?;
    let filter = FindingFilter {
        token: Some(id),
        ..FindingFilter::default()
    };
    let findings = async {
        let page = queries.findings(&filter, FindingOrder::Newest, FINDINGS_SHOWN, None);
        page.await.map_err(page_error)
    };
    let of_token = IncidentFilter {
        token: Some(id),
        ..IncidentFilter::default()
    };
    let incidents = async {
        let order = IncidentOrder::MostRecent;
        let page = queries.incidents(&of_token, order, INCIDENTS_SHOWN, None);
        page.await.map_err(page_error)
    };
    let profile = async { Ok(queries.profile(id).await?) };
    let responses = async { Ok(queries.responses_on_token(id).await?) };
    let registration = registration::of_token(&state.store, id, Some(&token));
    let (findings, incidents, profile, responses, registration) =
        tokio::try_join!(findings, incidents, profile, responses, registration)?;
    Ok(Json(TokenPage {
        token,
        profile,
        registration,
        incidents: incidents.items,
        findings: findings.items,
        responses,
    }))
}

pub(super) async fn calls(
    State(state): State<DashboardState>,
    Id(id): Id<TokenId>,
    Asked(asked): Asked<RangeInput>,
) -> Result<impl IntoResponse, ApiError> {
    let range = asked.range(DAY, state.clock.now())?;
    let scope = EventScope::Token(id);
    Ok(Json(series::within(&state, Some(&scope), range).await?))
}

pub(super) async fn geography(
    State(state): State<DashboardState>,
    Id(id): Id<TokenId>,
    Asked(asked): Asked<RangeInput>,
) -> Result<impl IntoResponse, ApiError> {
    let range = asked.range(MONTH, state.clock.now())?;
    let items = state.store.queries().places(id, range).await?;
    Ok(Json(Items { items }))
}

pub(super) async fn routes(
    State(state): State<DashboardState>,
    Id(id): Id<TokenId>,
    Asked(asked): Asked<RangeInput>,
) -> Result<impl IntoResponse, ApiError> {
    let range = asked.range(MONTH, state.clock.now())?;
    let items = state.store.queries().routes(id, range).await?;
    Ok(Json(Items { items }))
}

pub(super) async fn clients(
    State(state): State<DashboardState>,
    Id(id): Id<TokenId>,
    Asked(asked): Asked<RangeInput>,
) -> Result<impl IntoResponse, ApiError> {
    let range = asked.range(MONTH, state.clock.now())?;
    let items = state.store.queries().clients(id, range).await?;
    Ok(Json(Items { items }))
}

pub(super) async fn events(
    State(state): State<DashboardState>,
    Id(id): Id<TokenId>,
    Asked(asked): Asked<EventsInput>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = limit(asked.limit, 100, 500)?;
    let now = state.clock.now();
    let country = given(asked.country.as_ref())
        .map(|text| {
            CountryCode::parse(text)
                .ok_or_else(|| ApiError::BadRequest("country: must be two letters".to_owned()))
        })
        .transpose()?;
    let filter = EventFilter {
        scope: EventScope::Token(id),
        range: range(asked.from.as_ref(), asked.to.as_ref(), MONTH, now)?,
        q: search("q", asked.q.as_ref())?,
        outcome: named(
            "outcome",
            asked.outcome.as_ref(),
            &Outcome::ALL,
            Outcome::name,
        )?,
        method: search("method", asked.method.as_ref())?.to_uppercase(),
        ip: one::<IpAddr>("ip", asked.ip.as_ref())?,
        country,
    };
    let queries = state.store.queries();
    let page = queries.events(&filter, limit, given(asked.cursor.as_ref()));
    Ok(Json(page.await.map_err(page_error)?))
}

pub(super) async fn explain(
    State(state): State<DashboardState>,
    Id(id): Id<TokenId>,
    Asked(asked): Asked<ExplainInput>,
) -> Result<impl IntoResponse, ApiError> {
    let at = one("at", asked.at.as_ref())?.unwrap_or_else(|| state.clock.now());
    Ok(Json(state.explainer.explain(id, at).await?))
}

const fn sort_name(order: TokenOrder) -> &'static str {
    match order {
        TokenOrder::LastSeen => "-last_seen",
        TokenOrder::Calls => "-calls",
        TokenOrder::Findings => "-findings",
    }
}
