//! Asks the inventory service: conditional requests, no redirects, bounded answers.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret as _;
use tokenwatch_model::Registration;

use super::config::RegistryHttpSettings;
use super::inventory::{self, EntryProblem, Notation};

const ACCEPTED: &str = "application/json, application/x-ndjson, text/csv";

/// The service, and what it said last.
#[derive(Debug)]
pub(super) struct Inventory {
    settings: RegistryHttpSettings,
    client: Client,
    /// The tag of the answer that was taken over.
    tag: Option<HeaderValue>,
}

/// What the service said.
#[derive(Debug)]
pub(super) enum Answer {
    /// Nothing new.
    Unchanged,
    /// All entries, and the tag to keep once they are taken over.
    Entries(Vec<Registration>, Option<HeaderValue>),
}

/// Why there is no answer. Holds no secret: the address has none, and the bearer token is not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    /// The request failed.
    #[error("{0}")]
    Request(String),
    /// The service answered something else.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// It is too large.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// It is no text.
    #[error("the answer is not UTF-8")]
    Encoding,
    /// It cannot be read.
    #[error("the answer cannot be read: {}", told(.0))]
    Wrong(Vec<EntryProblem>),
}

impl Inventory {
    pub(super) fn new(settings: RegistryHttpSettings) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("tokenwatch/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(settings.timeout)
            .pool_max_idle_per_host(1)
            .build()?;
        Ok(Self {
            settings,
            client,
            tag: None,
        })
    }

    /// How often it is asked.
    pub(super) fn poll_every(&self) -> Duration {
        self.settings.poll_every
    }

    /// Asks for all entries, unless they are those of the last tag.
    pub(super) async fn poll(&self) -> Result<Answer, PollError> {
        let mut request = self
            .client
            .get(self.settings.url.clone())
            .header(ACCEPT, ACCEPTED);
        if let Some(bearer) = &self.settings.bearer {
            request = request.bearer_auth(bearer.expose_secret());
        }
        if let Some(tag) = &self.tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let failed = |error: reqwest::Error| PollError::Request(error.without_url().to_string());
        let mut response = request.send().await.map_err(failed)?;
        match response.status() {
            StatusCode::NOT_MODIFIED if self.tag.is_some() => return Ok(Answer::Unchanged),
            StatusCode::OK => {}
            status => return Err(PollError::Status(status)),
        }
        let tag = response.headers().get(ETAG).cloned();
        let media_type = response.headers().get(CONTENT_TYPE);
        let notation = Notation::of_media_type(
            media_type
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default(),
        );
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.settings.body_bytes_limit {
                return Err(PollError::TooLarge(self.settings.body_bytes_limit));
            }
            body.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(body).map_err(|_| PollError::Encoding)?;
        let entries = inventory::read(notation, &text).map_err(PollError::Wrong)?;
        Ok(Answer::Entries(entries, tag))
    }

    /// The answer of this tag was taken over. One that was refused is asked for again.
    pub(super) fn accepted(&mut self, tag: Option<HeaderValue>) {
        self.tag = tag;
    }
}

fn told(problems: &[EntryProblem]) -> String {
    let first = problems.first().map(ToString::to_string);
    match (first, problems.len()) {
        (Some(first), 1) => first,
        (Some(first), more) => format!("{first} (and {} more)", more - 1),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests;
