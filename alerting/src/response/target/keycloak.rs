//! Keycloak's admin API: the client behind a token is disabled; to revoke, everything that it was issued before is void, too.
//!
//! Habits belong to the grant (issuer, subject, client), and subjects are kept as digests alone, so it is the client that is found again:
//! by the token's consumer, which is the claim `azp`. Access tokens that resource servers check by themselves live on until they
//! expire: what comes then tells the watch over the token's calls. It logs in with a service account that has `manage-clients`.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokenwatch_model::{ResponseAction, Timestamp};

use super::Attempt;
use super::oauth::Client;
use super::rest::Rest;
use crate::response::Ask;

/// A realm.
pub(crate) struct Keycloak {
    rest: Rest,
    realm: String,
    client: Client,
}

impl Keycloak {
    pub(super) fn new(rest: Rest, realm: String, client: Client) -> Self {
        Self {
            rest,
            realm,
            client,
        }
    }

    pub(super) async fn carry_out(&self, ask: &Ask, now: Timestamp) -> Attempt {
        let Some(consumer) = ask.token.consumer.as_deref() else {
            return Attempt::Refused("no_consumer".to_owned());
        };
        if consumer == self.client.id {
            // It would lock itself out, and nobody could undo it.
            return Attempt::Refused("own_client".to_owned());
        }
        match self.change(ask, consumer, now).await {
            Ok(id) => Attempt::Done(id),
            Err(attempt) => attempt,
        }
    }

    async fn change(&self, ask: &Ask, consumer: &str, now: Timestamp) -> Result<String, Attempt> {
        let rest = self.log_in(now).await?;
        let clients = ["admin", "realms", &self.realm, "clients"];
        let query = [("clientId", consumer)];
        let found = rest
            .ask(Method::GET, &clients, &query, None, now)
            .await?
            .json()?;
        let is_it = |client: &&Value| client["clientId"] == consumer;
        let found = found.as_array().and_then(|list| list.iter().find(is_it));
        let Some(id) = found.and_then(|client| client["id"].as_str()) else {
            return Err(Attempt::Refused("no_such_client".to_owned()));
        };
        let revokes = ask.response.action == ResponseAction::Revoke && !ask.is_undo();
        let mut change = json!({"clientId": consumer, "enabled": ask.is_undo()});
        if revokes {
            change["notBefore"] = json!(now.as_secs());
        }
        let path = ["admin", "realms", &self.realm, "clients", id];
        let changed = rest
            .ask(Method::PUT, &path, &[], Some(&change), now)
            .await?;
        changed.success()?;
        if revokes {
            let push = [
                "admin",
                "realms",
                &self.realm,
                "clients",
                id,
                "push-revocation",
            ];
            // Tells resource servers that registered for it; none may have.
            rest.ask(Method::POST, &push, &[], None, now)
                .await?
                .success()?;
        }
        Ok(id.to_owned())
    }

    /// The same API with a fresh access token: those live for a minute.
    async fn log_in(&self, now: Timestamp) -> Result<Rest, Attempt> {
        let path = ["realms", &self.realm, "protocol", "openid-connect", "token"];
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client.id.as_str()),
            ("client_secret", self.client.secret.expose_secret().trim()),
        ];
        let reply = self
            .rest
            .post_form(&path, &fields, HeaderMap::new(), now)
            .await?;
        let answer = reply.json()?;
        let token = answer["access_token"].as_str();
        let token = token.ok_or_else(|| Attempt::Refused("no_access_token".to_owned()))?;
        let bearer = SecretString::from(format!("Bearer {token}"));
        Ok(self.rest.clone().with(AUTHORIZATION, &bearer))
    }
}
