//! OAuth 2.0 Token Revocation (RFC 7009), where the gateway's name of the credential is what the server revokes by: its own token id,
//! or a reference token. The raw token is not kept, so nothing else could be sent.
//!
//! The server answers 200 also to a token that it does not know (section 2.2), so the calls afterwards have to tell whether it worked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use tokenwatch_model::Timestamp;

use super::Attempt;
use super::rest::{Rest, form_of};
use crate::response::Ask;

/// A revocation endpoint.
pub(crate) struct OAuth {
    rest: Rest,
    client: Client,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}

impl OAuth {
    pub(super) fn new(rest: Rest, client: Client) -> Self {
        Self { rest, client }
    }

    pub(super) async fn carry_out(&self, ask: &Ask, now: Timestamp) -> Attempt {
        let Some(id) = ask.token.credential_id.as_deref() else {
            return Attempt::Refused("no_credential_id".to_owned());
        };
        let headers = self.client.basic();
        match self
            .rest
            .post_form(&[], &[("token", id)], headers, now)
            .await
        {
            Ok(reply) => Attempt::of_status(reply.status, reply.retry_after),
            Err(attempt) => attempt,
        }
    }
}

impl Client {
    pub(super) fn new(id: &str, secret: &SecretString) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.clone(),
        }
    }

    /// HTTP Basic with both parts encoded as a form's values, as RFC 6749, section 2.3.1, says.
    fn basic(&self) -> HeaderMap {
        let encoded = |text: &str| form_of(&[("", text)]).trim_start_matches('=').to_owned();
        let pair = format!(
            "{}:{}",
            encoded(&self.id),
            encoded(self.secret.expose_secret().trim())
        );
        let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)));
        let mut value = value.expect("base64 is ASCII");
        value.set_sensitive(true);
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }
}
