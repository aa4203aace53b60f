//! Where leaks are reported: `POST /api/v1/leaks` with a bearer token, `POST /api/v1/leaks/github` as GitHub signs it.
//!
//! What is reported is fingerprinted and dropped: neither is it kept, nor logged, nor sent back. GitHub is told which of the
//! tokens were ours by their SHA-256, as its protocol wants it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokenwatch_model::{Timestamp, TokenId};

use super::partner::{PartnerKeys, Refused};
use super::report::{Found, LeakDesk, Standing};

/// A report of a thousand tokens with long addresses has less.
const BODY_BYTES_LIMIT: usize = 4 << 20;
/// Tokens of one report.
const TOKENS_LIMIT: usize = 10_000;

/// Who may report.
#[derive(Debug)]
pub(crate) struct Reporters {
    pub(crate) desk: LeakDesk,
    pub(crate) bearer: Option<SecretString>,
    pub(crate) github: Option<PartnerKeys>,
}

/// One entry of a report of our own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The string that was found.
    #[serde(default)]
    token: Option<String>,
    /// Or its id, where the deployment key was at hand.
    #[serde(default)]
    id: Option<TokenId>,
    /// Where.
    #[serde(default)]
    place: String,
    /// When it was exposed; now, if absent.
    #[serde(default)]
    exposed: Option<Timestamp>,
}

/// One entry of GitHub's.
#[derive(Deserialize)]
struct Match {
    token: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    source: String,
}

/// What GitHub is told.
#[derive(Serialize)]
struct Feedback {
    token_hash: String,
    token_type: String,
    label: &'static str,
}

/// The routes for those who may report; others are not there.
pub(crate) fn router(reporters: Reporters) -> Router {
    let mut router = Router::new();
    if reporters.bearer.is_some() {
        router = router.route("/api/v1/leaks", post(take));
    }
    if reporters.github.is_some() {
        router = router.route("/api/v1/leaks/github", post(take_signed));
    }
    router
        .layer(DefaultBodyLimit::max(BODY_BYTES_LIMIT))
        .with_state(Arc::new(reporters))
}

async fn take(
    State(reporters): State<Arc<Reporters>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let is_known = |secret: &SecretString| {
        // Digests, so that the time that it takes says nothing of the secret.
        let digest = |text: &str| Sha256::digest(text.trim());
        given.is_some_and(|given| digest(given) == digest(secret.expose_secret()))
    };
    if !reporters.bearer.as_ref().is_some_and(is_known) {
        return refuse(StatusCode::UNAUTHORIZED, "the bearer token is wrong");
    }
    let Ok(entries) = serde_json::from_slice::<Vec<Entry>>(&body) else {
        // What was sent holds tokens, so the complaint does not quote it.
        return refuse(
            StatusCode::BAD_REQUEST,
            "a report is a list of {\"token\" or \"id\", \"place\", \"exposed\"}",
        );
    };
    let desk = &reporters.desk;
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        let raw = entry.token.as_deref().map(|raw| desk.fingerprint(raw));
        let Some(fingerprint) = raw.or(entry.id) else {
            return refuse(
                StatusCode::BAD_REQUEST,
                "an entry names neither token nor id",
            );
        };
        found.push(Found {
            fingerprint,
            place: entry.place,
            exposed: entry.exposed,
        });
    }
    if found.len() > TOKENS_LIMIT {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "more than 10,000 tokens");
    }
    match desk.take(found, "leaks").await {
        Ok(told) => Json(told).into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn take_signed(
    State(reporters): State<Arc<Reporters>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(keys) = &reporters.github else {
        return refuse(StatusCode::NOT_FOUND, "not configured");
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let checked = keys
        .check(
            header("github-public-key-identifier"),
            header("github-public-key-signature"),
            &body,
        )
        .await;
    if let Err(refused) = checked {
        let status = match refused {
            Refused::Unsigned | Refused::Key | Refused::Signature => StatusCode::UNAUTHORIZED,
            Refused::Keys(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        tracing::warn!(%refused, "a report of leaked tokens was refused");
        return refuse(status, &refused.to_string());
    }
    let Ok(matches) = serde_json::from_slice::<Vec<Match>>(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "not a list of matches");
    };
    if matches.len() > TOKENS_LIMIT {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "more than 10,000 tokens");
    }
    let desk = &reporters.desk;
    let found = matches.iter().map(|found| Found {
        fingerprint: desk.fingerprint(&found.token),
        place: place_of(&found.source),
        exposed: None,
    });
    match desk.take(found.collect(), "github").await {
        Ok(told) => {
            let feedback: Vec<Feedback> = matches
                .into_iter()
                .zip(&told)
                .map(|(found, told)| Feedback {
                    token_hash: data_encoding::HEXLOWER.encode(&Sha256::digest(&found.token)),
                    token_type: found.kind,
                    label: if told.status == Standing::Unknown {
                        "false_positive"
                    } else {
                        "true_positive"
                    },
                })
                .collect();
            Json(feedback).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

/// Where GitHub found it: names come in either case, and new ones will.
fn place_of(source: &str) -> String {
    let source = source.to_ascii_lowercase().replace('_', " ");
    if source.is_empty() || source == "unknown" {
        "GitHub".to_owned()
    } else {
        format!("GitHub ({source})")
    }
}

fn refuse(status: StatusCode, why: &str) -> Response {
    let body = serde_json::json!({ "error": { "message": why } });
    (status, Json(body)).into_response()
}

fn unavailable(error: &tokenwatch_store::StoreError) -> Response {
    tracing::warn!(%error, "a report of leaked tokens could not be stored");
    refuse(
        StatusCode::SERVICE_UNAVAILABLE,
        "the report could not be stored; send it again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_the_same_in_either_case() {
        for (source, want) in [
            ("commit", "GitHub (commit)"),
            ("Pull_Request_Title", "GitHub (pull request title)"),
            ("UNKNOWN", "GitHub"),
            ("", "GitHub"),
        ] {
            assert_eq!(place_of(source), want);
        }
    }
}
