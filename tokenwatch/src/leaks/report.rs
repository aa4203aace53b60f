//! A report of leaked tokens: which of them are ours, and what is done about those that still work.

use serde::Serialize;
use tokenwatch_ingest::TokenKey;
use tokenwatch_model::{Clock, Timestamp, TokenId};
use tokenwatch_store::{Store, StoreError};
use tokio::sync::oneshot;

use crate::registry::{Change, Request, Requests};

/// Longer names of places are cut: they stand in the finding's sentence.
const PLACE_CHARS: usize = 120;

/// One string that was found, and where.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its fingerprint; the string itself is not handed on.
    pub(crate) fingerprint: TokenId,
    pub(crate) place: String,
    pub(crate) exposed: Option<Timestamp>,
}

/// What a string that was found is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// No token of this deployment.
    Unknown,
    /// It works, as far as is known: a finding tells of it.
    Live,
    /// It was revoked before.
    Revoked,
    /// It ended before.
    Expired,
}

/// One token that was reported.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<TokenId>,
    pub(crate) status: Standing,
}

/// Takes reports; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct LeakDesk {
    pub(crate) key: TokenKey,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) requests: Requests,
}

impl LeakDesk {
    /// The fingerprint of a raw string.
    pub(crate) fn fingerprint(&self, raw: &str) -> TokenId {
        self.key.token_id(raw.trim().as_bytes())
    }

    /// Looks up what was found, in its order, and tells the pipeline of what is a token of ours. When this returns, it is
    /// stored; reported again, it is the same finding.
    pub(crate) async fn take(
        &self,
        found: Vec<Found>,
        actor: &str,
    ) -> Result<Vec<Told>, StoreError> {
        let fingerprints: Vec<TokenId> = found.iter().map(|found| found.fingerprint).collect();
        let known = self.store.tokens_of(&fingerprints).await?;
        let mut told = Vec::with_capacity(found.len());
        for found in found {
            let Some(token) = known.get(&found.fingerprint).copied() else {
                told.push(Told {
                    token: None,
                    status: Standing::Unknown,
                });
                continue;
            };
            let now = self.clock.now();
            let status = self.standing(token, now).await?;
            if status == Standing::Live {
                self.change(token, found, now, actor).await?;
            }
            told.push(Told {
                token: Some(token),
                status,
            });
        }
        Ok(told)
    }

    async fn standing(&self, token: TokenId, now: Timestamp) -> Result<Standing, StoreError> {
        let seen = self.store.queries().token(token, now).await?;
        let credential = seen.as_ref().and_then(|row| row.credential_id.as_deref());
        let consumer = seen.as_ref().and_then(|row| row.consumer.as_deref());
        let known = self.store.registration(token, credential, consumer).await?;
        Ok(known.map_or(Standing::Live, |known| standing(&known.registration, now)))
    }

    async fn change(
        &self,
        id: TokenId,
        found: Found,
        now: Timestamp,
        actor: &str,
    ) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let change = Change::Leaked {
            id,
            at: found.exposed.map_or(now, |exposed| exposed.min(now)),
            place: shown(&found.place),
            actor: actor.to_owned(),
        };
        let request = Request { change, reply };
        let sent = self.requests.send(request).await;
        sent.map_err(|_| StoreError::Cancelled)?;
        match answer.await {
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Cancelled),
        }
    }
}

/// What a registration says of a token at `now`.
pub(crate) fn standing(entry: &tokenwatch_model::Registration, now: Timestamp) -> Standing {
    let is_past = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
    if is_past(entry.revoked) {
        Standing::Revoked
    } else if is_past(entry.expires) {
        Standing::Expired
    } else {
        Standing::Live
    }
}

/// A place as people read it: one line, not long, without the markers of sentences, and without what may be a secret itself.
fn shown(place: &str) -> String {
    let words = place.split_whitespace().map(|word| {
        let parts = word
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.~+=".contains(letter)));
        let secret = parts
            .clone()
            .any(|part| part.len() > 12 && tokenwatch_ingest::may_be_secret(part));
        if secret { "…" } else { word }
    });
    let text = words.collect::<Vec<_>>().join(" ").replace(['{', '}'], "");
    let short: String = text.chars().take(PLACE_CHARS).collect();
    if short.is_empty() {
        "a public place".to_owned()
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_short_and_hold_no_secrets() {
        for (place, want) in [
            ("GitHub (commit)", "GitHub (commit)"),
            ("a\nb {name}", "a b name"),
            ("", "a public place"),
            (
                "https://x/?k=sk_live_4eC39HqLyjWDarjtT1zdp7dc here",
                "… here",
            ),
        ] {
            assert_eq!(shown(place), want, "{place}");
        }
        assert_eq!(shown(&"x ".repeat(500)).chars().count(), PLACE_CHARS);
    }
}
