//! `/healthz`, `/readyz` and `/metrics`: for orchestrators and Prometheus, without a login.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::ApiError;
use crate::state::DashboardState;
use crate::status::NotReady;

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

#[derive(Serialize)]
struct ReadyAnswer<'a> {
    ready: bool,
    reasons: &'a [NotReady],
}

/// The process runs.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The service can do its work: 200, else 503 and the reasons.
pub(crate) async fn readyz(State(state): State<DashboardState>) -> Response {
    let readiness = state.readiness.borrow().clone();
    let status = if readiness.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let answer = ReadyAnswer {
        ready: readiness.is_ready(),
        reasons: &readiness.reasons,
    };
    (status, Json(answer)).into_response()
}

/// Every metric of the process, as `OpenMetrics` text.
pub(crate) async fn metrics(
    State(state): State<DashboardState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(token) = &state.settings.metrics_token {
        let given = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
            .unwrap_or_default();
        // Digests have one length, so that comparing takes one time.
        let matches = Sha256::digest(given)
            .as_slice()
            .ct_eq(Sha256::digest(token.expose_secret()).as_slice());
        if !bool::from(matches) {
            return Err(ApiError::Unauthenticated);
        }
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &state.registry)
        .map_err(|_| ApiError::Internal)?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
