//! How many API requests are under way at a time, and for how long; and what was answered, counted.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::metrics::{RequestLabels, StatusClass};
use crate::problem::ApiError;
use crate::state::DashboardState;

/// Waits for a turn and answers within the time limit, or says why not.
pub(crate) async fn bound(
    State(state): State<DashboardState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let answer = async {
        // One clock runs over waiting and working, so the queue is bounded by what its members are willing to wait.
        let turn = state.request_turns.acquire().await;
        let _turn = turn.map_err(|_| ApiError::Internal)?;
        Ok(next.run(request).await)
    };
    tokio::time::timeout(state.settings.request_timeout, answer)
        .await
        .unwrap_or_else(|_| {
            if state.request_turns.available_permits() == 0 {
                state.metrics.shed.inc();
                Err(ApiError::Busy)
            } else {
                Err(ApiError::TimedOut)
            }
        })
}

/// Counts answers by route and class of status.
pub(crate) async fn count(
    State(state): State<DashboardState>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let labels = RequestLabels {
        route: matched.map_or_else(|| "console".to_owned(), |path| path.as_str().to_owned()),
        class: StatusClass::of(response.status().as_u16()),
    };
    state.metrics.requests.get_or_create(&labels).inc();
    response
}
