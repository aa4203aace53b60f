//! The one task that decides: nothing about a finding is decided twice at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lru::LruCache;
use tokenwatch_model::{
    Finding, FindingId, Notification, NotificationResult, OrderVerb, Response, ResponseMode,
    ResponseResult, Timestamp,
};
use tokenwatch_store::StoreError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{AlertingEvent, Behind, Runtime, SharedDesk};
use crate::channel::ChannelName;
use crate::config::AlertingSettings;
use crate::desk::{DISABLED_REASON, Departure, ReceiverHealth};
use crate::lease::{Candidate, Mandate};
use crate::ledger::{Ledger, publish};
use crate::metrics::LedgerOperation;
use crate::outgoing::Links;
use crate::receiver::{Job, QUEUE_LIMIT, WorkerState};
use crate::response::{Agenda, Responder, ResponseHistory};

/// Findings that are decided on together, with one read and one write of the ledger.
const BATCH_LIMIT: usize = 256;
/// The first pause before the ledger is compared after something was turned away; doubles while that goes on.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// How long workers are left to work when much departs at once and a queue is half full.
const BREATH: Duration = Duration::from_millis(20);
/// How often silences and acknowledgements are read.
const PEOPLE_EVERY: Duration = Duration::from_secs(5);
/// How long what is due about responses waits when the store did not answer.
const AGENDA_REST: Duration = Duration::from_secs(5);
/// How often what people said about responses is read.
const ORDERS_EVERY: Duration = Duration::from_secs(1);
/// When nothing is due, the desk is looked at this often all the same.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// The way to a receiver's worker.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) name: Arc<str>,
    pub(super) channel: ChannelName,
    /// Tells its endpoint from another one, where endpoints can be gone.
    pub(super) digest: Option<String>,
    pub(super) state: Arc<WorkerState>,
    pub(super) jobs: mpsc::Sender<Job>,
}

/// The state of the deciding task.
pub(super) struct Intake {
    pub(super) settings: Arc<AlertingSettings>,
    pub(super) ledger: Ledger,
    pub(super) desk: SharedDesk,
    pub(super) history: ResponseHistory,
    /// What is still to be done about responses.
    pub(super) agenda: Agenda,
    /// People's words that were carried out, or make no sense.
    pub(super) heard_orders: LruCache<(String, String, Timestamp), ()>,
    pub(super) responder: Responder,
    pub(super) outlets: Vec<Outlet>,
    pub(super) behind: Arc<Behind>,
    /// Where there are several instances.
    pub(super) candidate: Option<Candidate>,
    pub(super) mandate: Mandate,
    pub(super) runtime: Runtime,
}

/// What the deciding task is told.
pub(super) struct Inputs {
    pub(super) offered: mpsc::Receiver<Finding>,
    pub(super) outcomes: mpsc::Receiver<Response>,
    pub(super) health: mpsc::Receiver<ReceiverHealth>,
}

impl Outlet {
    pub(super) fn queued(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }
}

impl Intake {
    /// Decides until cancelled, then on what was offered before.
    pub(super) async fn run(mut self, mut inputs: Inputs) {
        let cancel = self.runtime.cancel.clone();
        let behind = Arc::clone(&self.behind);
        let desk = self.desk.clone();
        loop {
            let begun = tokio::select! {
                () = cancel.cancelled() => return,
                () = self.stand_by(&mut inputs) => tokio::select! {
                    () = cancel.cancelled() => false,
                    () = self.begin() => true,
                },
            };
            if !begun {
                break;
            }
            // Goes on with what was begun, and with what is due. Not to be cut off: what it hands over would be lost
            // until the next start.
            behind.take();
            self.reconcile().await;
            if self.work(&mut inputs, &behind, &desk).await {
                break;
            }
            tracing::warn!("another instance announces findings now");
            self.desk.with(super::Desk::clear);
            self.history = ResponseHistory::new();
            self.agenda = Agenda::default();
        }
        if cancel.is_cancelled() {
            self.drain(inputs.offered).await;
        }
        if let Some(candidate) = &mut self.candidate {
            candidate.resign().await;
        }
    }

    /// Decides until cancelled (true) or until another instance does (false).
    async fn work(&mut self, inputs: &mut Inputs, behind: &Behind, desk: &SharedDesk) -> bool {
        let cancel = self.runtime.cancel.clone();
        let mut batch = Vec::with_capacity(BATCH_LIMIT);
        let mut pause = FIRST_PAUSE;
        let mut reconcile_at = Instant::now() + self.settings.reconcile_every;
        let mut people_at = Instant::now() + PEOPLE_EVERY;
        let mut orders_at = Instant::now();
        let mut agenda_rests_until = Instant::now();
        let enforces = self.settings.response.mode == ResponseMode::Enforce;
        let mut renew_at = self.renewal();
        loop {
            let due_at = Instant::now() + self.until(self.desk.with(|desk| desk.next_due()));
            let agenda_at = Instant::now() + self.until(self.agenda.next_due());
            tokio::select! {
                () = cancel.cancelled() => return true,
                Some(outcome) = inputs.outcomes.recv() => self.heard_outcome(outcome),
                Some(health) = inputs.health.recv() => self.tell_of(&health).await,
                count = inputs.offered.recv_many(&mut batch, BATCH_LIMIT) => {
                    if count == 0 {
                        return true;
                    }
                    self.process(std::mem::take(&mut batch)).await;
                }
                () = desk.changed() => {}
                () = sleep_until(due_at) => self.flush().await,
                () = sleep_until(orders_at), if enforces => {
                    self.hear_orders().await;
                    orders_at = Instant::now() + ORDERS_EVERY;
                }
                () = sleep_until(agenda_at.max(agenda_rests_until)) => {
                    if !self.follow_agenda().await {
                        agenda_rests_until = Instant::now() + AGENDA_REST;
                    }
                }
                () = sleep_until(people_at) => {
                    self.hear_people().await;
                    people_at = Instant::now() + PEOPLE_EVERY;
                }
                () = sleep_until(renew_at), if self.candidate.is_some() => {
                    if !self.renew().await {
                        return false;
                    }
                    self.look_for_others_findings().await;
                    renew_at = self.renewal();
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
    }

    /// How long to sleep until `due`.
    fn until(&self, due: Option<Timestamp>) -> Duration {
        let now = self.runtime.clock.now();
        due.map_or(LONGEST_SLEEP, |due| due.since(now).min(LONGEST_SLEEP))
    }

    /// Decides on what was offered before the cancellation. What the timeout cuts off is found by the next start.
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
        let mut findings = newest(findings);
        while !findings.is_empty() {
            let rest = findings.split_off(self.at_once(&findings));
            if !self.take_in(findings).await {
                return;
            }
            self.flush().await;
            findings = rest;
        }
    }

    /// Responds to `findings` and puts them on the desk; says whether the ledger could be read.
    pub(super) async fn take_in(&mut self, findings: Vec<Finding>) -> bool {
        let findings = newest(findings);
        let unknown: Vec<FindingId> = self.desk.with(|desk| {
            let unknown = findings.iter().filter(|finding| !desk.knows(finding.id));
            unknown.map(|finding| finding.id).collect()
        });
        let (told, background) = tokio::join!(self.told_of(&unknown), self.look_up(&findings));
        let mut lines = match told {
            Ok(lines) => lines,
            Err(error) => {
                self.ledger_failed(LedgerOperation::read, &error);
                return false;
            }
        };
        self.respond(&findings, background).await;
        let now = self.runtime.clock.now();
        self.desk.with(|desk| {
            for finding in findings {
                let lines = lines.remove(&finding.id).unwrap_or_default();
                desk.observe(finding, lines, now);
            }
        });
        true
    }

    /// What the ledger says of `findings`.
    async fn told_of(
        &self,
        findings: &[FindingId],
    ) -> Result<HashMap<FindingId, Vec<Notification>>, StoreError> {
        let mut lines: HashMap<FindingId, Vec<Notification>> = HashMap::new();
        if findings.is_empty() {
            return Ok(lines);
        }
        // What is on its way before the ledger is read is this process's own, even if what is read still calls it begun.
        let on_their_way = self.desk.with(|desk| desk.on_their_way());
        for mut line in self.ledger.notifications_of(findings).await? {
            let is_ours = on_their_way.contains(&line.id);
            if is_ours && line.result == NotificationResult::Sending {
                line.result = NotificationResult::Sent;
            }
            lines.entry(line.finding_id).or_default().push(line);
        }
        Ok(lines)
    }

    /// Sends what is due.
    pub(super) async fn flush(&mut self) {
        let now = self.runtime.clock.now();
        let (departures, held) = self.desk.with(|desk| (desk.flush(now), desk.len()));
        self.runtime.metrics.holds(held);
        self.dispatch(departures, now).await;
    }

    async fn tell_of(&mut self, health: &ReceiverHealth) {
        let now = self.runtime.clock.now();
        let departures = self.desk.with(|desk| desk.receiver_changed(health, now));
        self.dispatch(departures, now).await;
    }

    /// Writes the lines of what departs, then hands the messages to the workers. Much is written in parts, so that what
    /// is sent fast need not be turned away.
    pub(super) async fn dispatch(&mut self, departures: Vec<Departure>, now: Timestamp) {
        let mut departures = departures.into_iter().peekable();
        while departures.peek().is_some() {
            let part: Vec<Departure> = departures.by_ref().take(BATCH_LIMIT).collect();
            if !self.dispatch_part(part, now).await {
                self.desk.with(|desk| desk.abandon(departures));
                return;
            }
            let is_crowded = |outlet: &Outlet| outlet.queued() > QUEUE_LIMIT / 2;
            if departures.peek().is_some() && self.outlets.iter().any(is_crowded) {
                tokio::time::sleep(BREATH).await;
            }
        }
    }

    /// Says whether the lines could be written.
    async fn dispatch_part(&mut self, mut departures: Vec<Departure>, now: Timestamp) -> bool {
        for departure in &mut departures {
            self.complete(departure);
        }
        let lines: Vec<Notification> = departures
            .iter()
            .flat_map(|departure| departure.lines.iter().cloned())
            .collect();
        if !lines.is_empty()
            && let Err(error) = self.ledger.insert_notifications(&lines).await
        {
            self.desk.with(|desk| desk.abandon(departures));
            self.ledger_failed(LedgerOperation::write, &error);
            return false;
        }
        self.desk.with(|desk| {
            for line in lines.iter().filter(|line| line.reason == DISABLED_REASON) {
                desk.wrote(line, now);
            }
        });
        for line in lines {
            let event = AlertingEvent::Notification(line);
            publish(self.runtime.events.as_ref(), event);
        }
        for departure in departures {
            let begun_at = departure.lines.first().map_or(now, |line| line.begun_at);
            if let Some(message) = departure.message {
                let job = Job {
                    message,
                    begun_at,
                    term: self.mandate.term(),
                    attempts: departure.attempts,
                    done: 0,
                    parts: None,
                };
                self.enqueue(departure.receiver, job);
            }
        }
        true
    }

    /// Adds what the desk does not know: the channel, what was done about the findings, whether the endpoint is gone.
    fn complete(&mut self, departure: &mut Departure) {
        let outlet = &self.outlets[departure.receiver];
        let is_disabled = outlet.state.disabled.load(Ordering::Acquire);
        for line in &mut departure.lines {
            outlet.channel.as_str().clone_into(&mut line.channel);
            if is_disabled && line.result == NotificationResult::Sending {
                line.result = NotificationResult::Muted;
                DISABLED_REASON.clone_into(&mut line.reason);
            }
            if matches!(
                line.result,
                NotificationResult::Muted | NotificationResult::Waiting
            ) {
                self.runtime.metrics.notified(outlet.channel, line.result);
            }
        }
        if is_disabled && !departure.lines.is_empty() {
            departure.message = None;
        }
        for item in departure
            .message
            .iter_mut()
            .flat_map(|message| &mut message.items)
        {
            item.response = self.history.answer(item.finding.id).cloned();
            item.links = item
                .response
                .as_ref()
                .and_then(|response| links(&self.settings, departure.receiver, response));
        }
    }

    fn enqueue(&self, receiver: usize, job: Job) {
        let outlet = &self.outlets[receiver];
        match outlet.jobs.try_send(job) {
            Ok(()) => self.runtime.metrics.queued(outlet.channel, 1),
            Err(error) => {
                let job = error.into_inner();
                self.desk.with(|desk| desk.turned_away(&job.message));
                self.runtime.metrics.overflowed();
                self.behind.report();
            }
        }
    }

    pub(super) fn ledger_failed(&self, operation: LedgerOperation, error: &StoreError) {
        self.runtime.metrics.ledger_failed(operation);
        self.behind.report();
        tracing::error!(error = %error, "the ledger cannot be used; findings wait for the next reconciliation");
    }
}

/// The links by which `response` is decided on, if it waits and the receiver may.
fn links(settings: &AlertingSettings, receiver: usize, response: &Response) -> Option<Links> {
    let links = settings.response.links.as_ref()?;
    let base = settings.public_url.as_ref()?;
    let until = response.details.held_until?;
    if response.result != ResponseResult::Held || !links.receivers.contains(&receiver) {
        return None;
    }
    let base = base.as_str().trim_end_matches('/');
    let link = |verb| format!("{base}/{}", links.key.path(&response.id, verb, until));
    Some(Links {
        approve: link(OrderVerb::Approve),
        veto: link(OrderVerb::Veto),
    })
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
