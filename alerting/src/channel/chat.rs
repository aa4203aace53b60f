//! A chat that takes messages as JSON documents at one secret URL: what Slack and Teams have in common.

use serde_json::Value;
use tokenwatch_model::Timestamp;

use super::post::Poster;
use super::{Delivery, Part, Payload};
use crate::config::SecretUrl;
use crate::layout::Layout;
use crate::message::{Entry, Message};
use crate::outgoing::Outgoing;

/// How a chat wants its messages.
pub(super) struct ChatForm {
    /// What all findings of one message may measure.
    pub entries_budget: usize,
    /// Findings in one message.
    pub entries_limit: usize,
    /// What one of several findings measures.
    pub measure: fn(&Entry) -> usize,
    /// The document.
    pub payload: fn(&Message, &Outgoing) -> Value,
}

/// A chat.
pub(crate) struct ChatChannel {
    form: &'static ChatForm,
    poster: Poster,
    layout: Layout,
}

impl ChatChannel {
    pub(super) fn new(
        form: &'static ChatForm,
        url: SecretUrl,
        allow_private: bool,
        layout: Layout,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            form,
            poster: Poster::new(url, allow_private)?,
            layout,
        })
    }

    pub(super) fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        let form = self.form;
        Message::new(outgoing, &self.layout)
            .split(form.entries_budget, form.entries_limit, form.measure)
            .into_iter()
            .map(|(items, message)| {
                let document = (form.payload)(&message, outgoing);
                let body = document.to_string().into_bytes();
                Part::of_range(outgoing, items, Payload::Body(body))
            })
            .collect()
    }

    pub(super) async fn send(&self, part: &Part, now: Timestamp) -> Delivery {
        self.poster.post(part, now).await
    }
}
