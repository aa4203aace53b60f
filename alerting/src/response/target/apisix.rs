//! APISIX's Admin API: a consumer's credential is deleted. What is milder would be a change of the consumer itself, which holds its
//! secrets; that is left to its owner.

use reqwest::Method;
use reqwest::header::HeaderName;
use secrecy::SecretString;
use tokenwatch_model::Timestamp;

use super::Attempt;
use super::rest::Rest;
use crate::response::Ask;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// APISIX.
pub(crate) struct Apisix(Rest);

impl Apisix {
    pub(super) fn new(rest: Rest, key: &SecretString) -> Self {
        Self(rest.with(API_KEY, key))
    }

    pub(super) async fn carry_out(&self, ask: &Ask, now: Timestamp) -> Attempt {
        let token = &ask.token;
        let (Some(consumer), Some(id)) = (&token.consumer, &token.credential_id) else {
            return Attempt::Refused("no_credential_id".to_owned());
        };
        let path = ["apisix", "admin", "consumers", consumer, "credentials", id];
        match self.0.ask(Method::DELETE, &path, &[], None, now).await {
            Ok(reply) if reply.status == 404 => Attempt::Refused("no_such_credential".to_owned()),
            Ok(reply) => Attempt::of_status(reply.status, reply.retry_after),
            Err(attempt) => attempt,
        }
    }
}
