//! A target for timelines: takes down what it was asked and answers as the test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::Attempt;
use crate::response::Ask;

/// Shared between the test and the dispatchers that it starts one after the other.
#[derive(Clone, Default)]
pub(crate) struct ScriptTarget(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    answers: VecDeque<Attempt>,
    asked: Vec<String>,
}

impl ScriptTarget {
    /// Answers these in turn, then with a yes.
    pub(crate) fn answering(answers: Vec<Attempt>) -> Self {
        let state = State {
            answers: answers.into(),
            asked: Vec::new(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// What it was asked: `suspend`, `undo suspend`, in the order of the attempts.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(super) fn carry_out(&self, ask: &Ask) -> Attempt {
        let mut state = self.0.lock().unwrap();
        let undo = if ask.is_undo() { "undo " } else { "" };
        let action = ask.response.action.name();
        state.asked.push(format!("{undo}{action}"));
        let answer = state.answers.pop_front();
        answer.unwrap_or_else(|| Attempt::Done("handle".to_owned()))
    }
}
