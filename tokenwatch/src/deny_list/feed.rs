//! `GET /gateway/v1/denylist`: all of the list, or what has changed since a version of it.
//!
//! The version is the `ETag`: who sends it in `If-None-Match` is told 304 until something changes. `?since=VERSION` answers what was
//! added and removed, or 410 where that is not remembered: then all of it is to be taken.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use reqwest::StatusCode;
use reqwest::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, RETRY_AFTER,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_alerting::{DeniedToken, DenyList};

use super::key::Keys;

struct Feed {
    list: DenyList,
    keys: Keys,
    /// The newest version as it was written last: gateways ask for the same again and again.
    written: Mutex<Option<(String, Bytes)>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    since: Option<String>,
}

#[derive(Serialize)]
struct Whole<'l> {
    version: &'l str,
    entries: &'l [Arc<DeniedToken>],
}

pub(super) fn router(list: DenyList, keys: &[SecretString]) -> Router {
    let keys = Keys::new(keys);
    if keys.is_empty() {
        return Router::new();
    }
    let feed = Feed {
        list,
        keys,
        written: Mutex::default(),
    };
    Router::new()
        .route("/gateway/v1/denylist", get(read))
        .with_state(Arc::new(feed))
}

async fn read(
    State(feed): State<Arc<Feed>>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if !feed.keys.admit(given) {
        return refuse(StatusCode::UNAUTHORIZED, "the bearer token is wrong");
    }
    let Ok(Query(asked)) = asked else {
        return refuse(StatusCode::BAD_REQUEST, "the only parameter is `since`");
    };
    let Some(version) = feed.list.version() else {
        let mut refusal = refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "the journal was not read yet",
        );
        refusal
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return refusal;
    };
    if is_known(&headers, &version) {
        return (StatusCode::NOT_MODIFIED, tag(&version)).into_response();
    }
    match asked.since {
        None => feed.whole(),
        Some(since) => match feed.list.since(&since) {
            Some(delta) => (tag(&delta.version), Json(&delta)).into_response(),
            None => refuse(
                StatusCode::GONE,
                "this version is not remembered: take the whole list",
            ),
        },
    }
}

impl Feed {
    fn whole(&self) -> Response {
        let Some(whole) = self.list.whole() else {
            return refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "the journal was not read yet",
            );
        };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let body = match &*written {
            Some((version, body)) if *version == whole.version => body.clone(),
            _ => {
                let told = Whole {
                    version: &whole.version,
                    entries: &whole.entries,
                };
                let body =
                    Bytes::from(serde_json::to_vec(&told).expect("entries have texts for keys"));
                *written = Some((whole.version.clone(), body.clone()));
                body
            }
        };
        drop(written);
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        (tag(&whole.version), [json], body).into_response()
    }
}

/// Whether the gateway has this version already.
fn is_known(headers: &HeaderMap, version: &str) -> bool {
    let told = headers.get_all(IF_NONE_MATCH).into_iter();
    let mut tags = told
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == version
    })
}

/// The `ETag`; no cache keeps the list.
fn tag(version: &str) -> [(HeaderName, HeaderValue); 2] {
    let etag = HeaderValue::from_str(&format!("\"{version}\"")).expect("hexadecimal is ASCII");
    let private = HeaderValue::from_static("private, no-cache");
    [(ETAG, etag), (CACHE_CONTROL, private)]
}

fn refuse(status: StatusCode, why: &str) -> Response {
    let body = serde_json::json!({ "error": { "message": why } });
    (status, Json(body)).into_response()
}
