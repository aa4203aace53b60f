//! `/responses`: what was done about tokens and what came of it; and what people say about responses that wait or hold.
//!
//! A word is written down here and carried out by the instance that acts, within a second or two.

use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    Finding, OrderRefusal, OrderVerb, Response, ResponseAction, ResponseOrder, ResponseResult,
};
use tokenwatch_store::queries::ResponseFilter;

use super::findings::page_error;
use super::input::{Asked, Body, Id, given, limit, one, range, search, several};
use super::operators::{NOTE_LIMIT, audit, require_admin, text};
use crate::auth::CurrentUser;
use crate::problem::ApiError;
use crate::state::DashboardState;

/// How far back the list looks unless told: everything that is kept.
const LIST_SPAN: Duration = Duration::from_hours(400 * 24);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    result: Option<String>,
    action: Option<String>,
    token: Option<String>,
    finding: Option<String>,
    target: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    #[serde(default)]
    note: String,
}

/// A response with its journal.
#[derive(Serialize)]
struct Story {
    response: Response,
    lines: Vec<Response>,
    orders: Vec<ResponseOrder>,
    finding: Option<Finding>,
    may: May,
}

/// What the user may say of it as it stands.
#[derive(Serialize)]
struct May {
    approve: bool,
    veto: bool,
    undo: bool,
}

#[derive(Serialize)]
struct Said {
    order: ResponseOrder,
    response: Response,
}

pub(super) async fn list(
    State(state): State<DashboardState>,
    Asked(asked): Asked<ListInput>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = limit(asked.limit, 100, 500)?;
    let now = state.clock.now();
    let is_ranged = asked.from.is_some() || asked.to.is_some();
    let asked_range = || range(asked.from.as_ref(), asked.to.as_ref(), LIST_SPAN, now);
    let (result, action) = (asked.result.as_ref(), asked.action.as_ref());
    let filter = ResponseFilter {
        finding: one("finding", asked.finding.as_ref())?,
        token: one("token", asked.token.as_ref())?,
        target: search("target", asked.target.as_ref())?,
        results: several("result", result, &ResponseResult::ALL, ResponseResult::name)?,
        actions: several("action", action, &ResponseAction::ALL, ResponseAction::name)?,
        range: is_ranged.then(asked_range).transpose()?,
    };
    let queries = state.store.queries();
    let page = queries.responses_page(&filter, limit, given(asked.cursor.as_ref()));
    Ok(Json(page.await.map_err(page_error)?))
}

pub(super) async fn show(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<String>,
) -> Result<impl IntoResponse, ApiError> {
    let queries = state.store.queries();
    let lines = queries.response_lines(&id).await?;
    let response = lines.last().cloned().ok_or(ApiError::NotFound)?;
    let orders = state.store.orders_on(&id).await?;
    let finding = queries.finding(response.finding_id).await?;
    let is_admin = require_admin(&user).is_ok();
    let waiting = not_carried_out(&response, &orders);
    let may = |verb| is_admin && response.takes(verb, &user.name, &waiting).is_ok();
    let may = May {
        approve: may(OrderVerb::Approve),
        veto: may(OrderVerb::Veto),
        undo: may(OrderVerb::Undo),
    };
    Ok(Json(Story {
        response,
        lines,
        orders,
        finding,
        may,
    }))
}

pub(super) async fn approve(
    state: State<DashboardState>,
    user: Extension<CurrentUser>,
    id: Id<String>,
    note: Body<Note>,
) -> Result<impl IntoResponse, ApiError> {
    order(state, user, id, note, OrderVerb::Approve).await
}

pub(super) async fn veto(
    state: State<DashboardState>,
    user: Extension<CurrentUser>,
    id: Id<String>,
    note: Body<Note>,
) -> Result<impl IntoResponse, ApiError> {
    order(state, user, id, note, OrderVerb::Veto).await
}

pub(super) async fn undo(
    state: State<DashboardState>,
    user: Extension<CurrentUser>,
    id: Id<String>,
    note: Body<Note>,
) -> Result<impl IntoResponse, ApiError> {
    order(state, user, id, note, OrderVerb::Undo).await
}

async fn order(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<String>,
    Body(asked): Body<Note>,
    verb: OrderVerb,
) -> Result<impl IntoResponse, ApiError> {
    require_admin(&user)?;
    let note = text("note", &asked.note, 0, NOTE_LIMIT)?;
    let (order, response) = say(&state, &user, &id, verb, note).await?;
    Ok((StatusCode::ACCEPTED, Json(Said { order, response })))
}

/// Writes down what `user` says of a response, if that makes sense; with the response as it stood.
pub(crate) async fn say(
    state: &DashboardState,
    user: &CurrentUser,
    id: &str,
    verb: OrderVerb,
    note: String,
) -> Result<(ResponseOrder, Response), ApiError> {
    let response = state.store.response(id).await?.ok_or(ApiError::NotFound)?;
    let said = state.store.orders_on(id).await?;
    let waiting = not_carried_out(&response, &said);
    response
        .takes(verb, &user.name, &waiting)
        .map_err(|refusal: OrderRefusal| ApiError::Conflict(refusal.to_string()))?;
    let now = state.clock.now();
    let order = ResponseOrder {
        response_id: id.to_owned(),
        at: now,
        actor: user.name.clone(),
        verb,
        note,
    };
    let action = match verb {
        OrderVerb::Approve => "response_approved",
        OrderVerb::Veto => "response_vetoed",
        OrderVerb::Undo => "response_undone",
    };
    // The trail first: nothing is done without a trace.
    audit(state, user, action, id, order.note.clone(), now).await?;
    state.store.insert_response_order(&order).await?;
    Ok((order, response))
}

/// What was said since the response's newest line, and may not have been carried out yet.
fn not_carried_out(response: &Response, said: &[ResponseOrder]) -> Vec<ResponseOrder> {
    let waiting = said.iter().filter(|order| order.at >= response.at);
    waiting.cloned().collect()
}
