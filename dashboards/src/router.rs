//! The whole HTTP side in one picture: which paths there are, and which layers stand before them.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use tower_http::compression::CompressionLayer;

use crate::problem::ApiError;
use crate::state::DashboardState;
use crate::{api, assets, headers, limits, respond, service};

/// The largest body that a request of ours has: a login.
const BODY_BYTES_LIMIT: usize = 16 * 1024;

/// The API, the console, the pages behind signed links, `/healthz`, `/readyz` and `/metrics`.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that logins are limited per address.
pub fn router(state: DashboardState) -> Router {
    Router::new()
        .route("/healthz", get(service::healthz))
        .route("/readyz", get(service::readyz))
        .route("/metrics", get(service::metrics))
        .nest("/api/v1", api::routes(&state))
        .merge(respond::routes(&state))
        .fallback(get(assets::serve))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_LIMIT))
        .layer(CompressionLayer::new())
        .layer(map_response(name_bare_refusals))
        .layer(from_fn_with_state(state.clone(), limits::count))
        .layer(from_fn_with_state(state.clone(), headers::secure))
        .with_state(state)
}

async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

/// The fallback's own 405 has no body.
async fn name_bare_refusals(response: Response) -> Response {
    let bare = response.status() == StatusCode::METHOD_NOT_ALLOWED
        && !response.headers().contains_key(http::header::CONTENT_TYPE);
    if bare {
        ApiError::MethodNotAllowed.into_response()
    } else {
        response
    }
}
