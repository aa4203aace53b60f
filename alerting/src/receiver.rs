//! One worker per receiver: sends what is due, one message at a time, so that a slow receiver delays nobody else.
//!
//! A message may take several requests; what was accepted of it is recorded at once and not sent again. What fails
//! waits here for its next attempt. Both the queue before the worker and what waits inside it are bounded; what does
//! not fit stays in the ledger as begun and comes back by reconciliation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokenwatch_model::{Clock, FindingId, LatencyRecorder, Notification, NotificationResult};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::channel::{Channel, Delivery, Part};
use crate::circuit::{Change, Circuit};
use crate::desk::{DISABLED_REASON, ReceiverHealth};
use crate::lease::Mandate;
use crate::ledger::{LedgerWriter, Line};
use crate::metrics::AlertingMetrics;
use crate::occasion::Occasion;
use crate::outgoing::Outgoing;
use crate::retry::next_delay;

/// Messages that wait before a worker. With those inside, 2,048 of 2 KB each: 4 MB a receiver.
pub(crate) const QUEUE_LIMIT: usize = 1_024;
/// Messages that wait inside a worker.
const WAITING_LIMIT: usize = 1_024;
/// The reason in the ledger of a message that met a 410, before the endpoint's digest.
pub(crate) const GONE_REASON: &str = "endpoint_gone ";

/// A message, how often it was tried, and what of it is still to be sent.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) message: Outgoing,
    pub(crate) begun_at: tokenwatch_model::Timestamp,
    pub(crate) term: u64,
    pub(crate) attempts: u32,
    /// How many parts of it were settled.
    pub(crate) done: usize,
    /// What is left of it, once it was rendered.
    pub(crate) parts: Option<VecDeque<Part>>,
}

/// What the workers share.
#[derive(Clone)]
pub(crate) struct WorkerParts {
    pub(crate) clock: Clock,
    pub(crate) metrics: AlertingMetrics,
    pub(crate) writer: LedgerWriter,
    pub(crate) latency: Arc<Mutex<LatencyRecorder>>,
    pub(crate) retry_delays: Arc<[Duration]>,
    pub(crate) drain_timeout: Duration,
    pub(crate) health: mpsc::Sender<ReceiverHealth>,
    pub(crate) mandate: Mandate,
    pub(crate) cancel: CancellationToken,
}

/// How a receiver does, for the console.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    pub(crate) disabled: AtomicBool,
    pub(crate) unreachable: AtomicBool,
}

/// A receiver's worker.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) name: Arc<str>,
    pub(crate) channel: Channel,
    pub(crate) state: Arc<WorkerState>,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) circuit: Circuit,
    pub(crate) parts: WorkerParts,
}

/// Messages by when they are due; the number keeps those of one moment apart and in order.
type Waiting = BTreeMap<(Instant, u64), Job>;

impl Worker {
    /// Works until cancelled, then sends what is due until the drain timeout.
    pub(crate) async fn run(mut self) {
        let cancel = self.parts.cancel.clone();
        let drain_timeout = self.parts.drain_timeout;
        let mut waiting = Waiting::new();
        let mut sequence = 0;
        let mut free_at = Instant::now();
        loop {
            let due = waiting
                .first_key_value()
                .map(|((due, _), _)| (*due).max(free_at));
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = sleep_until(due.unwrap_or(free_at)), if due.is_some() => {
                    let Some((_, job)) = waiting.pop_first() else { continue };
                    if !self.may_send(&job) {
                        self.parts.metrics.queued(self.channel.name(), -1);
                        continue;
                    }
                    let attempt = self.attempt(job, &mut free_at);
                    let Some(again) = until_drained(&cancel, drain_timeout, attempt).await else {
                        break;
                    };
                    if let Some((job, delay)) = again {
                        sequence += 1;
                        waiting.insert((Instant::now() + delay, sequence), job);
                    }
                }
                job = self.jobs.recv(), if waiting.len() < WAITING_LIMIT => {
                    let Some(job) = job else { break };
                    sequence += 1;
                    waiting.insert((Instant::now(), sequence), job);
                }
            }
        }
        self.drain(waiting, free_at).await;
    }

    /// Sends what is due already. What fails, or is not due, stays begun in the ledger for the next start.
    async fn drain(&mut self, mut waiting: Waiting, mut free_at: Instant) {
        let deadline = Instant::now() + self.parts.drain_timeout;
        let mut left = waiting.len();
        let now = Instant::now();
        let later = waiting.split_off(&(now, u64::MAX));
        let mut due: Vec<Job> = waiting.into_values().collect();
        while let Ok(job) = self.jobs.try_recv() {
            left += 1;
            due.push(job);
        }
        for job in due {
            if !self.may_send(&job) || free_at >= deadline || Instant::now() >= deadline {
                break;
            }
            sleep_until(free_at).await;
            let attempt = self.attempt(job, &mut free_at);
            match tokio::time::timeout_at(deadline, attempt).await {
                Ok(None) => left -= 1,
                Ok(Some(_)) => {}
                Err(_) => break,
            }
        }
        drop(later);
        self.parts
            .metrics
            .queued(self.channel.name(), -i64::try_from(left).unwrap_or(0));
        if left > 0 {
            tracing::info!(
                receiver.name = &*self.name,
                queue.messages = left,
                "messages are left for the next start"
            );
        }
    }

    /// Whether this instance is the one that sends. What it may not send stands as begun in the ledger, where whoever
    /// may finds it.
    fn may_send(&self, job: &Job) -> bool {
        let mandate = &self.parts.mandate;
        mandate.holds(self.parts.clock.now()) && mandate.term() == job.term
    }

    /// One attempt at all that is left of a message; gives the job back with its next delay if it has to be tried
    /// again.
    async fn attempt(&mut self, mut job: Job, free_at: &mut Instant) -> Option<(Job, Duration)> {
        if self.state.disabled.load(Ordering::Acquire) {
            let reason = DISABLED_REASON.to_owned();
            self.settle(&job, NotificationResult::Muted, reason).await;
            return None;
        }
        // Rendered anew, because a message that is tried again says so; it falls into the same parts.
        let mut parts: VecDeque<Part> = self.channel.render(&job.message).into();
        parts.drain(..job.done.min(parts.len()));
        job.attempts += 1;
        while let Some(part) = parts.front() {
            sleep_until(*free_at).await;
            let delivery = self.channel.send(part, self.parts.clock.now()).await;
            *free_at = Instant::now() + self.channel.pace();
            self.note_health(&delivery, free_at);
            match delivery {
                Delivery::Accepted => {
                    self.record_latency(&job, part);
                    let sent = NotificationResult::Sent;
                    self.record_part(&job, part, sent, String::new()).await;
                }
                Delivery::Rejected { reason } => {
                    let failed = NotificationResult::Failed;
                    self.record_part(&job, part, failed, reason).await;
                }
                Delivery::Gone => {
                    job.parts = Some(parts);
                    self.disable(&job).await;
                    return None;
                }
                Delivery::Retry { reason, after } => {
                    job.parts = Some(parts);
                    return self.try_again(job, reason, after, free_at).await;
                }
            }
            parts.pop_front();
            job.done += 1;
        }
        self.parts.metrics.queued(self.channel.name(), -1);
        None
    }

    async fn try_again(
        &mut self,
        mut job: Job,
        reason: String,
        after: Option<Duration>,
        free_at: &mut Instant,
    ) -> Option<(Job, Duration)> {
        let delays = &self.parts.retry_delays;
        let chance = fastrand::f64();
        let Some(delay) = next_delay(delays, job.attempts, after, chance) else {
            let reason = format!("gave_up: {reason}");
            self.settle(&job, NotificationResult::Failed, reason).await;
            return None;
        };
        if let Some(after) = after {
            // The receiver asked to be left alone: that holds for every message to it.
            *free_at = (*free_at).max(Instant::now() + after.min(delay));
        }
        self.parts.metrics.retried(self.channel.name());
        let reason = format!("retry: {reason}");
        self.record(&job, &left(&job), NotificationResult::Sending, reason)
            .await;
        job.message.repeated = true;
        Some((job, delay))
    }

    /// Keeps the circuit, and tells when it opens or closes.
    fn note_health(&mut self, delivery: &Delivery, free_at: &mut Instant) {
        let now = self.parts.clock.now();
        let (change, reason) = match delivery {
            Delivery::Accepted | Delivery::Rejected { .. } => (self.circuit.answered(), ""),
            // Who asks to slow down is there.
            Delivery::Retry { after: Some(_), .. } => return,
            Delivery::Retry { reason, .. } => (self.circuit.failed(now), reason.as_str()),
            Delivery::Gone => (Change::Opened(now), "endpoint_gone"),
        };
        if self.circuit.is_open() {
            *free_at = (*free_at).max(Instant::now() + self.circuit.pause());
        }
        let (since, is_back) = match change {
            Change::None => return,
            Change::Opened(since) => (since, false),
            Change::Closed(since) => (since, true),
        };
        self.state.unreachable.store(!is_back, Ordering::Release);
        self.parts
            .metrics
            .unreachable(self.channel.name(), if is_back { -1 } else { 1 });
        if is_back {
            tracing::info!(receiver.name = &*self.name, "the receiver is reached again");
        } else {
            tracing::error!(
                receiver.name = &*self.name,
                reason,
                "the receiver cannot be reached"
            );
        }
        let health = ReceiverHealth {
            receiver: self.index,
            since,
            is_back,
            reason: reason.to_owned(),
        };
        if self.parts.health.try_send(health).is_err() {
            // The dispatcher has ended, or is so far behind that a notice would be stale.
            tracing::warn!(
                receiver.name = &*self.name,
                "nobody could be told of the receiver"
            );
        }
    }

    /// The endpoint answered 410: nothing is sent there again until it is configured anew.
    async fn disable(&mut self, job: &Job) {
        self.state.disabled.store(true, Ordering::Release);
        self.parts.metrics.endpoint_disabled();
        tracing::error!(
            receiver.name = &*self.name,
            "the receiver answered 410 Gone and is disabled until its URL is changed"
        );
        let digest = self.channel.digest().unwrap_or_default();
        let reason = format!("{GONE_REASON}{digest}");
        self.settle(job, NotificationResult::Failed, reason).await;
    }

    /// Records how what is left of a message ended.
    async fn settle(&self, job: &Job, result: NotificationResult, reason: String) {
        self.parts.metrics.queued(self.channel.name(), -1);
        self.conclude(job, &left(job), result, reason).await;
    }

    /// Records how a part of a message ended.
    async fn record_part(
        &self,
        job: &Job,
        part: &Part,
        result: NotificationResult,
        reason: String,
    ) {
        let all = job.message.finding_ids();
        let about = all.get(part.items.clone()).unwrap_or_default();
        self.conclude(job, about, result, reason).await;
    }

    async fn conclude(
        &self,
        job: &Job,
        about: &[FindingId],
        result: NotificationResult,
        reason: String,
    ) {
        if about.is_empty() {
            return;
        }
        self.parts.metrics.notified(self.channel.name(), result);
        if result == NotificationResult::Failed {
            tracing::warn!(
                receiver.name = &*self.name,
                notification.id = job.message.id,
                notification.findings = about.len(),
                attempts = job.attempts,
                reason,
                "a message could not be delivered"
            );
        }
        self.record(job, about, result, reason).await;
    }

    async fn record(
        &self,
        job: &Job,
        about: &[FindingId],
        result: NotificationResult,
        reason: String,
    ) {
        let message = &job.message;
        for finding in about {
            let item = message
                .items
                .iter()
                .find(|item| item.finding.id == *finding);
            let line = Notification {
                id: message.id.clone(),
                finding_id: *finding,
                receiver: self.name.to_string(),
                channel: self.channel.name().as_str().to_owned(),
                occasion: item
                    .map_or(message.occasion, |item| item.occasion)
                    .name()
                    .to_owned(),
                group: message.group.clone(),
                step: message.step,
                severity: item.map_or(message.severity, |item| item.severity),
                begun_at: job.begun_at,
                at: self.parts.clock.now(),
                attempts: job.attempts,
                result,
                reason: reason.clone(),
            };
            self.parts.writer.write(Line::Notification(line)).await;
        }
    }

    /// From the detection of what is told at once, for the first time, to the receiver's yes.
    fn record_latency(&self, job: &Job, part: &Part) {
        let now = self.parts.clock.now();
        let items = job
            .message
            .items
            .get(part.items.clone())
            .unwrap_or_default();
        for item in items {
            if !matches!(item.occasion, Occasion::Opened | Occasion::Escalated) {
                continue;
            }
            let latency = now.since(item.finding.detected_at);
            self.parts
                .latency
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .record(latency);
        }
    }
}

/// The findings of which nothing is settled yet.
fn left(job: &Job) -> Vec<FindingId> {
    let all = job.message.finding_ids();
    match &job.parts {
        None => all,
        Some(parts) => parts
            .iter()
            .flat_map(|part| all.get(part.items.clone()).unwrap_or_default())
            .copied()
            .collect(),
    }
}

/// The outcome of `work`, or `None` if it outlasts the drain timeout of a stopping process.
async fn until_drained<T>(
    cancel: &CancellationToken,
    drain_timeout: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let over = async {
        cancel.cancelled().await;
        tokio::time::sleep(drain_timeout).await;
    };
    tokio::select! {
        biased;
        outcome = work => Some(outcome),
        () = over => None,
    }
}
