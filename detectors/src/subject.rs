//! Whom a case is about: a token, a source of calls, or the fleet.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Subject, SubjectKind, TokenId};

/// Names the case of a subject. Sources and the fleet's parts are named by their text, which is short.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum SubjectKey {
    /// A token.
    Token(TokenId),
    /// An address, a prefix, a network, a route.
    Source(String),
    /// Everybody, or everybody of one group.
    Fleet(String),
}

impl SubjectKey {
    /// The subject as findings name it.
    pub(crate) fn subject(&self) -> Subject {
        let (kind, id) = match self {
            Self::Token(id) => (SubjectKind::Token, id.to_string()),
            Self::Source(id) => (SubjectKind::Source, id.clone()),
            Self::Fleet(id) => (SubjectKind::Fleet, id.clone()),
        };
        Subject { kind, id }
    }

    /// The token, if it is one.
    pub(crate) fn token(&self) -> Option<TokenId> {
        match self {
            Self::Token(id) => Some(*id),
            Self::Source(_) | Self::Fleet(_) => None,
        }
    }
}
