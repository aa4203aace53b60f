//! The engine's state as bytes: only what changed, and whole again from it.
//!
//! A token's bytes hold its habits and the case against it; the engine's hold the clocks and the fleet. Both begin with a
//! version; state of another version is refused, and the store then starts from the events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{TokenId, TokenProfile};

use super::{Counts, Engine};
use crate::asides::Aside;
use crate::case::Case;
use crate::commons::Commons;
use crate::coverage::Coverage;
use crate::event_clock::EventClock;
use crate::quotas::QuotaUse;
use crate::settings::DetectorSettings;
use crate::sources::Sources;
use crate::subject::SubjectKey;
use crate::token::{Fact, Token};

/// Changes whenever the layout of any state does.
const VERSION: u8 = 10;

/// What changed since the last checkpoint.
#[derive(Clone, Debug, Default)]
pub struct EngineDelta {
    /// The engine's own state, whole.
    pub engine_state: Vec<u8>,
    /// Tokens that changed.
    pub tokens: Vec<TokenDelta>,
    /// Tokens that were forgotten for want of room; their stored states must not come back.
    pub removed: Vec<TokenId>,
}

/// One changed token.
#[derive(Clone, Debug)]
pub struct TokenDelta {
    /// The token.
    pub id: TokenId,
    /// Its state; opaque, below 1 KiB without a case.
    pub state: Vec<u8>,
    /// The same for people.
    pub profile: TokenProfile,
}

/// Stored state could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// It was written by another version of the engine.
    #[error("the state of {what} has version {found}, not {VERSION}")]
    Version {
        /// Whose state.
        what: String,
        /// The version found.
        found: u8,
    },
    /// It is damaged.
    #[error("the state of {what} is damaged")]
    Damaged {
        /// Whose state.
        what: String,
    },
}

#[derive(Serialize, Deserialize)]
struct EngineState {
    clock: EventClock,
    commons: Commons,
    sources: Sources,
    coverage: Coverage,
    cases: Vec<(SubjectKey, Case)>,
    late: u64,
    quarantined: u64,
    cases_evicted: u64,
}

/// What a token's bytes hold: its habits, the case against it, the use of its quota, what else is remembered.
type TokenState = (Token, Option<Case>, Option<QuotaUse>, Option<Aside>);

impl Engine {
    /// What changed since the last call; a first call gives everything.
    pub fn checkpoint(&mut self) -> EngineDelta {
        let engine_state = encode(&EngineState {
            clock: self.clock.clone(),
            commons: self.commons.clone(),
            sources: self.sources.clone(),
            coverage: self.coverage.clone(),
            cases: self
                .cases
                .iter()
                .filter(|(key, _)| key.token().is_none())
                .map(|(key, case)| (key.clone(), case.clone()))
                .collect(),
            late: self.counts.late,
            quarantined: self.counts.quarantined,
            cases_evicted: self.counts.cases_evicted,
        });
        let changed = std::mem::take(&mut self.changed);
        let mut tokens = Vec::with_capacity(changed.len());
        for slot in changed {
            let marks = &mut self.tokens.at_mut(slot).marks;
            // The slot of a forgotten token may be free, or be in the list twice.
            if !marks.is(Fact::Changed) {
                continue;
            }
            marks.set(Fact::Changed, false);
            let token = self.tokens.at(slot);
            tokens.push(TokenDelta {
                id: token.id(),
                state: encode(&(
                    token,
                    self.cases.get(&SubjectKey::Token(token.id())),
                    self.quotas.get(token.id()),
                    self.asides.get(token.id()),
                )),
                profile: token.profile(&self.settings),
            });
        }
        // One that was forgotten and has come back is not gone.
        let mut removed = std::mem::take(&mut self.removed);
        removed.retain(|id| self.tokens.find(*id).is_none());
        EngineDelta {
            engine_state,
            tokens,
            removed,
        }
    }

    /// An engine that goes on where the states were taken. States are read one by one, so that they need not all be held.
    pub fn restore<S: AsRef<[u8]>>(
        settings: Arc<DetectorSettings>,
        engine_state: Option<&[u8]>,
        tokens: impl Iterator<Item = (TokenId, S)>,
    ) -> Result<Self, RestoreError> {
        let mut engine = Self::new(settings);
        if let Some(bytes) = engine_state {
            let state: EngineState = decode(bytes, || "the engine".to_owned())?;
            engine.clock = state.clock;
            engine.commons = state.commons;
            engine.sources = state.sources;
            engine.coverage = state.coverage;
            engine.sources.rebuild();
            engine.cases.extend(state.cases);
            engine.counts = Counts {
                late: state.late,
                quarantined: state.quarantined,
                cases_evicted: state.cases_evicted,
            };
        }
        for (id, bytes) in tokens {
            let state: TokenState = decode(bytes.as_ref(), || id.to_string())?;
            let (mut token, case, quota, aside) = state;
            token.set_id(id);
            if engine.tokens.is_full() {
                engine.tokens.evict();
            }
            engine.tokens.insert(token);
            if let Some(quota) = quota {
                engine.quotas.restore(id, quota);
            }
            if let Some(aside) = aside {
                engine.asides.restore(id, aside);
            }
            if let Some(case) = case {
                engine.cases.insert(SubjectKey::Token(id), case);
            }
        }
        let keys: Vec<SubjectKey> = engine.cases.keys().cloned().collect();
        for key in keys {
            let gone = |id| engine.tokens.find(id).is_none();
            if key.token().is_some_and(gone) {
                engine.cases.remove(&key);
            } else {
                engine.schedule(&key);
            }
        }
        Ok(engine)
    }
}

fn encode<T: Serialize>(state: &T) -> Vec<u8> {
    postcard::to_extend(state, vec![VERSION]).expect("state has no types that postcard refuses")
}

fn decode<'b, T: Deserialize<'b>>(
    bytes: &'b [u8],
    what: impl Fn() -> String,
) -> Result<T, RestoreError> {
    match bytes.split_first() {
        Some((&VERSION, state)) => {
            postcard::from_bytes(state).map_err(|_| RestoreError::Damaged { what: what() })
        }
        Some((&found, _)) => Err(RestoreError::Version {
            what: what(),
            found,
        }),
        None => Err(RestoreError::Damaged { what: what() }),
    }
}
