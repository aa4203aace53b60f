//! Writes outcomes to the ledger, in batches, in the order in which they came.
//!
//! A receiver's worker waits here when the store does not keep up. The store tries again by itself; a line that it
//! refuses for good is counted and dropped: the message then still stands as begun and is sent again, under the same
//! id, after the next start.

use tokenwatch_model::{Clock, Notification, Response};
use tokio::sync::{broadcast, mpsc};

use super::Ledger;
use crate::dispatcher::{AlertingEvent, Runtime, SharedDesk};
use crate::metrics::{AlertingMetrics, LedgerOperation};

/// Lines that wait to be written: 300 bytes each.
const QUEUE_LIMIT: usize = 1_024;
/// Lines in one insert.
const BATCH_LIMIT: usize = 256;

/// A line to write.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "responses are few, and the channel is short"
)]
pub(crate) enum Line {
    /// What became of a message.
    Notification(Notification),
    /// What became of a response.
    Response(Response),
}

/// Hands lines to the writer.
#[derive(Clone)]
pub(crate) struct LedgerWriter(mpsc::Sender<Line>);

/// What the writer needs.
pub(crate) struct WriterParts {
    pub(crate) ledger: Ledger,
    pub(crate) desk: SharedDesk,
    pub(crate) clock: Clock,
    pub(crate) metrics: AlertingMetrics,
    pub(crate) events: Option<broadcast::Sender<AlertingEvent>>,
}

impl LedgerWriter {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Line>) {
        let (sender, receiver) = mpsc::channel(QUEUE_LIMIT);
        (Self(sender), receiver)
    }

    /// Queues a line; waits while the queue is full.
    pub(crate) async fn write(&self, line: Line) {
        if self.0.send(line).await.is_err() {
            // The writer ends after every sender, unless its task was aborted with the runtime.
            tracing::warn!("an outcome came after the ledger was closed");
        }
    }
}

/// Writes until every sender is gone.
pub(crate) async fn run(parts: WriterParts, mut lines: mpsc::Receiver<Line>) {
    let mut batch = Vec::with_capacity(BATCH_LIMIT);
    while lines.recv_many(&mut batch, BATCH_LIMIT).await > 0 {
        let mut notifications = Vec::new();
        let mut responses = Vec::new();
        for line in batch.drain(..) {
            match line {
                Line::Notification(line) => notifications.push(line),
                Line::Response(line) => responses.push(line),
            }
        }
        // Responses first: they are what must not be repeated.
        parts.write_responses(responses).await;
        parts.write_notifications(notifications).await;
    }
}

impl WriterParts {
    pub(crate) fn new(ledger: &Ledger, desk: &SharedDesk, runtime: &Runtime) -> Self {
        Self {
            ledger: ledger.clone(),
            desk: desk.clone(),
            clock: runtime.clock.clone(),
            metrics: runtime.metrics.clone(),
            events: runtime.events.clone(),
        }
    }

    async fn write_notifications(&self, lines: Vec<Notification>) {
        if lines.is_empty() {
            return;
        }
        if let Err(error) = self.ledger.insert_notifications(&lines).await {
            self.metrics.ledger_failed(LedgerOperation::write);
            tracing::error!(error = %error, batch.rows = lines.len(), "outcomes of messages were not recorded");
        }
        let now = self.clock.now();
        self.desk.with(|desk| {
            for line in &lines {
                desk.wrote(line, now);
            }
        });
        for line in lines {
            publish(self.events.as_ref(), AlertingEvent::Notification(line));
        }
    }

    async fn write_responses(&self, lines: Vec<Response>) {
        if lines.is_empty() {
            return;
        }
        if let Err(error) = self.ledger.insert_responses(&lines).await {
            self.metrics.ledger_failed(LedgerOperation::write);
            tracing::error!(error = %error, batch.rows = lines.len(), "outcomes of responses were not recorded");
        }
        for line in lines {
            publish(self.events.as_ref(), AlertingEvent::Response(line));
        }
    }
}

/// Tells the console, if anybody listens.
pub(crate) fn publish(events: Option<&broadcast::Sender<AlertingEvent>>, event: AlertingEvent) {
    if let Some(events) = events {
        // The error says that nobody listens just now.
        drop(events.send(event));
    }
}
