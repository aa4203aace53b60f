//! Asks why a token has, or has not, a finding. The binary answers: it knows the detectors, which this crate does not.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use tokenwatch_model::{Timestamp, TokenId};
use tokenwatch_store::StoreError;
use tokio::sync::Semaphore;

use crate::problem::ApiError;

/// Explanations under way: each reads weeks of a token's events and keeps a core busy.
const AT_ONCE: usize = 1;

type Answer = Pin<Box<dyn Future<Output = Result<Value, StoreError>> + Send>>;

/// Explains a token as of a time, as JSON.
#[derive(Clone)]
pub struct Explainer {
    explain: Arc<dyn Fn(TokenId, Timestamp) -> Answer + Send + Sync>,
    turns: Arc<Semaphore>,
}

impl Explainer {
    /// One that answers with what `explain` gives.
    pub fn new<F>(explain: impl Fn(TokenId, Timestamp) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Value, StoreError>> + Send + 'static,
    {
        Self {
            explain: Arc::new(move |token, at| Box::pin(explain(token, at))),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Waits for its turn, then for the answer.
    pub(crate) async fn explain(&self, token: TokenId, at: Timestamp) -> Result<Value, ApiError> {
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| ApiError::Internal)?;
        Ok((self.explain)(token, at).await?)
    }
}

impl fmt::Debug for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explainer").finish_non_exhaustive()
    }
}
