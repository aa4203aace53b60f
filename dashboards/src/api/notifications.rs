//! `/notifications`: the ledger of what was sent, muted, grouped, failed or tried again, to whom and why.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tokenwatch_model::NotificationResult;
use tokenwatch_store::queries::NotificationFilter;

use super::findings::page_error;
use super::input::{Asked, given, limit, one, range_if_asked, search, several};
use crate::problem::ApiError;
use crate::state::DashboardState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    finding: Option<String>,
    message: Option<String>,
    receiver: Option<String>,
    result: Option<String>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(state): State<DashboardState>,
    Asked(asked): Asked<ListInput>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = limit(asked.limit, 100, 500)?;
    let now = state.clock.now();
    let filter = NotificationFilter {
        finding: one("finding", asked.finding.as_ref())?,
        message: search("message", asked.message.as_ref())?,
        receiver: search("receiver", asked.receiver.as_ref())?,
        results: several(
            "result",
            asked.result.as_ref(),
            &NotificationResult::ALL,
            NotificationResult::name,
        )?,
        q: search("q", asked.q.as_ref())?,
        range: range_if_asked(asked.from.as_ref(), asked.to.as_ref(), now)?,
    };
    let queries = state.store.queries();
    let page = queries.ledger(&filter, limit, given(asked.cursor.as_ref()));
    Ok(Json(page.await.map_err(page_error)?))
}
