//! The one task that decides: nothing about a finding is decided twice at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokenwatch_model::{
    Finding, FindingId, Notification, NotificationResult, Response, ResponseResult, Severity,
    Timestamp,
};
use tokenwatch_store::StoreError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{AlertingEvent, Behind, Runtime};
use crate::channel::{ChannelName, Outgoing};
use crate::config::AlertingSettings;
use crate::decision::{Action, Decision, Reason, decide};
use crate::ledger::{Book, Ledger, publish};
use crate::metrics::LedgerOperation;
use crate::receiver::{DISABLED_REASON, Job};
use crate::response::{Responder, ResponseDecision, ResponseHistory, decide_response, line_of};

/// Findings that are decided on together, with one read and one write of the ledger.
const BATCH_LIMIT: usize = 256;
/// The first pause before the ledger is compared after something was turned away; doubles while that goes on.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The way to a receiver's worker.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) name: Arc<str>,
    pub(super) channel: ChannelName,
    /// Tells its endpoint from another one, where endpoints can be gone.
    pub(super) digest: Option<String>,
    pub(super) disabled: Arc<AtomicBool>,
    pub(super) jobs: mpsc::Sender<Job>,
}

/// The state of the deciding task.
pub(super) struct Intake {
    pub(super) settings: Arc<AlertingSettings>,
    pub(super) ledger: Ledger,
    pub(super) book: Arc<Book>,
    pub(super) history: ResponseHistory,
    pub(super) responder: Responder,
    pub(super) outlets: Vec<Outlet>,
    pub(super) behind: Arc<Behind>,
    pub(super) runtime: Runtime,
}

/// A message that was decided on: its line of the ledger and, unless muted, the job.
struct Departure {
    line: Option<Notification>,
    job: Option<(usize, Job)>,
}

impl Outlet {
    pub(super) fn queued(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }
}

impl Intake {
    /// Decides until cancelled, then on what was offered before.
    pub(super) async fn run(
        mut self,
        mut offered: mpsc::Receiver<Finding>,
        mut outcomes: mpsc::Receiver<Response>,
    ) {
        let cancel = self.runtime.cancel.clone();
        let begun = tokio::select! {
            () = cancel.cancelled() => false,
            () = self.begin() => true,
        };
        if !begun {
            return;
        }
        let behind = Arc::clone(&self.behind);
        let mut batch = Vec::with_capacity(BATCH_LIMIT);
        let mut pause = FIRST_PAUSE;
        let mut reconcile_at = Instant::now();
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(outcome) = outcomes.recv() => self.history.record(outcome),
                count = offered.recv_many(&mut batch, BATCH_LIMIT) => {
                    if count == 0 {
                        break;
                    }
                    self.process(std::mem::take(&mut batch)).await;
                }
                () = behind.reported() => {
                    reconcile_at = reconcile_at.min(Instant::now() + pause);
                }
                () = sleep_until(reconcile_at) => {
                    behind.take();
                    self.reconcile().await;
                    pause = if behind.is_reported() {
                        (pause * 2).min(self.settings.reconcile_every.max(FIRST_PAUSE))
                    } else {
                        FIRST_PAUSE
                    };
                    reconcile_at = Instant::now() + self.settings.reconcile_every;
                }
            }
        }
        self.drain(offered).await;
    }

    /// Decides on what was offered before the cancellation; what the deadline cuts off is found by the next start.
    async fn drain(&mut self, mut offered: mpsc::Receiver<Finding>) {
        offered.close();
        let deadline = Instant::now() + self.settings.drain_timeout;
        let mut batch = Vec::new();
        let rest = async {
            while offered.recv_many(&mut batch, BATCH_LIMIT).await > 0 {
                self.process(std::mem::take(&mut batch)).await;
            }
        };
        if tokio::time::timeout_at(deadline, rest).await.is_err() {
            tracing::warn!("findings are left for the next start: the drain timeout came first");
        }
    }

    /// Responds to and announces `findings`, as far as the decisions say.
    pub(super) async fn process(&mut self, findings: Vec<Finding>) {
        let findings = newest(findings);
        let on_their_way = match self.read_lines(&findings).await {
            Ok(on_their_way) => on_their_way,
            Err(error) => return self.ledger_failed(LedgerOperation::read, &error),
        };
        self.respond(&findings).await;
        let now = self.runtime.clock.now();
        let mut departures = Vec::new();
        for finding in findings {
            departures.extend(self.depart(finding, &on_their_way, now));
        }
        let lines: Vec<_> = departures
            .iter()
            .filter_map(|departure| departure.line.clone())
            .collect();
        if !lines.is_empty()
            && let Err(error) = self.ledger.insert_notifications(&lines).await
        {
            return self.ledger_failed(LedgerOperation::write, &error);
        }
        for line in lines {
            self.book.wrote(&line);
            publish(
                self.runtime.events.as_ref(),
                AlertingEvent::Notification(line),
            );
        }
        for (receiver, job) in departures.into_iter().filter_map(|departure| departure.job) {
            self.enqueue(receiver, job);
        }
    }

    /// Makes sure that the book knows the lines of `findings`; gives what was on its way before it was read. Those
    /// messages are this process's own, even if what was read still calls them begun.
    async fn read_lines(&self, findings: &[Finding]) -> Result<HashSet<String>, StoreError> {
        let unknown = self.book.unknown(findings.iter().map(|finding| finding.id));
        if unknown.is_empty() {
            return Ok(HashSet::new());
        }
        let on_their_way = self.book.in_flight();
        let lines = self.ledger.notifications_of(&unknown).await?;
        self.book.learn(&unknown, lines);
        Ok(on_their_way)
    }

    /// What departs about one finding.
    fn depart(
        &mut self,
        finding: Finding,
        on_their_way: &HashSet<String>,
        now: Timestamp,
    ) -> Vec<Departure> {
        let lines = self.book.lines(finding.id);
        let settings = &self.settings;
        let decisions = decide(&finding, &lines, &settings.routing, now, settings.max_age);
        let response = self.history.answer(finding.id).cloned();
        let finding = Arc::new(finding);
        decisions
            .into_iter()
            .filter(|decision| decision.action != Action::Skip)
            .filter(|decision| {
                !on_their_way.contains(&decision.id) && !self.book.is_in_flight(&decision.id)
            })
            .map(|decision| {
                let attempts = lines
                    .iter()
                    .find(|line| line.id == decision.id)
                    .map_or(0, |line| line.attempts);
                self.departure(decision, attempts, &finding, response.clone(), now)
            })
            .collect()
    }

    fn departure(
        &self,
        decision: Decision,
        attempts: u32,
        finding: &Arc<Finding>,
        response: Option<Response>,
        now: Timestamp,
    ) -> Departure {
        let outlet = &self.outlets[decision.receiver];
        let is_disabled = outlet.disabled.load(Ordering::Acquire);
        let is_resumed = decision.reason == Reason::Unfinished;
        let (result, reason) = match decision.action {
            Action::Send if is_disabled => (NotificationResult::Muted, DISABLED_REASON),
            Action::Send => (NotificationResult::Sending, decision.reason.name()),
            Action::Mute | Action::Skip => (NotificationResult::Muted, decision.reason.name()),
        };
        let is_sent = result == NotificationResult::Sending;
        if !is_sent {
            self.runtime.metrics.notified(outlet.channel, result);
        }
        let line = Notification {
            id: decision.id.clone(),
            finding_id: finding.id,
            receiver: outlet.name.to_string(),
            channel: outlet.channel.as_str().to_owned(),
            severity: decision.severity,
            at: now,
            attempts,
            result,
            reason: reason.to_owned(),
        };
        let job = || Job {
            message: Outgoing {
                id: decision.id,
                occasion: decision.occasion,
                severity: decision.severity,
                finding: Arc::clone(finding),
                response,
                repeated: is_resumed,
            },
            attempts,
        };
        Departure {
            // That it was begun is in the ledger already.
            line: (!(is_sent && is_resumed)).then_some(line),
            job: is_sent.then(|| (decision.receiver, job())),
        }
    }

    fn enqueue(&self, receiver: usize, job: Job) {
        let outlet = &self.outlets[receiver];
        let id = job.message.id.clone();
        if !self.book.depart(&id) {
            return;
        }
        if outlet.jobs.try_send(job).is_ok() {
            self.runtime.metrics.queued(outlet.channel, 1);
        } else {
            self.book.arrive(&id);
            self.runtime.metrics.overflowed();
            self.behind.report();
        }
    }

    /// Decides on responses, writes the journal, and only then asks for them.
    async fn respond(&mut self, findings: &[Finding]) {
        let critical: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Critical && finding.token.is_some())
            .collect();
        if critical.is_empty() {
            return;
        }
        let unknown: Vec<FindingId> = critical
            .iter()
            .map(|finding| finding.id)
            .filter(|id| !self.history.knows(*id))
            .collect();
        match self.ledger.responses_of(&unknown).await {
            Ok(lines) => self.history.learn(&unknown, lines),
            Err(error) => return self.ledger_failed(LedgerOperation::read, &error),
        }
        let lines: Vec<(Response, &Finding)> = critical
            .into_iter()
            .filter_map(|finding| Some((self.decide_response(finding)?, finding)))
            .collect();
        let journal: Vec<Response> = lines.iter().map(|(line, _)| line.clone()).collect();
        if journal.is_empty() {
            return;
        }
        if let Err(error) = self.ledger.insert_responses(&journal).await {
            // Without the line nothing may be asked for. Whether it was written after all, the next look will tell.
            for line in &journal {
                self.history.forget(line);
            }
            return self.ledger_failed(LedgerOperation::write, &error);
        }
        for (line, finding) in lines {
            self.carry_out(line, finding);
        }
    }

    fn decide_response(&mut self, finding: &Finding) -> Option<Response> {
        let token = finding.token.as_ref()?.id;
        let now = self.runtime.clock.now();
        let settings = &self.settings;
        let past = self
            .history
            .past(finding.id, token, &settings.response, now);
        let decision = decide_response(finding, past, settings, now);
        let line = line_of(decision, finding, token, &settings.response, now)?;
        if let ResponseDecision::Withhold(reason) = decision {
            tracing::warn!(
                finding.id = %finding.id, token.id = %token, reason = reason.name(),
                "a token is not revoked although a critical finding asks for it"
            );
        }
        self.history.record(line.clone());
        Some(line)
    }

    /// The journal has `line`: tells the console and, if it was meant, asks the target.
    fn carry_out(&self, line: Response, finding: &Finding) {
        let events = self.runtime.events.as_ref();
        publish(events, AlertingEvent::Response(line.clone()));
        match (line.result, &finding.token) {
            (ResponseResult::Intended, Some(token)) => {
                let responder = self.responder.clone();
                let work = responder.respond(line, finding.clone(), token.clone());
                self.runtime.tracker.spawn(work);
            }
            (result, _) => self.runtime.metrics.responded(result),
        }
    }

    pub(super) fn ledger_failed(&self, operation: LedgerOperation, error: &StoreError) {
        self.runtime.metrics.ledger_failed(operation);
        self.behind.report();
        tracing::error!(error = %error, "the ledger cannot be used; findings wait for the next reconciliation");
    }
}

/// The newest version of each finding, in the order in which they were offered first.
fn newest(findings: Vec<Finding>) -> Vec<Finding> {
    let mut positions = HashMap::new();
    let mut newest: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        if let Some(position) = positions.get(&finding.id) {
            let known: &mut Finding = &mut newest[*position];
            if finding.revision >= known.revision {
                *known = finding;
            }
        } else {
            positions.insert(finding.id, newest.len());
            newest.push(finding);
        }
    }
    newest
}
