//! One worker per receiver: sends what is due, one message at a time, so that a slow receiver delays nobody else.
//!
//! What fails waits here for its next attempt. Both the queue before the worker and what waits inside it are bounded;
//! what does not fit stays in the ledger as begun and comes back by reconciliation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokenwatch_model::{Clock, LatencyRecorder, Notification, NotificationResult};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::channel::{Channel, Delivery, Outgoing};
use crate::ledger::{LedgerWriter, Line};
use crate::metrics::AlertingMetrics;
use crate::occasion::Occasion;
use crate::retry::next_delay;

/// Messages that wait before a worker. With those inside, 2,048 of 2 KB each: 4 MB a receiver.
pub(crate) const QUEUE_LIMIT: usize = 1_024;
/// Messages that wait inside a worker.
const WAITING_LIMIT: usize = 1_024;
/// The reason in the ledger of a message that met a 410, before the endpoint's digest.
pub(crate) const GONE_REASON: &str = "endpoint_gone ";
/// The reason in the ledger of a message to an endpoint that met a 410 earlier.
pub(crate) const DISABLED_REASON: &str = "endpoint_disabled";

/// A message and how often it was tried.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) message: Outgoing,
    pub(crate) attempts: u32,
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
    pub(crate) cancel: CancellationToken,
}

/// A receiver's worker.
pub(crate) struct Worker {
    pub(crate) name: Arc<str>,
    pub(crate) channel: Channel,
    pub(crate) disabled: Arc<AtomicBool>,
    pub(crate) jobs: mpsc::Receiver<Job>,
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
            if free_at >= deadline || Instant::now() >= deadline {
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

    /// One attempt; gives the job back with its next delay if it has to be tried again.
    async fn attempt(&mut self, mut job: Job, free_at: &mut Instant) -> Option<(Job, Duration)> {
        if self.disabled.load(Ordering::Acquire) {
            let reason = DISABLED_REASON.to_owned();
            self.settle(&job, NotificationResult::Muted, reason).await;
            return None;
        }
        let now = self.parts.clock.now();
        job.attempts += 1;
        let delivery = self.channel.send(&job.message, now).await;
        *free_at = Instant::now() + self.channel.pace();
        match delivery {
            Delivery::Accepted => {
                self.record_latency(&job);
                self.settle(&job, NotificationResult::Sent, String::new())
                    .await;
            }
            Delivery::Rejected { reason } => {
                self.settle(&job, NotificationResult::Failed, reason).await;
            }
            Delivery::Gone => self.disable(&job).await,
            Delivery::Retry { reason, after } => {
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
                self.record(&job, NotificationResult::Sending, reason).await;
                job.message.repeated = true;
                return Some((job, delay));
            }
        }
        None
    }

    /// The endpoint answered 410: nothing is sent there again until it is configured anew.
    async fn disable(&mut self, job: &Job) {
        self.disabled.store(true, Ordering::Release);
        self.parts.metrics.endpoint_disabled();
        tracing::error!(
            receiver.name = &*self.name,
            "the receiver answered 410 Gone and is disabled until its URL is changed"
        );
        let digest = self.channel.digest().unwrap_or_default();
        let reason = format!("{GONE_REASON}{digest}");
        self.settle(job, NotificationResult::Failed, reason).await;
    }

    /// Records how a message ended.
    async fn settle(&self, job: &Job, result: NotificationResult, reason: String) {
        let channel = self.channel.name();
        self.parts.metrics.notified(channel, result);
        self.parts.metrics.queued(channel, -1);
        if result == NotificationResult::Failed {
            tracing::warn!(
                receiver.name = &*self.name,
                notification.id = job.message.id,
                finding.id = %job.message.finding.id,
                attempts = job.attempts,
                reason,
                "a message could not be delivered"
            );
        }
        self.record(job, result, reason).await;
    }

    async fn record(&self, job: &Job, result: NotificationResult, reason: String) {
        let line = Notification {
            id: job.message.id.clone(),
            finding_id: job.message.finding.id,
            receiver: self.name.to_string(),
            channel: self.channel.name().as_str().to_owned(),
            severity: job.message.severity,
            at: self.parts.clock.now(),
            attempts: job.attempts,
            result,
            reason,
        };
        self.parts.writer.write(Line::Notification(line)).await;
    }

    fn record_latency(&self, job: &Job) {
        if job.message.occasion == Occasion::Closed {
            return;
        }
        let latency = self
            .parts
            .clock
            .now()
            .since(job.message.finding.detected_at);
        self.parts
            .latency
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(latency);
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
