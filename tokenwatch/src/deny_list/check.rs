//! `/gateway/v1/check`: whether a request is let in, for nginx's `auth_request`, Envoy's `ext_authz` and Traefik's `forwardAuth`.
//!
//! The gateway passes the headers of the request on, and its own key in `X-Tokenwatch-Key`, since `Authorization` is the client's.
//! Any method and any path below will do: Envoy asks with those of the request. The answer is 200 or 403 and a header that says why;
//! 401 is for a gateway that has no key, 503 for the moment before the journal was read. A body is not looked at; nothing is logged.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use reqwest::StatusCode;
use reqwest::header::{HeaderName, HeaderValue};
use tokenwatch_alerting::DenyVerdict;
use tokenwatch_ingest::RequestFacts;

use super::Desk;
use super::key::Keys;

/// Where it is.
const PATH: &str = "/gateway/v1/check";
/// The gateway's own key.
const KEY: HeaderName = HeaderName::from_static("x-tokenwatch-key");
/// Why.
const VERDICT: HeaderName = HeaderName::from_static("x-tokenwatch-verdict");
/// Path and query of the request, as nginx's users name the header.
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
/// The same, as Traefik names it.
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

struct Checker {
    desk: Desk,
    keys: Keys,
    client_address: HeaderName,
    credential_id: Option<HeaderName>,
    consumer: Option<HeaderName>,
}

pub(super) fn router(desk: Desk) -> Router {
    let checker = Checker::new(desk);
    if checker.keys.is_empty() {
        return Router::new();
    }
    Router::new()
        .route(PATH, any(check))
        .route(&format!("{PATH}/{{*target}}"), any(check))
        .with_state(Arc::new(checker))
}

async fn check(State(checker): State<Arc<Checker>>, request: Request) -> Response {
    checker.answer(&request)
}

impl Checker {
    fn new(desk: Desk) -> Self {
        let name = |text: &String| {
            let name = HeaderName::from_bytes(text.as_bytes());
            name.expect("the configuration was checked")
        };
        Self {
            keys: Keys::new(&desk.settings.check_keys),
            client_address: name(&desk.settings.client_address_header),
            credential_id: desk.settings.credential_id_header.as_ref().map(name),
            consumer: desk.settings.consumer_header.as_ref().map(name),
            desk,
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let headers = request.headers();
        if !self.keys.admit(headers.get(KEY).map(HeaderValue::as_bytes)) {
            self.desk.metrics.checked("unknown_gateway");
            return told(StatusCode::UNAUTHORIZED, "unknown_gateway");
        }
        let now = self.desk.clock.now();
        let bytes = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
        let text = |name: &HeaderName| bytes(name).and_then(|told| str::from_utf8(told).ok());
        let facts = RequestFacts {
            targets: [bytes(&ORIGINAL_URI), bytes(&FORWARDED_URI), below(request)],
            credential_id: self.credential_id.as_ref().and_then(text),
            consumer: self.consumer.as_ref().and_then(text),
        };
        let client: Option<IpAddr> =
            text(&self.client_address).and_then(|told| self.desk.tokens.client(told));
        let carried = headers
            .iter()
            .filter(|(name, _)| **name != KEY)
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let Some(ids) = self.desk.tokens.ids(carried, facts, now) else {
            self.desk.metrics.checked("too_many_tokens");
            return told(StatusCode::FORBIDDEN, "too_many_tokens");
        };
        let verdict = self.desk.list.judge(&ids, client, now);
        self.desk.metrics.checked(verdict.name());
        self.of_verdict(verdict)
    }

    fn of_verdict(&self, verdict: DenyVerdict) -> Response {
        let status = match verdict {
            DenyVerdict::Allow => StatusCode::OK,
            DenyVerdict::Revoked | DenyVerdict::Suspended | DenyVerdict::Restricted => {
                StatusCode::FORBIDDEN
            }
            DenyVerdict::Throttled { .. } if self.desk.settings.throttled_status == 429 => {
                StatusCode::TOO_MANY_REQUESTS
            }
            DenyVerdict::Throttled { .. } => StatusCode::FORBIDDEN,
            DenyVerdict::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = told(status, verdict.name());
        if let DenyVerdict::Throttled { retry_after } = verdict {
            let secs = retry_after.as_secs() + 1;
            response
                .headers_mut()
                .insert(reqwest::header::RETRY_AFTER, secs.into());
        }
        response
    }
}

/// Path and query as Envoy tells them: below ours.
fn below(request: &Request) -> Option<&[u8]> {
    let asked = request.uri().path_and_query()?.as_str();
    asked.strip_prefix(PATH).map(str::as_bytes)
}

fn told(status: StatusCode, why: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(VERDICT, HeaderValue::from_static(why));
    response
}

#[cfg(test)]
mod tests;
