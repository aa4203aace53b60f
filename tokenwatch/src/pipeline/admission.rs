//! What is done to decoded events before they are judged and stored: copies go, and another name of a token gives way to the
//! token that the registry says it is.

use tokenwatch_detectors::Registry;
use tokenwatch_model::AccessEvent;

use super::deliveries::Deliveries;

/// Lets events in, each once and under its token's own name.
#[derive(Debug)]
pub(crate) struct Admission {
    deliveries: Deliveries,
}

impl Admission {
    pub(crate) fn new(deliveries: Deliveries) -> Self {
        Self { deliveries }
    }

    /// Leaves of `events` what counts; how many were copies.
    pub(crate) fn admit(&mut self, events: &mut Vec<AccessEvent<'_>>, registry: &Registry) -> u64 {
        let before = events.len();
        events.retain(|event| !self.deliveries.is_again(event));
        let copies = (before - events.len()) as u64;
        if registry.has_aliases() {
            for event in events {
                let at = event.ts;
                if let Some(token) = &mut event.token {
                    registry.resolve(token, at);
                }
            }
        }
        copies
    }
}
