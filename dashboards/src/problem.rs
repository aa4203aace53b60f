//! Errors of the API, and the problem details (RFC 9457) that they become.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tokenwatch_store::StoreError;

/// How soon to ask again while the store is away.
const STORE_RETRY: Duration = Duration::from_secs(5);
/// How soon to ask again when too many requests are under way.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("log in first")]
    Unauthenticated,
    #[error("the name or the password is wrong")]
    WrongPassword,
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    BadRequest(String),
    #[error("there is nothing here")]
    NotFound,
    #[error("{0}")]
    Conflict(String),
    #[error("too many attempts")]
    Throttled { retry_after: Duration },
    #[error("too many requests are under way")]
    Busy,
    #[error("the answer took too long; ask for a shorter time range")]
    TimedOut,
    #[error("this method is not offered here")]
    MethodNotAllowed,
    #[error("an internal error; the log says more")]
    Internal,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The body of an error.
#[derive(Debug, Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Store(error) if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal | Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } => Some(*retry_after),
            Self::Busy => Some(BUSY_RETRY),
            Self::Store(error) if error.is_retryable() => Some(STORE_RETRY),
            _ => None,
        }
    }

    /// What the client is told; a database's words stay in the log.
    fn detail(&self) -> String {
        match self {
            Self::Store(error) if error.is_retryable() => "the database does not answer".to_owned(),
            Self::Store(_) => Self::Internal.to_string(),
            error => error.to_string(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::Store(error) = &self {
            if error.is_retryable() {
                tracing::warn!(%error, "the API cannot reach the store");
            } else {
                tracing::error!(%error, "a query of the API failed");
            }
        }
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(),
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = self.retry_after() {
            // Rounded up: who comes back after this many seconds is let in.
            let seconds = wait.as_millis().div_ceil(1_000).max(1) as u64;
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
