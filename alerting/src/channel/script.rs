//! A channel for timelines: takes down what is sent and answers as the test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::{Delivery, Part, Payload};
use crate::outgoing::Outgoing;

/// Shared between the test and the worker.
#[derive(Clone, Default)]
pub(crate) struct ScriptChannel {
    answers: Arc<Mutex<VecDeque<Delivery>>>,
    attempts: Arc<Mutex<Vec<Outgoing>>>,
    hangs: bool,
}

impl ScriptChannel {
    /// Answers these in turn, then accepts everything.
    pub(crate) fn answering(answers: impl IntoIterator<Item = Delivery>) -> Self {
        let channel = Self::default();
        channel.answers.lock().unwrap().extend(answers);
        channel
    }

    /// Never answers.
    pub(crate) fn hanging() -> Self {
        Self {
            hangs: true,
            ..Self::default()
        }
    }

    /// Every attempt so far.
    pub(crate) fn attempts(&self) -> Vec<Outgoing> {
        self.attempts.lock().unwrap().clone()
    }

    pub(super) fn render(message: &Outgoing) -> Vec<Part> {
        let payload = Payload::Script(Box::new(message.clone()));
        vec![Part::of_range(
            message,
            0..message.items.len().max(1),
            payload,
        )]
    }

    pub(super) async fn send(&self, part: &Part) -> Delivery {
        let Payload::Script(message) = &part.payload else {
            unreachable!("the script renders for itself");
        };
        self.attempts.lock().unwrap().push((**message).clone());
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or(Delivery::Accepted)
    }
}
