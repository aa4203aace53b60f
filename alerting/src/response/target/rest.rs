//! What gateways' and identity providers' APIs have in common: JSON, a header that says who asks, and ids in paths.

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokenwatch_model::Timestamp;
use url::Url;

use super::Attempt;
use crate::config::SecretUrl;
use crate::http::{Call, HttpClient, Reply};

/// An API below a URL.
#[derive(Clone)]
pub(super) struct Rest {
    client: HttpClient,
    base: Url,
    headers: HeaderMap,
}

impl Rest {
    pub(super) fn new(url: &SecretUrl, allow_private: bool) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: HttpClient::new(allow_private)?,
            base: url.expose().clone(),
            headers: HeaderMap::new(),
        })
    }

    /// The same with a secret header.
    pub(super) fn with(mut self, name: HeaderName, secret: &SecretString) -> Self {
        // What cannot be a header's value is refused by the API as a wrong one is.
        let value = HeaderValue::from_str(secret.expose_secret().trim());
        let mut value = value.unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// Asks for what lies at `path` below the base, every part of it one segment.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        now: Timestamp,
    ) -> Result<Reply, Attempt> {
        let mut headers = self.headers.clone();
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let call = Call {
            method,
            url: self.at(path, query),
            headers,
            body: body.map(|body| body.to_string().into_bytes()),
        };
        self.send(call, now).await
    }

    /// Posts a form.
    pub(super) async fn post_form(
        &self,
        path: &[&str],
        fields: &[(&str, &str)],
        more: HeaderMap,
        now: Timestamp,
    ) -> Result<Reply, Attempt> {
        let mut headers = self.headers.clone();
        headers.extend(more);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let call = Call {
            method: Method::POST,
            url: self.at(path, &[]),
            headers,
            body: Some(form_of(fields).into_bytes()),
        };
        self.send(call, now).await
    }

    /// Posts a body to the base itself.
    pub(super) async fn post(
        &self,
        content: HeaderValue,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<Reply, Attempt> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, content);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let call = Call {
            method: Method::POST,
            url: self.base.clone(),
            headers,
            body: Some(body),
        };
        self.send(call, now).await
    }

    async fn send(&self, call: Call, now: Timestamp) -> Result<Reply, Attempt> {
        let reply = self.client.send(call, now).await;
        reply.map_err(Attempt::of_no_answer)
    }

    fn at(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        // Parts are encoded one by one, so that no id can leave its place; `..` is none.
        if let (false, Ok(mut segments)) = (path.is_empty(), url.path_segments_mut()) {
            segments.pop_if_empty();
            for part in path {
                match *part {
                    "." | ".." => segments.push("%2E"),
                    part => segments.push(part),
                };
            }
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl Reply {
    /// The object, if it was a yes.
    pub(super) fn json(&self) -> Result<Value, Attempt> {
        self.success()?;
        let unreadable = |_| Attempt::Refused("unreadable_answer".to_owned());
        serde_json::from_slice(&self.body).map_err(unreadable)
    }

    /// Whether it was a yes.
    pub(super) fn success(&self) -> Result<(), Attempt> {
        match Attempt::of_status(self.status, self.retry_after) {
            Attempt::Done(_) => Ok(()),
            other => Err(other),
        }
    }
}

/// `fields` as the body of a form.
pub(super) fn form_of(fields: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}
