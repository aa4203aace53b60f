//! A webhook of one's own, signed by Standard Webhooks: `token.revoke` and its milder kin, and `token.restore`.

use ipnet::IpNet;
use serde::Serialize;
use tokenwatch_model::{BlastRadius, Finding, ResponseAction, Timestamp, TokenId};

use super::Attempt;
use crate::http::SignedEndpoint;
use crate::response::Ask;

/// The body of the request.
#[derive(Serialize)]
struct Body<'b> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: Data<'b>,
}

#[derive(Serialize)]
struct Data<'b> {
    response_id: &'b str,
    /// What is done, or taken back.
    action: ResponseAction,
    token: Token<'b>,
    /// When it ends by itself: a `token.restore` follows then.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "<[IpNet]>::is_empty")]
    networks: &'b [IpNet],
    #[serde(skip_serializing_if = "Option::is_none")]
    blast_radius: Option<&'b BlastRadius>,
    reason: &'b str,
    finding: &'b Finding,
}

/// How the target may know the token. The id is the fingerprint: the raw token is not kept.
#[derive(Serialize)]
struct Token<'b> {
    id: TokenId,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<&'b str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'b str>,
}

pub(super) async fn carry_out(endpoint: &SignedEndpoint, ask: &Ask, now: Timestamp) -> Attempt {
    Attempt::of(endpoint.post(&ask.id(), body(ask), now).await)
}

fn body(ask: &Ask) -> Vec<u8> {
    let (response, token) = (&ask.response, &ask.token);
    let details = &response.details;
    let lasts = details.lasts_s.map(std::time::Duration::from_secs);
    let body = Body {
        r#type: match (ask.is_undo(), response.action) {
            (true, _) => "token.restore",
            (false, ResponseAction::Throttle) => "token.throttle",
            (false, ResponseAction::Restrict) => "token.restrict",
            (false, ResponseAction::Suspend) => "token.suspend",
            (false, ResponseAction::Revoke) => "token.revoke",
        },
        timestamp: response.at,
        data: Data {
            response_id: &response.id,
            action: response.action,
            token: Token {
                id: token.id,
                credential_id: token.credential_id.as_deref(),
                consumer: token.consumer.as_deref(),
            },
            until: lasts
                .filter(|_| !ask.is_undo())
                .map(|lasts| response.at + lasts),
            calls_per_minute: details.calls_per_minute,
            networks: &details.networks,
            blast_radius: details.blast_radius.as_deref(),
            reason: &ask.finding.summary,
            finding: &ask.finding,
        },
    };
    serde_json::to_vec(&body)
        .expect("findings have string keys and no custom serialisers that fail")
}
