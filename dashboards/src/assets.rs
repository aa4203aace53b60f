//! The console's files, embedded in the binary (read from disk in debug builds).
//!
//! Every path that is no file and looks like a page is answered with `index.html`: the console routes by itself.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use rust_embed::{Embed, EmbeddedFile};

use crate::problem::ApiError;

/// Where Vite puts files whose name holds a hash of their content.
const HASHED_FOLDER: &str = "assets/";
const PAGE: &str = "index.html";

#[derive(Embed)]
#[folder = "web/dist"]
struct Console;

/// Answers with a file of the console, or its page.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    match find(path) {
        Some((name, file)) => answer(&name, file, request.headers()),
        None => ApiError::NotFound.into_response(),
    }
}

/// The file at `path`; the page for what the console routes by itself, which has no dot in its last segment.
fn find(path: &str) -> Option<(String, EmbeddedFile)> {
    if path.starts_with("api/") {
        return None;
    }
    if let Some(file) = Console::get(path) {
        return Some((path.to_owned(), file));
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.contains('.') || path.starts_with(HASHED_FOLDER) {
        return None;
    }
    Console::get(PAGE).map(|file| (PAGE.to_owned(), file))
}

fn answer(name: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    // Weak, because the same file may go out compressed.
    let hash = file.metadata.sha256_hash();
    let tag = format!("W/\"{}\"", HEXLOWER.encode(&hash[..16]));
    let caching = if name.starts_with(HASHED_FOLDER) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, value);
    }
    let known = request
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let kind = file.metadata.mimetype();
    let kind = if kind.starts_with("text/") {
        HeaderValue::from_str(&format!("{kind}; charset=utf-8"))
    } else {
        HeaderValue::from_str(kind)
    };
    if let Ok(kind) = kind {
        headers.insert(CONTENT_TYPE, kind);
    }
    (headers, file.data.into_owned()).into_response()
}
