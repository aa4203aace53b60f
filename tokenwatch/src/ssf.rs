//! What receivers of security event tokens may know of us, in public: our keys, and the configuration that names them.

use axum::routing::get;
use axum::{Json, Router};
use reqwest::header::{CACHE_CONTROL, HeaderValue};
use serde_json::Value;
use tokenwatch_alerting::{CONFIGURATION_PATH, JWKS_PATH, SsfSettings};

/// Receivers look for a key that they do not know at once, so that this bounds how long a dropped one is believed.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The two documents.
pub(crate) fn router(settings: &SsfSettings) -> Router {
    let document = |value: Value| get(|| async move { ([(CACHE_CONTROL, KEPT)], Json(value)) });
    Router::new()
        .route(JWKS_PATH, document(settings.jwks()))
        .route(CONFIGURATION_PATH, document(settings.configuration()))
}
