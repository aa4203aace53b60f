//! `/audit`: what operators did. For administrators.

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokenwatch_store::queries::{AuditFilter, AuditLine, Page};

use super::findings::page_error;
use super::input::{Asked, given, limit, range_if_asked, search};
use super::operators::require_admin;
use crate::auth::CurrentUser;
use crate::problem::ApiError;
use crate::state::DashboardState;

/// Actions that are asked for at once.
const ACTIONS_LIMIT: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    actor: Option<String>,
    action: Option<String>,
    subject: Option<String>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Trail {
    #[serde(flatten)]
    page: Page<AuditLine>,
    /// Every action that there is, for a menu.
    actions: Vec<String>,
}

pub(super) async fn list(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Asked(asked): Asked<ListInput>,
) -> Result<impl IntoResponse, ApiError> {
    require_admin(&user)?;
    let limit = limit(asked.limit, 100, 1_000)?;
    let now = state.clock.now();
    let actions = search("action", asked.action.as_ref())?;
    let filter = AuditFilter {
        actor: search("actor", asked.actor.as_ref())?,
        actions: actions
            .split(',')
            .map(|action| action.trim().to_owned())
            .filter(|action| !action.is_empty())
            .take(ACTIONS_LIMIT)
            .collect(),
        subject: search("subject", asked.subject.as_ref())?,
        q: search("q", asked.q.as_ref())?,
        range: range_if_asked(asked.from.as_ref(), asked.to.as_ref(), now)?,
    };
    let queries = state.store.queries();
    let page = async {
        let page = queries.audit(&filter, limit, given(asked.cursor.as_ref()));
        page.await.map_err(page_error)
    };
    let actions = async { Ok(queries.audit_actions().await?) };
    let (page, actions) = tokio::try_join!(page, actions)?;
    Ok(Json(Trail { page, actions }))
}
