//! The JSON API under `/api/v1`: one file per page of the console.

mod audit;
mod detectors;
mod findings;
mod incidents;
mod input;
mod live;
mod notifications;
mod operators;
mod overview;
mod registration;
pub(crate) mod responses;
mod series;
mod session;
mod silences;
mod tokens;
mod verdicts;

use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Json, Router, extract::State};

use crate::auth;
use crate::limits;
use crate::state::DashboardState;
use crate::status::PipelineStatus;

/// Every route. What is not a login needs a session; what is not a live stream is bounded in number and time.
pub(crate) fn routes(state: &DashboardState) -> Router<DashboardState> {
    let require_session = from_fn_with_state(state.clone(), auth::require_session);
    let guard_origin = from_fn_with_state(state.clone(), auth::guard_origin);
    let bound = from_fn_with_state(state.clone(), limits::bound);
    let login = get(session::show)
        .delete(session::end)
        .route_layer(require_session.clone())
        .post(session::begin);
    let pages = Router::new()
        .route("/overview", get(overview::show))
        .route("/pipeline", get(pipeline))
        .route("/findings", get(findings::list))
        .route("/findings/{id}", get(findings::show))
        .route("/findings/{id}/events", get(findings::events))
        .route(
            "/findings/{id}/acknowledgement",
            post(operators::acknowledge_finding).delete(operators::withdraw_finding),
        )
        .route("/findings/{id}/routing", get(findings::routing))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::show))
        .route(
            "/incidents/{id}/acknowledgement",
            post(operators::acknowledge_incident).delete(operators::withdraw_incident),
        )
        .route("/notifications", get(notifications::list))
        .route("/verdicts", post(verdicts::say))
        .route("/detectors", get(detectors::list))
        .route("/detectors/{name}/demotion", post(detectors::demote))
        .route("/audit", get(audit::list))
        .route("/responses", get(responses::list))
        .route("/responses/{id}", get(responses::show))
        .route("/responses/{id}/approve", post(responses::approve))
        .route("/responses/{id}/veto", post(responses::veto))
        .route("/responses/{id}/undo", post(responses::undo))
        .route("/silences", get(silences::list).post(silences::create))
        .route("/silences/preview", post(silences::preview))
        .route(
            "/silences/{id}",
            axum::routing::patch(silences::change).delete(silences::end),
        )
        .route("/tokens", get(tokens::list))
        .route("/tokens/{id}", get(tokens::show))
        .route("/tokens/{id}/series", get(tokens::calls))
        .route("/tokens/{id}/geography", get(tokens::geography))
        .route("/tokens/{id}/routes", get(tokens::routes))
        .route("/tokens/{id}/clients", get(tokens::clients))
        .route("/tokens/{id}/events", get(tokens::events))
        .route("/tokens/{id}/explain", get(tokens::explain))
        .route(
            "/tokens/{id}/registration",
            get(registration::show)
                .put(registration::put)
                .delete(registration::remove),
        )
        .route_layer(require_session.clone())
        .route("/session", login)
        .route_layer(bound);
    let live = Router::new()
        .route("/live", get(live::stream))
        .route_layer(require_session);
    pages.merge(live).route_layer(guard_origin)
}

async fn pipeline(State(state): State<DashboardState>) -> Json<PipelineStatus> {
    Json(state.pipeline.borrow().clone())
}
