//! Those that are asked to act on a token: one file each.
//!
//! A new kind is a variant here, in `TargetKind` and in `ResponderConfig`, a file below, and a section in docs/responses.md.

mod apisix;
mod aws;
mod keycloak;
mod kong;
mod oauth;
mod rest;
#[cfg(test)]
pub(crate) mod script;
mod ssf;
mod webhook;

use std::time::Duration;

use tokenwatch_model::Timestamp;

use rest::Rest;

use super::Ask;
use crate::config::{TargetKind, TargetSettings};
use crate::deny_list::{DenyList, DenyListFull};
use crate::error::AlertingError;
use crate::http::{Answer, NoAnswer, SignedEndpoint};

/// One target.
pub(crate) enum Target {
    /// There is none: a dry run without a target.
    None,
    /// A signed webhook.
    Webhook(SignedEndpoint),
    /// Kong's Admin API.
    Kong(kong::Kong),
    /// APISIX's Admin API.
    Apisix(apisix::Apisix),
    /// A revocation endpoint (RFC 7009).
    OAuth(oauth::OAuth),
    /// Keycloak's admin API.
    Keycloak(keycloak::Keycloak),
    /// AWS access keys.
    Aws(aws::Aws),
    /// The list that gateways poll or ask.
    DenyList(DenyList),
    /// A receiver of security event tokens.
    Ssf(Box<ssf::Ssf>),
    /// Answers as a test says.
    #[cfg(test)]
    Script(script::ScriptTarget),
}

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The target did it; with what it takes to undo it, if it takes anything.
    Done(String),
    /// It will not.
    Refused(String),
    /// It may yet.
    TryAgain {
        reason: String,
        after: Option<Duration>,
    },
}

impl Target {
    pub(crate) fn new(settings: &TargetSettings) -> Result<Self, AlertingError> {
        let failed = |source| AlertingError::HttpClient {
            receiver: settings.name.to_string(),
            source,
        };
        let allow_private = settings.allow_private;
        Ok(match &settings.kind {
            TargetKind::None => Self::None,
            TargetKind::Webhook { url, secrets, .. } => {
                let (url, secrets) = (url.clone(), secrets.clone());
                Self::Webhook(SignedEndpoint::new(url, secrets, allow_private).map_err(failed)?)
            }
            TargetKind::Kong {
                url,
                token,
                credential,
            } => {
                let rest = Rest::new(url, allow_private).map_err(failed)?;
                Self::Kong(kong::Kong::new(rest, token.as_ref(), credential.path()))
            }
            TargetKind::Apisix { url, key } => {
                let rest = Rest::new(url, allow_private).map_err(failed)?;
                Self::Apisix(apisix::Apisix::new(rest, key))
            }
            TargetKind::Oauth {
                url,
                client_id,
                client_secret,
            } => {
                let rest = Rest::new(url, allow_private).map_err(failed)?;
                let client = oauth::Client::new(client_id, client_secret);
                Self::OAuth(oauth::OAuth::new(rest, client))
            }
            TargetKind::Keycloak {
                url,
                realm,
                client_id,
                client_secret,
            } => {
                let rest = Rest::new(url, allow_private).map_err(failed)?;
                let client = oauth::Client::new(client_id, client_secret);
                Self::Keycloak(keycloak::Keycloak::new(rest, realm.clone(), client))
            }
            TargetKind::Aws {
                url,
                region,
                access_key_id,
                secret_access_key,
                quarantine_policy,
            } => {
                let rest = Rest::new(url, allow_private).map_err(failed)?;
                let key = aws::AwsKey {
                    id: access_key_id.clone(),
                    secret: secret_access_key.clone(),
                };
                let (region, policy) = (region.clone(), quarantine_policy.clone());
                Self::Aws(aws::Aws::new(rest, url, region, key, policy))
            }
            TargetKind::DenyList(_) => Self::DenyList(DenyList::default()),
            TargetKind::Ssf(receiver) => {
                let rest = Rest::new(&receiver.url, allow_private).map_err(failed)?;
                Self::Ssf(Box::new(ssf::Ssf::new(rest, receiver)))
            }
        })
    }

    /// The deny list, if it is that.
    pub(crate) fn deny_list(&self) -> Option<&DenyList> {
        match self {
            Self::DenyList(list) => Some(list),
            _ => None,
        }
    }

    /// One attempt.
    pub(super) async fn carry_out(&self, ask: &Ask, now: Timestamp) -> Attempt {
        match self {
            Self::None => Attempt::Refused("no_target".to_owned()),
            Self::Webhook(endpoint) => webhook::carry_out(endpoint, ask, now).await,
            Self::Kong(kong) => kong.carry_out(ask, now).await,
            Self::Apisix(apisix) => apisix.carry_out(ask, now).await,
            Self::OAuth(oauth) => oauth.carry_out(ask, now).await,
            Self::Keycloak(keycloak) => keycloak.carry_out(ask, now).await,
            Self::Aws(aws) => aws.carry_out(ask, now).await,
            Self::DenyList(list) => match list.carry_out(&ask.response) {
                Ok(()) => Attempt::Done(String::new()),
                Err(DenyListFull) => Attempt::Refused("deny_list_full".to_owned()),
            },
            Self::Ssf(ssf) => ssf.carry_out(ask, now).await,
            #[cfg(test)]
            Self::Script(script) => script.carry_out(ask),
        }
    }
}

impl Attempt {
    /// 2xx is a yes. Statuses that say "not now" and lost connections are tried again; everything else is a no.
    fn of(answer: Result<Answer, NoAnswer>) -> Self {
        match answer {
            Ok(answer) => Self::of_status(answer.status, answer.retry_after),
            Err(no_answer) => Self::of_no_answer(no_answer),
        }
    }

    fn of_status(status: u16, after: Option<Duration>) -> Self {
        let reason = format!("http_{status}");
        match status {
            200..=299 => Self::Done(String::new()),
            408 | 425 | 429 | 500..=599 => Self::TryAgain { reason, after },
            _ => Self::Refused(reason),
        }
    }

    fn of_no_answer(no_answer: NoAnswer) -> Self {
        let reason = no_answer.name().to_owned();
        match no_answer {
            NoAnswer::BlockedAddress => Self::Refused(reason),
            _ => Self::TryAgain {
                reason,
                after: None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
