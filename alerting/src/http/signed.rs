//! An endpoint of Standard Webhooks 1.0.0: one id for all attempts, a fresh timestamp and signature for each.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokenwatch_model::Timestamp;

use super::{Answer, HttpClient, NoAnswer};
use crate::config::SecretUrl;
use crate::signature::{SigningSecret, sign};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Where signed requests go.
#[derive(Clone)]
pub(crate) struct SignedEndpoint {
    client: HttpClient,
    url: SecretUrl,
    secrets: Vec<SigningSecret>,
}

impl SignedEndpoint {
    pub(crate) fn new(
        url: SecretUrl,
        secrets: Vec<SigningSecret>,
        allow_private: bool,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: HttpClient::new(allow_private)?,
            url,
            secrets,
        })
    }

    /// Tells this endpoint from another without showing its URL.
    pub(crate) fn digest(&self) -> String {
        self.url.digest()
    }

    /// One attempt, signed for `now`.
    pub(crate) async fn post(
        &self,
        id: &str,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<Answer, NoAnswer> {
        let unix_secs = now.as_secs();
        let signature = sign(&self.secrets, id, unix_secs, &body);
        let text = |value: &str| HeaderValue::from_str(value).expect("ids and base64 are ASCII");
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(WEBHOOK_ID, text(id));
        headers.insert(WEBHOOK_TIMESTAMP, unix_secs.into());
        headers.insert(WEBHOOK_SIGNATURE, text(&signature));
        self.client
            .post(self.url.expose(), headers, body, now)
            .await
    }
}
