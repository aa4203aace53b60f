//! The simulated gateways: they log every call, ship their logs over HTTP, and honour revocations and suspensions.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use super::fleet::Member;
use super::lines::line;
use super::traffic::Call;

/// Lines shipped with one request.
pub(super) const LINES_PER_PUSH: usize = 4_000;

/// The gateways, seen from outside.
#[derive(Clone, Debug)]
pub(super) struct Gateways {
    fleet: Arc<Vec<Member>>,
    revoked: Arc<Mutex<HashSet<String>>>,
    http: reqwest::Client,
    push_url: String,
    push_key: String,
}

/// What the revocation endpoint needs.
#[derive(Clone)]
struct Revocations {
    revoked: Arc<Mutex<HashSet<String>>>,
    secret: Arc<Vec<u8>>,
}

/// The part of a revocation request that these gateways act on.
#[derive(Debug, Deserialize)]
struct RevokeRequest {
    r#type: String,
    data: RevokeData,
}

#[derive(Debug, Deserialize)]
struct RevokeData {
    token: RevokeToken,
}

#[derive(Debug, Deserialize)]
struct RevokeToken {
    credential_id: Option<String>,
}

impl Gateways {
    /// Gateways of `fleet` that ship to `push_url`.
    pub(super) fn new(fleet: Arc<Vec<Member>>, push_url: String, push_key: String) -> Self {
        Self {
            fleet,
            revoked: Arc::default(),
            http: reqwest::Client::new(),
            push_url,
            push_key,
        }
    }

    /// Where the gateways take revocations; requests are believed only with a signature under `secret`.
    pub(super) fn revocations(&self, secret: Vec<u8>) -> Router {
        let state = Revocations {
            revoked: Arc::clone(&self.revoked),
            secret: Arc::new(secret),
        };
        Router::new()
            .route("/revoke", post(revoke))
            .with_state(state)
    }

    /// Whether the token of `member` was revoked.
    pub(super) fn is_revoked(&self, member: usize) -> bool {
        let revoked = self
            .revoked
            .lock()
            .expect("nothing panics while it holds this lock");
        revoked.contains(&self.fleet[member].credential_id)
    }

    /// Serves `calls` and ships their log lines.
    pub(super) async fn serve(&self, calls: &[Call], rng: &mut Rng) -> anyhow::Result<()> {
        for part in calls.chunks(LINES_PER_PUSH) {
            let lines: String = part
                .iter()
                .map(|call| {
                    let status = if self.is_revoked(call.member) {
                        401
                    } else {
                        call.status
                    };
                    line(&self.fleet[call.member], call, status, rng.u128(..))
                })
                .collect();
            self.ship(lines).await?;
        }
        Ok(())
    }

    async fn ship(&self, lines: String) -> anyhow::Result<()> {
        let response = self
            .http
            .post(&self.push_url)
            .header("authorization", format!("Bearer {}", self.push_key))
            .header("content-type", "application/x-ndjson")
            .body(lines)
            .send()
            .await
            .context("the gateway could not reach Tokenwatch")?;
        if !response.status().is_success() {
            let status = response.status();
            bail!(
                "Tokenwatch refused log lines: {status} {}",
                response.text().await?
            );
        }
        Ok(())
    }
}

async fn revoke(State(state): State<Revocations>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !is_signed(&headers, &body, &state.secret) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(request) = serde_json::from_slice::<RevokeRequest>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let Some(credential_id) = request.data.token.credential_id else {
        return StatusCode::UNPROCESSABLE_ENTITY;
    };
    let mut revoked = state
        .revoked
        .lock()
        .expect("nothing panics while it holds this lock");
    match request.r#type.as_str() {
        "token.revoke" | "token.suspend" => revoked.insert(credential_id),
        "token.restore" => revoked.remove(&credential_id),
        // These gateways can refuse a token, and nothing milder.
        _ => return StatusCode::NOT_IMPLEMENTED,
    };
    StatusCode::OK
}

/// Whether one of the signatures is ours, by the Standard Webhooks scheme: HMAC-SHA-256 of `id.timestamp.body`.
fn is_signed(headers: &HeaderMap, body: &[u8], secret: &[u8]) -> bool {
    let header = |name| {
        headers
            .get(name)
            .and_then(|value: &axum::http::HeaderValue| value.to_str().ok())
    };
    let (Some(id), Some(timestamp), Some(signatures)) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    ) else {
        return false;
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    signatures
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|signature| STANDARD.decode(signature).ok())
        .any(|signature| mac.clone().verify_slice(&signature).is_ok())
}
