//! Asks which way a finding goes to people. The binary answers: it knows the routes, which this crate does not.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use tokenwatch_model::{Finding, Timestamp};

type Tell = dyn Fn(&Finding, Timestamp) -> Value + Send + Sync;

/// Tells, as JSON, which routes take a finding at a time, and why.
#[derive(Clone)]
pub struct RouteTeller(Arc<Tell>);

impl RouteTeller {
    /// One that answers with what `tell` gives.
    pub fn new(tell: impl Fn(&Finding, Timestamp) -> Value + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, finding: &Finding, at: Timestamp) -> Value {
        (self.0)(finding, at)
    }
}

impl fmt::Debug for RouteTeller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTeller").finish_non_exhaustive()
    }
}
