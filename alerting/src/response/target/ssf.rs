//! Pushes security event tokens to a receiver (RFC 8935): CAEP 1.0 session-revoked and credential-change, RISC 1.0
//! credential-compromise, one event in each token, as the Shared Signals Framework 1.0 profiles RFC 8417.
//!
//! A retry repeats the token with the same `jti`, so a receiver that took it already can tell. What is sent says nothing of the raw
//! token, which is kept nowhere: the subject is a name that gateways logged.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokenwatch_model::Timestamp;

use super::Attempt;
use super::rest::Rest;
use crate::config::{SsfEvent, SsfReceiver, SsfSubject};
use crate::http::Reply;
use crate::response::Ask;

/// What a receiver says of itself in an error that is kept, in characters.
const DESCRIPTION_LIMIT: usize = 200;

/// A receiver.
pub(crate) struct Ssf {
    rest: Rest,
    receiver: SsfReceiver,
}

/// RFC 8935, section 2.3.
#[derive(Deserialize)]
struct Refusal {
    err: String,
    #[serde(default)]
    description: String,
}

impl Ssf {
    pub(super) fn new(rest: Rest, receiver: &SsfReceiver) -> Self {
        let bearer = |token: &SecretString| {
            let text = format!("Bearer {}", token.expose_secret().trim());
            SecretString::from(text)
        };
        let rest = match &receiver.token {
            Some(token) => rest.with(AUTHORIZATION, &bearer(token)),
            None => rest,
        };
        Self {
            rest,
            receiver: receiver.clone(),
        }
    }

    pub(super) async fn carry_out(&self, ask: &Ask, now: Timestamp) -> Attempt {
        let Some(subject) = self.subject(ask) else {
            let missing = match self.receiver.subject {
                SsfSubject::CredentialId => "no_credential_id",
                SsfSubject::Consumer => "no_consumer",
            };
            return Attempt::Refused(missing.to_owned());
        };
        for event in &self.receiver.events {
            let claims = self.claims(ask, *event, &subject);
            let Some(token) = self.receiver.signer.sign(&claims) else {
                return Attempt::Refused("not_signed".to_owned());
            };
            let content = HeaderValue::from_static("application/secevent+jwt");
            let pushed = self.rest.post(content, token.into_bytes(), now).await;
            match pushed.map(|reply| answer_of(&reply)) {
                Ok(Attempt::Done(_)) => {}
                Ok(attempt) | Err(attempt) => return attempt,
            }
        }
        Attempt::Done(String::new())
    }

    fn subject(&self, ask: &Ask) -> Option<Value> {
        let name = match self.receiver.subject {
            SsfSubject::CredentialId => ask.token.credential_id.as_ref()?,
            SsfSubject::Consumer => ask.token.consumer.as_ref()?,
        };
        Some(match &self.receiver.subject_issuer {
            Some(issuer) => json!({"format": "iss_sub", "iss": issuer, "sub": name}),
            None => json!({"format": "opaque", "id": name}),
        })
    }

    fn claims(&self, ask: &Ask, event: SsfEvent, subject: &Value) -> Value {
        let response = &ask.response;
        let entity = if response.details.approvals.is_empty() {
            "policy"
        } else {
            "admin"
        };
        let mut told = json!({
            "event_timestamp": response.at.as_secs(),
            "initiating_entity": entity,
            "reason_admin": {"en": ask.finding.summary},
        });
        match event {
            SsfEvent::SessionRevoked => {}
            SsfEvent::CredentialChange => {
                told["credential_type"] = json!(self.receiver.credential_type);
                told["change_type"] = json!("revoke");
            }
            // RISC knows no entity, and wants the time of the discovery.
            SsfEvent::CredentialCompromise => {
                told = json!({
                    "credential_type": self.receiver.credential_type,
                    "event_timestamp": ask.finding.detected_at.as_secs(),
                    "reason_admin": {"en": ask.finding.summary},
                });
            }
        }
        // SSF: neither `sub` nor `exp`.
        json!({
            "iss": self.receiver.signer.issuer,
            "iat": response.at.as_secs(),
            "jti": format!("{}.{}", ask.id(), event.name()),
            "aud": self.receiver.audience,
            "txn": ask.finding.id,
            "sub_id": subject,
            "events": {event.uri(): told},
        })
    }
}

impl SsfEvent {
    /// Its last part.
    const fn name(self) -> &'static str {
        match self {
            Self::SessionRevoked => "session-revoked",
            Self::CredentialChange => "credential-change",
            Self::CredentialCompromise => "credential-compromise",
        }
    }

    fn uri(self) -> String {
        let profile = match self {
            Self::SessionRevoked | Self::CredentialChange => "caep",
            Self::CredentialCompromise => "risc",
        };
        format!(
            "https://schemas.openid.net/secevent/{profile}/event-type/{}",
            self.name()
        )
    }
}

/// 202 alone is a yes; an error is told by the receiver's own code for it.
fn answer_of(reply: &Reply) -> Attempt {
    match reply.status {
        202 => Attempt::Done(String::new()),
        status @ 200..=299 => Attempt::Refused(format!("http_{status}, not 202")),
        400..=499 => match serde_json::from_slice::<Refusal>(&reply.body) {
            Ok(refusal) if !matches!(reply.status, 408 | 425 | 429) => {
                let told = format!("{}: {}", refusal.err, refusal.description);
                let plain = told.chars().filter(|one| !one.is_control());
                Attempt::Refused(plain.take(DESCRIPTION_LIMIT).collect())
            }
            _ => Attempt::of_status(reply.status, reply.retry_after),
        },
        status => Attempt::of_status(status, reply.retry_after),
    }
}

#[cfg(test)]
mod tests;
