//! One response on the deny list: what gateways are told of it, and what it says of a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokenwatch_model::{FindingId, Response, ResponseAction, Timestamp, TokenId};
use tokenwatch_store::OtherNames;

use super::DenyVerdict;
use super::throttle::Throttle;

/// What gateways are told of an entry. They know the token by what they named it in their logs: its id is a fingerprint under a key
/// that they do not have, and the raw token is kept nowhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeniedToken {
    /// The response; it may be one of several on a token.
    pub response_id: String,
    /// The finding that called for it.
    pub finding_id: FindingId,
    /// What is asked of the gateway.
    pub action: ResponseAction,
    /// The token.
    pub token: DeniedName,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many calls a minute a throttled token may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
    /// The networks that a restricted token may be used from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<IpNet>,
}

/// The names by which a gateway may know a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeniedName {
    /// Tokenwatch's own.
    pub id: TokenId,
    /// The gateway's name of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// The consumer that the gateway names; of a JWT the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// `jti` of the JWTs of a grant that were seen last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jwt_ids: Vec<String>,
}

/// An entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) told: Arc<DeniedToken>,
    /// Nothing before they were looked up.
    pub(super) names: Option<OtherNames>,
    /// Of what is told.
    pub(super) digest: u128,
    throttle: Arc<Throttle>,
}

impl Entry {
    /// The entry that `line` makes, with what was known `before` of the same response.
    pub(super) fn of(line: &Response, before: Option<&Self>) -> Self {
        let details = &line.details;
        let lasts = details.lasts_s.map(Duration::from_secs);
        let since = details.asked_at.unwrap_or(line.at);
        let names = before.and_then(|before| before.names.clone());
        let told = DeniedToken {
            response_id: line.id.clone(),
            finding_id: line.finding_id,
            action: line.action,
            token: DeniedName {
                id: line.token_id,
                credential_id: details.credential_id.clone(),
                consumer: details.consumer.clone(),
                jwt_ids: jwt_ids(names.as_ref()),
            },
            since,
            until: lasts.map(|lasts| details.ends_at.unwrap_or(since + lasts)),
            calls_per_minute: details.calls_per_minute,
            networks: details.networks.clone(),
        };
        let throttle = before.map(|before| Arc::clone(&before.throttle));
        Self {
            digest: digest_of(&told),
            told: Arc::new(told),
            names,
            throttle: throttle.unwrap_or_default(),
        }
    }

    /// The same with other names.
    pub(super) fn named(&self, names: OtherNames) -> Self {
        let mut told = (*self.told).clone();
        told.token.jwt_ids = jwt_ids(Some(&names));
        Self {
            digest: digest_of(&told),
            told: Arc::new(told),
            names: Some(names),
            throttle: Arc::clone(&self.throttle),
        }
    }

    /// All that a request's token may be.
    pub(super) fn tokens(&self) -> Vec<TokenId> {
        let mut tokens = vec![self.told.token.id];
        tokens.extend(self.names.iter().flat_map(|names| &names.fingerprints));
        tokens.sort();
        tokens.dedup();
        tokens
    }

    /// Whether it has not ended.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        self.told.until.is_none_or(|until| now < until)
    }

    /// What it says of a request from `client`. From where a request comes that does not say so is no known network.
    pub(super) fn judge(&self, client: Option<IpAddr>, now: Timestamp) -> DenyVerdict {
        let denied = DenyVerdict::of_action(self.told.action);
        match self.told.action {
            ResponseAction::Suspend | ResponseAction::Revoke => denied,
            ResponseAction::Restrict => {
                let is_known = |client: IpAddr| {
                    let networks = &self.told.networks;
                    networks.iter().any(|network| network.contains(&client))
                };
                if client.is_some_and(is_known) {
                    DenyVerdict::Allow
                } else {
                    denied
                }
            }
            ResponseAction::Throttle => {
                let per_minute = self.told.calls_per_minute.unwrap_or(1);
                match self.throttle.admit(per_minute, now) {
                    Ok(()) => DenyVerdict::Allow,
                    Err(retry_after) => DenyVerdict::Throttled { retry_after },
                }
            }
        }
    }
}

fn jwt_ids(names: Option<&OtherNames>) -> Vec<String> {
    names.map(|names| names.jwt_ids.clone()).unwrap_or_default()
}

/// 128 bits of a hash over all that is told.
fn digest_of(told: &DeniedToken) -> u128 {
    let text = serde_json::to_vec(told).expect("an entry has texts for keys");
    let digest = Sha256::digest(text);
    let bits = digest[..16].try_into().expect("a SHA-256 has 32 bytes");
    u128::from_be_bytes(bits)
}
