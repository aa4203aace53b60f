//! Asks a target to act, or to take back what it did, and says in the journal what came of it.

use std::sync::Arc;
use std::time::Duration;

use tokenwatch_model::{
    Clock, Effect, EffectState, Finding, FindingToken, Response, ResponseResult, Timestamp,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Target;
use super::target::Attempt;
use crate::ledger::{LedgerWriter, Line};
use crate::metrics::AlertingMetrics;
use crate::retry::next_delay;

/// Waits between the attempts of one request. A revocation that comes minutes later is another decision.
const DELAYS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(9),
    Duration::from_secs(20),
];

/// Asks the targets.
#[derive(Clone)]
pub(crate) struct Responder {
    /// In the order of the settings.
    pub(crate) targets: Arc<[Target]>,
    pub(crate) clock: Clock,
    pub(crate) metrics: AlertingMetrics,
    pub(crate) writer: LedgerWriter,
    /// Outcomes, for the history of the dispatcher.
    pub(crate) outcomes: mpsc::Sender<Response>,
    pub(crate) cancel: CancellationToken,
}

/// What a target is asked.
#[derive(Clone)]
pub(crate) struct Ask {
    /// The line in the journal: `intended` or `undoing`.
    pub(crate) response: Response,
    /// Why.
    pub(crate) finding: Arc<Finding>,
    /// Whose names the target may know.
    pub(crate) token: FindingToken,
}

impl Ask {
    /// Whether the target shall take back what it did.
    pub(crate) fn is_undo(&self) -> bool {
        self.response.result == ResponseResult::Undoing
    }

    /// The id that all attempts share.
    pub(crate) fn id(&self) -> String {
        let id = &self.response.id;
        if self.is_undo() {
            format!("{id}_undo")
        } else {
            id.clone()
        }
    }
}

impl Responder {
    /// Asks for what `ask` says, which is in the journal already, and records what came of it.
    pub(crate) async fn respond(self, target: usize, ask: Ask) {
        let attempt = self.attempts(target, &ask).await;
        let outcome = outcome(&ask, attempt, self.clock.now());
        self.metrics.responded(outcome.result);
        tell(&outcome);
        if self.outcomes.send(outcome.clone()).await.is_err() {
            tracing::debug!("the dispatcher ended before a response did");
        }
        self.writer.write(Line::Response(outcome)).await;
    }

    /// The handle of what was done, or why it was not.
    async fn attempts(&self, target: usize, ask: &Ask) -> Result<String, String> {
        let target = &self.targets[target];
        for attempt in 1.. {
            let (reason, after) = match target.carry_out(ask, self.clock.now()).await {
                Attempt::Done(handle) => return Ok(handle),
                Attempt::Refused(reason) => return Err(reason),
                Attempt::TryAgain { reason, after } => (reason, after),
            };
            // A target that asks for more time than the schedule has is not waited for.
            let longest = DELAYS[DELAYS.len() - 1];
            let delay = next_delay(&DELAYS, attempt, after, fastrand::f64());
            let Some(delay) = delay.filter(|delay| *delay <= longest.mul_f64(1.5)) else {
                return Err(format!("gave_up: {reason}"));
            };
            self.metrics.response_retried();
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.cancel.cancelled() => return Err(format!("stopped: {reason}")),
            }
        }
        unreachable!("the loop ends with the schedule");
    }
}

/// The line that says how it ended.
fn outcome(ask: &Ask, attempt: Result<String, String>, now: Timestamp) -> Response {
    let result = match (&attempt, ask.is_undo()) {
        (Ok(_), false) => ResponseResult::Delivered,
        (Ok(_), true) => ResponseResult::Undone,
        (Err(_), false) => ResponseResult::Failed,
        (Err(_), true) => ResponseResult::UndoFailed,
    };
    let mut line = ask.response.followed_by(result, now);
    match attempt {
        Ok(handle) if !ask.is_undo() => {
            let details = &mut line.details;
            details.answered_at = Some(line.at);
            let lasts = details.lasts_s.map(Duration::from_secs);
            details.ends_at = lasts.map(|lasts| line.at + lasts);
            details.handle = handle;
            details.effect = line.action.ends_use().then(|| {
                Box::new(Effect {
                    state: EffectState::Watching,
                    checked_at: line.at,
                    effective_at: None,
                    lag_ms: None,
                    is_open: true,
                    nodes: Vec::new(),
                })
            });
        }
        Ok(_) => {}
        Err(reason) => line.reason = reason,
    }
    line
}

fn tell(outcome: &Response) {
    let action = outcome.action.name();
    let (id, token, finding) = (&outcome.id, outcome.token_id, outcome.finding_id);
    let target = &outcome.target;
    match outcome.result {
        ResponseResult::Delivered => tracing::warn!(
            response.id = id, token.id = %token, finding.id = %finding,
            "{target} took the request to {action} the token"
        ),
        ResponseResult::Undone => tracing::warn!(
            response.id = id, token.id = %token, finding.id = %finding,
            "{target} took back what it did to the token ({action})"
        ),
        ResponseResult::UndoFailed => tracing::error!(
            response.id = id, token.id = %token, finding.id = %finding, reason = outcome.reason,
            "{target} did not take back what it did to the token ({action}): act by hand"
        ),
        _ => tracing::error!(
            response.id = id, token.id = %token, finding.id = %finding, reason = outcome.reason,
            "{target} could not {action} the token: act by hand"
        ),
    }
}
