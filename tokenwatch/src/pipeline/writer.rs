//! Writes what was judged while the next batches are judged.
//!
//! Two ways lead into the store: findings, for which people and responses wait, and events with everything else. Each
//! takes what waits for it in order and writes it as one, for what a write costs hardly depends on how much it is: the
//! more there is to do, the larger the writes. A checkpoint stands among the events: it is written once everything before
//! it is, on both ways. Who sends more than there is room for waits, so a store that is away stops consumption.

use std::sync::Arc;
use std::time::Duration;

use tokenwatch_alerting::Dispatcher;
use tokenwatch_detectors::{Detections, EngineStats};
use tokenwatch_model::{AccessEvent, Clock, Finding, Incident, Signal, Timestamp};
use tokenwatch_store::{Checkpoint, Store, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::decode::DecodedBatch;
use super::progress::ProgressHandle;
use crate::sources::CommitHandles;

/// What may wait to be written, in KiB: records, whatever became of them, and events.
const ROWS_WAITING_LIMIT: u32 = 64 << 10;
/// An event beside the record that it borrows from, or a signal: with its texts of its own about that many bytes.
const EVENT_BYTES: usize = 512;
/// Findings that may wait.
const FINDINGS_WAITING_LIMIT: u32 = 10_000;
/// Between the beginnings of two writes of events, unless much waits: a write costs 50 ms of CPU however little it writes.
const PAUSE: Duration = Duration::from_millis(250);
/// So much is written at once.
const MUCH: u32 = ROWS_WAITING_LIMIT / 2;
/// Entries that may wait; there are far fewer.
const ENTRIES_LIMIT: usize = 1_000;

/// What the two ways need.
#[derive(Clone)]
pub(crate) struct WriterParts {
    pub(crate) store: Store,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) commits: CommitHandles,
    pub(crate) progress: ProgressHandle,
    pub(crate) clock: Clock,
}

/// The two ways into the store.
pub(crate) struct Writer {
    findings: Way<Vec<Finding>>,
    rows: Way<Row>,
}

/// A batch on its way into the store.
pub(super) struct Judged {
    pub(super) batch: DecodedBatch,
    /// Which of its events the store does not have, by place; `None`: all.
    pub(super) fresh: Option<Vec<usize>>,
    pub(super) decided_at: Timestamp,
}

/// Its task has failed: [`Writer::finish`] says why.
#[derive(Debug)]
pub(super) struct Ended;

/// One task that takes work in order.
struct Way<T> {
    work: mpsc::Sender<Work<T>>,
    room: Arc<Semaphore>,
    limit: u32,
    task: AbortOnDropHandle<Result<(), StoreError>>,
}

enum Work<T> {
    /// Something to write, and the room that it takes until then.
    Write(T, OwnedSemaphorePermit),
    /// Told when everything before it is written.
    Flush(oneshot::Sender<()>),
}

enum Row {
    Batch(Judged),
    Found(Vec<Signal>, Vec<Incident>),
    Checkpoint {
        checkpoint: Box<Checkpoint>,
        engine: EngineStats,
        /// When the findings before it are written.
        told: oneshot::Receiver<()>,
    },
}

impl Writer {
    pub(crate) fn start(parts: WriterParts, tasks: &TaskTracker) -> Self {
        let findings = parts.clone();
        Self {
            findings: Way::start(tasks, FINDINGS_WAITING_LIMIT, |work| {
                findings.write_findings(work)
            }),
            rows: Way::start(tasks, ROWS_WAITING_LIMIT, |work| parts.write_rows(work)),
        }
    }

    /// Hands on a batch that was judged, with what was found in it.
    pub(super) async fn judged(&self, judged: Judged, detections: Detections) -> Result<(), Ended> {
        self.detections(detections).await?;
        let batch = &judged.batch;
        let bytes = batch.batch().bytes() + batch.decoded().events.len() * EVENT_BYTES;
        self.rows.send(bytes >> 10, Row::Batch(judged)).await
    }

    /// Hands on what was found.
    pub(super) async fn detections(&self, detections: Detections) -> Result<(), Ended> {
        let Detections {
            signals,
            findings,
            incidents,
            ..
        } = detections;
        if !findings.is_empty() {
            self.findings.send(findings.len(), findings).await?;
        }
        let rows = signals.len() + incidents.len();
        if rows > 0 {
            let row = Row::Found(signals, incidents);
            self.rows.send((rows * EVENT_BYTES) >> 10, row).await?;
        }
        Ok(())
    }

    /// Writes a checkpoint once everything before it is written; its end is told.
    pub(super) async fn checkpoint(
        &self,
        checkpoint: Checkpoint,
        engine: EngineStats,
    ) -> Result<oneshot::Receiver<()>, Ended> {
        let row = Row::Checkpoint {
            checkpoint: Box::new(checkpoint),
            engine,
            told: self.findings.flush().await?,
        };
        self.rows.send(1, row).await?;
        self.rows.flush().await
    }

    /// Waits until everything is written.
    pub(super) async fn flush(&self) -> Result<(), Ended> {
        let findings = self.findings.flush().await?;
        let rows = self.rows.flush().await?;
        let both = tokio::try_join!(findings, rows);
        both.map(drop).map_err(|_| Ended)
    }

    /// Returns when a task has failed.
    pub(super) async fn ended(&self) {
        tokio::select! {
            () = self.findings.work.closed() => {}
            () = self.rows.work.closed() => {}
        }
    }

    /// Writes what waits, and ends.
    pub(super) async fn finish(self) -> Result<(), StoreError> {
        // In this order: the events' way ends when that of the findings has failed, not the other way round.
        self.findings.finish().await?;
        self.rows.finish().await
    }
}

impl<T: Send + 'static> Way<T> {
    fn start<F>(
        tasks: &TaskTracker,
        limit: u32,
        run: impl FnOnce(mpsc::Receiver<Work<T>>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let (work, received) = mpsc::channel(ENTRIES_LIMIT);
        Self {
            work,
            room: Arc::new(Semaphore::new(limit as usize)),
            limit,
            task: AbortOnDropHandle::new(tasks.spawn(run(received))),
        }
    }

    /// Waits until there is room for something of this size.
    async fn send(&self, size: usize, write: T) -> Result<(), Ended> {
        let size = u32::try_from(size).unwrap_or(u32::MAX).clamp(1, self.limit);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await;
        let work = Work::Write(write, room.map_err(|_| Ended)?);
        self.work.send(work).await.map_err(|_| Ended)
    }

    async fn flush(&self) -> Result<oneshot::Receiver<()>, Ended> {
        let (done, written) = oneshot::channel();
        let flush = self.work.send(Work::Flush(done));
        flush.await.map_err(|_| Ended)?;
        Ok(written)
    }

    async fn finish(self) -> Result<(), StoreError> {
        drop(self.work);
        match self.task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StoreError::Cancelled),
            },
        }
    }
}

impl WriterParts {
    /// Findings as they come; people hear of nothing that is not stored.
    async fn write_findings(
        self,
        mut work: mpsc::Receiver<Work<Vec<Finding>>>,
    ) -> Result<(), StoreError> {
        let mut waiting = Vec::new();
        while work.recv_many(&mut waiting, ENTRIES_LIMIT).await > 0 {
            let mut findings = Vec::new();
            let (mut rooms, mut flushes) = (Vec::new(), Vec::new());
            for work in waiting.drain(..) {
                match work {
                    Work::Write(some, room) => {
                        findings.extend(some);
                        rooms.push(room);
                    }
                    Work::Flush(done) => flushes.push(done),
                }
            }
            self.store.insert_findings(&findings).await?;
            self.dispatcher.offer(&findings);
            self.progress.findings(&findings);
            drop(rooms);
            tell_all(flushes);
        }
        Ok(())
    }

    /// Everything else.
    async fn write_rows(self, mut work: mpsc::Receiver<Work<Row>>) -> Result<(), StoreError> {
        let mut waiting = Vec::new();
        let mut next_write = Instant::now();
        while work.recv_many(&mut waiting, ENTRIES_LIMIT).await > 0 {
            // Little waits for more.
            while !is_much(&waiting)
                && let Ok(1..) =
                    timeout_at(next_write, work.recv_many(&mut waiting, ENTRIES_LIMIT)).await
            {
            }
            next_write = Instant::now() + PAUSE;
            let mut rows = Rows::default();
            let mut flushes = Vec::new();
            for work in waiting.drain(..) {
                match work {
                    Work::Write(Row::Batch(judged), room) => {
                        rows.batches.push(judged);
                        rows.rooms.push(room);
                    }
                    Work::Write(Row::Found(signals, incidents), room) => {
                        rows.signals.extend(signals);
                        rows.incidents.extend(incidents);
                        rows.rooms.push(room);
                    }
                    Work::Write(
                        Row::Checkpoint {
                            checkpoint,
                            engine,
                            told,
                        },
                        _,
                    ) => {
                        self.insert(std::mem::take(&mut rows)).await?;
                        told.await.map_err(|_| StoreError::Cancelled)?;
                        self.store.write_checkpoint(&checkpoint).await?;
                        self.commits.committed(&checkpoint.positions);
                        self.progress.checkpointed(self.clock.now(), engine);
                    }
                    Work::Flush(done) => flushes.push(done),
                }
            }
            self.insert(rows).await?;
            tell_all(flushes);
        }
        Ok(())
    }

    async fn insert(&self, rows: Rows) -> Result<(), StoreError> {
        let events: Vec<&AccessEvent<'_>> = rows
            .batches
            .iter()
            .flat_map(|judged| judged.fresh())
            .collect();
        tokio::try_join!(
            self.store.insert_events(events),
            self.store.insert_signals(&rows.signals),
            self.store.insert_incidents(&rows.incidents),
        )?;
        let stored_at = self.clock.now();
        for judged in &rows.batches {
            let batch = &judged.batch;
            self.progress
                .stored(batch.batch(), batch.decoded(), judged.decided_at, stored_at);
        }
        Ok(())
    }
}

/// Whether this should be written at once: somebody waits for it, or it fills the room.
fn is_much(waiting: &[Work<Row>]) -> bool {
    let mut size = 0;
    waiting.iter().any(|work| match work {
        Work::Flush(_) => true,
        Work::Write(_, room) => {
            size += room.num_permits();
            size >= MUCH as usize
        }
    })
}

/// What is written as one.
#[derive(Default)]
struct Rows {
    batches: Vec<Judged>,
    signals: Vec<Signal>,
    incidents: Vec<Incident>,
    rooms: Vec<OwnedSemaphorePermit>,
}

impl Judged {
    /// The events that the store does not have.
    fn fresh(&self) -> Vec<&AccessEvent<'_>> {
        let events = &self.batch.decoded().events;
        match &self.fresh {
            None => events.iter().collect(),
            Some(places) => places.iter().map(|place| &events[*place]).collect(),
        }
    }
}

/// Who asked may have gone.
fn tell_all(flushes: Vec<oneshot::Sender<()>>) {
    for done in flushes {
        done.send(()).ok();
    }
}
