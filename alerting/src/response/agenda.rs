//! What is still to be done about responses that were decided on: holds that end, suspensions that end, effects to be looked at.
//!
//! Everything here is in the journal, too: a restart reads it from there. The rate limit bounds it: at most `max_per_hour` come in an
//! hour, holds last a week and suspensions a month.

use std::collections::BTreeMap;
use std::time::Duration;

use tokenwatch_model::{FindingId, HoldEnd, Response, ResponseAction, ResponseResult, Timestamp};

/// How often the calls of a token are looked at after a response.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// What could not be taken back is tried again after this long, for this long.
const UNDO_AGAIN_AFTER: Duration = Duration::from_mins(5);
const UNDO_AGAIN_FOR: Duration = Duration::from_hours(24);

/// The responses that something is still to be done about, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Agenda(BTreeMap<String, Response>);

/// What is to be done about a response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Write this line; nothing else.
    Note(Response),
    /// Write this line, then ask the target to act.
    Ask(Response),
    /// Write this line, then ask the target to take it back.
    Undo(Response),
    /// Look at the token's calls.
    Check(Response),
}

impl Agenda {
    /// Takes in the newest line of a response; forgets it if nothing is to be done about it by the clock.
    pub(crate) fn take(&mut self, line: &Response) {
        if due_at(line).is_some() {
            self.0.insert(line.id.clone(), line.clone());
        } else {
            self.0.remove(&line.id);
        }
    }

    /// The response of this id, if something is still to be done about it.
    pub(crate) fn get(&self, id: &str) -> Option<&Response> {
        self.0.get(id)
    }

    /// When something is due next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.0.values().filter_map(due_at).min()
    }

    /// What is due, at most so many, what has waited longest first.
    pub(crate) fn due(&self, now: Timestamp, at_most: usize) -> Vec<Response> {
        let with_time = |line| due_at(line).map(|due| (due, line));
        let mut due: Vec<(Timestamp, &Response)> = self.0.values().filter_map(with_time).collect();
        due.retain(|(due, _)| *due <= now);
        due.sort_by_key(|(due, _)| *due);
        due.truncate(at_most);
        due.into_iter().map(|(_, line)| line.clone()).collect()
    }

    /// Those of a finding that wait for people and are milder than `action`: it has become graver, and they are of no use any more.
    pub(crate) fn overtaken(
        &self,
        finding: FindingId,
        action: ResponseAction,
        now: Timestamp,
    ) -> Vec<Response> {
        let held = self.0.values().filter(|line| {
            line.finding_id == finding
                && line.result == ResponseResult::Held
                && line.action < action
        });
        held.map(|line| Response {
            reason: "superseded".to_owned(),
            ..line.followed_by(ResponseResult::Lapsed, now)
        })
        .collect()
    }
}

/// When the clock asks for something about a response.
fn due_at(line: &Response) -> Option<Timestamp> {
    let details = &line.details;
    let ends_at = details.ends_at.filter(|_| details.can_undo);
    match line.result {
        ResponseResult::Held => details.held_until,
        ResponseResult::Delivered => {
            let watched = details.effect.as_ref().filter(|effect| effect.is_open);
            let check = watched.map(|effect| effect.checked_at + CHECK_EVERY);
            [ends_at, check].into_iter().flatten().min()
        }
        ResponseResult::UndoFailed => ends_at
            .map(|_| line.at + UNDO_AGAIN_AFTER)
            .filter(|again| again.since(ends_at.unwrap_or(line.at)) <= UNDO_AGAIN_FOR),
        _ => None,
    }
}

/// What to do about a response that is due. `may_act` says whether responses are carried out at all, and its target is there;
/// `is_done` whether as much was done about the token for another finding meanwhile.
pub(crate) fn decide_step(
    line: &Response,
    may_act: bool,
    is_done: bool,
    now: Timestamp,
) -> Option<Step> {
    if due_at(line)? > now {
        return None;
    }
    let lapse = |reason: &str| {
        Some(Step::Note(Response {
            reason: reason.to_owned(),
            ..line.followed_by(ResponseResult::Lapsed, now)
        }))
    };
    match line.result {
        ResponseResult::Held if line.details.at_hold_end != Some(HoldEnd::Act) => {
            lapse("nobody_approved")
        }
        ResponseResult::Held if !may_act => lapse("not_enforced"),
        ResponseResult::Held if is_done => lapse("already_revoked"),
        ResponseResult::Held => Some(Step::Ask(asked(line, now))),
        ResponseResult::Delivered if !has_ended(line, now) => Some(Step::Check(line.clone())),
        // What was done is taken back also when responses are off by now.
        ResponseResult::Delivered | ResponseResult::UndoFailed => {
            let mut undoing = line.followed_by(ResponseResult::Undoing, now);
            "ended".clone_into(&mut undoing.reason);
            Some(Step::Undo(undoing))
        }
        _ => None,
    }
}

/// The line that is written before the target is asked.
pub(super) fn asked(line: &Response, now: Timestamp) -> Response {
    let mut asked = line.followed_by(ResponseResult::Intended, now);
    asked.details.asked_at = Some(now);
    asked
}

fn has_ended(line: &Response, now: Timestamp) -> bool {
    let ends_at = line.details.ends_at.filter(|_| line.details.can_undo);
    ends_at.is_some_and(|end| end <= now)
}
