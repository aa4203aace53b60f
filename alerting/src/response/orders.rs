//! What a person's word does to a response.

use tokenwatch_model::{Approval, OrderVerb, Response, ResponseOrder, ResponseResult, Timestamp};

use super::Step;
use super::agenda::asked;

/// What `order` does to the response whose newest line is `line`; nothing if it makes no sense any more. `may_act` says whether
/// responses are carried out at all, and its target is there.
pub(crate) fn decide_order(
    line: &Response,
    order: &ResponseOrder,
    may_act: bool,
    now: Timestamp,
) -> Option<Step> {
    line.takes(order.verb, &order.actor, &[]).ok()?;
    match order.verb {
        OrderVerb::Veto => {
            let mut vetoed = line.followed_by(ResponseResult::Vetoed, now);
            vetoed.details.actor.clone_from(&order.actor);
            Some(Step::Note(vetoed))
        }
        OrderVerb::Approve => {
            let mut approved = line.followed_by(ResponseResult::Held, now);
            approved.details.approvals.push(Approval {
                actor: order.actor.clone(),
                at: order.at,
            });
            let given = u32::try_from(approved.details.approvals.len()).unwrap_or(u32::MAX);
            if given < line.details.approvals_needed {
                return Some(Step::Note(approved));
            }
            if may_act {
                return Some(Step::Ask(asked(&approved, now)));
            }
            let mut lapsed = approved.followed_by(ResponseResult::Lapsed, now);
            "not_enforced".clone_into(&mut lapsed.reason);
            Some(Step::Note(lapsed))
        }
        // A word that led to an attempt that failed does not lead to another one.
        OrderVerb::Undo if line.result == ResponseResult::UndoFailed && order.at <= line.at => None,
        OrderVerb::Undo => {
            let mut undoing = line.followed_by(ResponseResult::Undoing, now);
            undoing.details.actor.clone_from(&order.actor);
            Some(Step::Undo(undoing))
        }
    }
}
