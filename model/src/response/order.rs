//! What people say about a response, and whether that makes sense as it stands.

use serde::{Deserialize, Serialize};

use super::{Response, ResponseResult};
use crate::Timestamp;

/// The name that a signed link acts under. Whoever opens one is not known, so all links together are one person.
const LINK_ACTOR: &str = "link";

/// Somebody's word on a response. It is carried out by the instance that acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseOrder {
    /// Which response.
    #[serde(skip_serializing)]
    pub response_id: String,
    /// When.
    pub at: Timestamp,
    /// Who: a user's name, or `link`.
    pub actor: String,
    /// What.
    pub verb: OrderVerb,
    /// Why, if anything was said.
    pub note: String,
}

/// What can be said about a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderVerb {
    /// Do it now.
    Approve,
    /// Do not do it.
    Veto,
    /// Take it back.
    Undo,
}

/// Why a word makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefusal {
    /// It does not wait for anybody.
    #[error("it does not wait for anybody's word any more")]
    NotHeld,
    /// It takes somebody else.
    #[error("you approved it already; it takes somebody else's approval, too")]
    ApprovedAlready,
    /// There is nothing to take back.
    #[error("there is nothing to take back: the target did not do it, or it was undone")]
    NothingToUndo,
    /// The target has no way back.
    #[error("the target cannot take this back")]
    CannotUndo,
}

impl OrderVerb {
    /// Every verb.
    pub const ALL: [Self; 3] = [Self::Approve, Self::Veto, Self::Undo];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Veto => "veto",
            Self::Undo => "undo",
        }
    }
}

impl ResponseOrder {
    /// The actor of signed links.
    pub const LINK: &'static str = LINK_ACTOR;
}

impl Response {
    /// Whether `actor` may say `verb` of it as it stands; `said` is what was said before and is not carried out yet.
    pub fn takes(
        &self,
        verb: OrderVerb,
        actor: &str,
        said: &[ResponseOrder],
    ) -> Result<(), OrderRefusal> {
        match verb {
            OrderVerb::Approve | OrderVerb::Veto if self.result != ResponseResult::Held => {
                Err(OrderRefusal::NotHeld)
            }
            OrderVerb::Approve => {
                let counted = self.details.approvals.iter().any(|one| one.actor == actor);
                let waiting = said
                    .iter()
                    .any(|one| one.verb == OrderVerb::Approve && one.actor == actor);
                if counted || waiting {
                    Err(OrderRefusal::ApprovedAlready)
                } else {
                    Ok(())
                }
            }
            OrderVerb::Undo if !self.details.can_undo => Err(OrderRefusal::CannotUndo),
            OrderVerb::Undo if !self.can_be_undone() => Err(OrderRefusal::NothingToUndo),
            OrderVerb::Veto | OrderVerb::Undo => Ok(()),
        }
    }
}
