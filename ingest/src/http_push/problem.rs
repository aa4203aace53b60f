//! Why a request was refused, as the client is told (RFC 9457).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

/// Why a request was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unauthorised,
    MediaType,
    ContentEncoding,
    TooLarge(usize),
    TooSlow,
    TooMany,
    Interrupted,
    Malformed(&'static str),
    /// The spool or the broker's queue is full.
    Full,
    /// The disk or the broker failed.
    Failed,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::MediaType | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Interrupted | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Full | Self::Failed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Unauthorised => {
                "Send a key as \"Authorization: Bearer …\" or \"X-API-Key: …\".".to_owned()
            }
            Self::MediaType => {
                "Send application/x-ndjson, application/json or text/plain.".to_owned()
            }
            Self::ContentEncoding => "Send the body as it is or with gzip.".to_owned(),
            Self::TooLarge(limit) => format!("The body may have {limit} bytes."),
            Self::TooSlow => "The body did not arrive in time.".to_owned(),
            Self::TooMany => "Too many requests at a time; send larger ones.".to_owned(),
            Self::Interrupted => "The body did not arrive as a whole.".to_owned(),
            Self::Malformed(what) => (*what).to_owned(),
            Self::Full => "No more events can be stored at the moment; try again.".to_owned(),
            Self::Failed => "The events could not be stored; try again.".to_owned(),
        }
    }

    /// Seconds after which it is worth trying again.
    fn retry_after(&self) -> Option<&'static str> {
        match self {
            Self::TooMany => Some("1"),
            Self::Full | Self::Failed => Some("5"),
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Refused"),
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        let mut response = Response::builder()
            .status(status)
            .header(CONTENT_TYPE, "application/problem+json");
        if let Some(seconds) = self.retry_after() {
            response = response.header(RETRY_AFTER, seconds);
        }
        if self == Self::Unauthorised {
            response = response.header(WWW_AUTHENTICATE, "Bearer");
        }
        response
            .body(Body::from(problem.to_string()))
            .expect("all header values are constants")
    }
}
