//! `kind = "ssf"`: what a receiver of security event tokens is told, and how it knows tokens.

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problems, SecretSource};
use url::Url;

use super::super::{SecretUrl, UrlKeys, secrets};
use super::ResponderConfig;
use crate::ssf::SsfSettings;

/// An event of CAEP 1.0 or of RISC 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SsfEvent {
    /// CAEP: sessions of the subject have ended.
    SessionRevoked,
    /// CAEP: the credential was revoked.
    CredentialChange,
    /// RISC: the credential is known to others.
    CredentialCompromise,
}

/// By which name a receiver knows a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SsfSubject {
    /// The gateway's name of the credential.
    #[default]
    CredentialId,
    /// The consumer; of a JWT its client.
    Consumer,
}

/// A receiver, checked.
#[derive(Clone, Debug)]
pub struct SsfReceiver {
    /// Where tokens are pushed to.
    pub url: SecretUrl,
    /// The bearer token that it wants.
    pub token: Option<SecretString>,
    /// What the receiver calls itself.
    pub audience: String,
    /// What it is told.
    pub events: Vec<SsfEvent>,
    /// By which of its names the token is told.
    pub subject: SsfSubject,
    /// Whose names these are.
    pub subject_issuer: Option<String>,
    /// What the receiver calls such a credential.
    pub credential_type: String,
    /// Who signs.
    pub signer: Arc<SsfSettings>,
}

pub(super) fn usual_events() -> Vec<SsfEvent> {
    vec![SsfEvent::SessionRevoked]
}

pub(super) fn usual_credential_type() -> String {
    "api-key".to_owned()
}

pub(super) fn validate(
    config: &ResponderConfig,
    key: &str,
    signer: Option<&Arc<SsfSettings>>,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SsfReceiver> {
    let ResponderConfig::Ssf {
        name: _,
        url,
        audience,
        token_env,
        token_file,
        events,
        subject,
        subject_issuer,
        credential_type,
        allow_private,
    } = config
    else {
        return None;
    };
    let url = secrets::url(key, UrlKeys::plain(url), *allow_private, secrets, problems);
    let token_key = format!("{key}.token");
    let (env, file) = (token_env.as_deref(), token_file.as_deref());
    let token = secrets::secret(&token_key, env, file, secrets, problems);
    for (field, text) in [("audience", audience), ("credential_type", credential_type)] {
        if text.is_empty() {
            problems.add(format!("{key}.{field}"), "must not be empty");
        }
    }
    let is_repeated = |(index, event)| events[..index].contains(event);
    if events.is_empty() || events.iter().enumerate().any(is_repeated) {
        problems.add(
            format!("{key}.events"),
            "names each event once, and one at least",
        );
    }
    if subject_issuer
        .as_ref()
        .is_some_and(|issuer| Url::parse(issuer).is_err())
    {
        problems.add(format!("{key}.subject_issuer"), "is not a URL");
    }
    if signer.is_none() {
        let message = "needs [alerting.response.ssf] with an issuer and a key that signs";
        problems.add(key, message);
    }
    Some(SsfReceiver {
        url: url?,
        token,
        audience: audience.clone(),
        events: events.clone(),
        subject: *subject,
        subject_issuer: subject_issuer.clone(),
        credential_type: credential_type.clone(),
        signer: Arc::clone(signer?),
    })
}
