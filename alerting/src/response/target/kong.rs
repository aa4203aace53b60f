//! Kong's Admin API: a credential is deleted; anything milder is a plugin on its consumer, which can be removed again.
//!
//! The plugin's id is made of the response's, so that asking twice makes one plugin. A plugin of the same name that the consumer has
//! already is somebody else's doing: Kong answers 409, and nothing is changed.

use reqwest::Method;
use reqwest::header::HeaderName;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokenwatch_model::{ResponseAction, Timestamp};

use super::Attempt;
use super::rest::Rest;
use crate::response::Ask;

const ADMIN_TOKEN: HeaderName = HeaderName::from_static("kong-admin-token");

/// Kong.
pub(crate) struct Kong {
    rest: Rest,
    credential: &'static str,
}

impl Kong {
    pub(super) fn new(rest: Rest, token: Option<&SecretString>, credential: &'static str) -> Self {
        let rest = match token {
            Some(token) => rest.with(ADMIN_TOKEN, token),
            None => rest,
        };
        Self { rest, credential }
    }

    pub(super) async fn carry_out(&self, ask: &Ask, now: Timestamp) -> Attempt {
        let Some(consumer) = ask.token.consumer.as_deref() else {
            return Attempt::Refused("no_consumer".to_owned());
        };
        let done = match ask.response.action {
            ResponseAction::Revoke => self.delete(ask, consumer, now).await,
            _ if ask.is_undo() => self.remove_plugin(ask, consumer, now).await,
            _ => self.put_plugin(ask, consumer, now).await,
        };
        done.map_or_else(|attempt| attempt, Attempt::Done)
    }

    /// Kong says 204 also to what is not there, so it is looked for first: "not there" is no revocation.
    async fn delete(&self, ask: &Ask, consumer: &str, now: Timestamp) -> Result<String, Attempt> {
        let Some(id) = ask.token.credential_id.as_deref() else {
            return Err(Attempt::Refused("no_credential_id".to_owned()));
        };
        let path = ["consumers", consumer, self.credential, id];
        let found = self.rest.ask(Method::GET, &path, &[], None, now).await?;
        if found.status == 404 {
            return Err(Attempt::Refused("no_such_credential".to_owned()));
        }
        found.success()?;
        let deleted = self.rest.ask(Method::DELETE, &path, &[], None, now).await?;
        deleted.success()?;
        Ok(String::new())
    }

    async fn put_plugin(
        &self,
        ask: &Ask,
        consumer: &str,
        now: Timestamp,
    ) -> Result<String, Attempt> {
        let id = plugin_id(&ask.response.id);
        let path = ["consumers", consumer, "plugins", &id];
        let plugin = plugin(ask);
        let reply = self
            .rest
            .ask(Method::PUT, &path, &[], Some(&plugin), now)
            .await?;
        reply.success()?;
        Ok(id)
    }

    async fn remove_plugin(
        &self,
        ask: &Ask,
        consumer: &str,
        now: Timestamp,
    ) -> Result<String, Attempt> {
        let id = plugin_id(&ask.response.id);
        let path = ["consumers", consumer, "plugins", &id];
        let reply = self.rest.ask(Method::DELETE, &path, &[], None, now).await?;
        reply.success()?;
        Ok(id)
    }
}

fn plugin(ask: &Ask) -> Value {
    let details = &ask.response.details;
    let (name, config) = match ask.response.action {
        ResponseAction::Throttle => (
            "rate-limiting",
            json!({"minute": details.calls_per_minute, "policy": "local", "limit_by": "consumer"}),
        ),
        ResponseAction::Restrict => ("ip-restriction", json!({"allow": details.networks})),
        ResponseAction::Suspend | ResponseAction::Revoke => (
            "request-termination",
            json!({"status_code": 403, "message": "this credential is suspended"}),
        ),
    };
    json!({"name": name, "config": config, "enabled": true, "tags": ["tokenwatch"]})
}

/// The response's id in the form of a UUID, which Kong's ids have.
fn plugin_id(response_id: &str) -> String {
    let hex = response_id.trim_start_matches("rsp_");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}
