//! Protection against forged cross-site requests, for everything that changes something.
//!
//! Three locks, each enough by itself in today's browsers: the cookie is `SameSite=Strict`; a header that only a script
//! can set, which across origins needs a permission that we never give; and the `Origin` must be our own.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method};

use crate::problem::ApiError;
use crate::state::DashboardState;

/// The header that only a script can set.
const REQUEST_HEADER: &str = "x-tokenwatch-request";

/// Turns away what would change something and does not come from the console itself.
pub(crate) async fn guard(
    State(state): State<DashboardState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if !safe {
        decide_origin(request.headers(), state.settings.public_origin.as_deref())
            .map_err(ApiError::Forbidden)?;
    }
    Ok(next.run(request).await)
}

/// Whether a request comes from our own origin: the public one, else the host that was asked for.
fn decide_origin(headers: &HeaderMap, public: Option<&str>) -> Result<(), &'static str> {
    if headers.get(REQUEST_HEADER).map(http::HeaderValue::as_bytes) != Some(b"1") {
        return Err("the header X-Tokenwatch-Request: 1 is missing");
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(ORIGIN) else {
        return Err("the Origin header is missing");
    };
    let same = if let Some(public) = public {
        origin.eq_ignore_ascii_case(public)
    } else {
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        let host = text(HOST);
        host.is_some() && authority == host
    };
    if same {
        Ok(())
    } else {
        Err("the request comes from another origin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], public: Option<&str>, allowed: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        assert_eq!(decide_origin(&map, public).is_ok(), allowed, "{headers:?}");
    }

    #[test]
    fn a_change_needs_the_header_and_our_own_origin() {
        let header = ("x-tokenwatch-request", "1");
        let host = ("host", "localhost:8080");
        let own = ("origin", "http://localhost:8080");
        check(&[header, host, own], None, true);
        check(&[host, own], None, false);
        check(&[header, host], None, false);
        check(&[header, own], None, false);
        check(
            &[header, host, ("origin", "http://evil.example")],
            None,
            false,
        );
        check(&[header, host, ("origin", "null")], None, false);
        check(&[("x-tokenwatch-request", "2"), host, own], None, false);
    }

    #[test]
    fn behind_a_proxy_the_public_origin_counts() {
        let header = ("x-tokenwatch-request", "1");
        let public = Some("https://tw.example");
        check(
            &[
                header,
                ("host", "10.0.0.7:8080"),
                ("origin", "https://tw.example"),
            ],
            public,
            true,
        );
        check(
            &[
                header,
                ("host", "tw.example"),
                ("origin", "http://tw.example"),
            ],
            public,
            false,
        );
    }
}
