//! The one loop through which every record goes: decode, detect, write, announce, checkpoint.
//!
//! Micro-batches make the guarantee simple. A batch is decoded on all cores while the one before it is judged, and what
//! was judged is written meanwhile; the engine sees the events in order, and few batches wait to be written, so a store
//! that is away stops consumption and nothing piles up. Every few seconds one checkpoint joins the positions with the
//! token states that changed, written once everything before it is. After a crash the records behind the last checkpoint
//! are read again: the engine computes the same findings under the same ids, and events that the store already has are
//! not inserted again.

mod admission;
mod decode;
mod deliveries;
mod in_order;
mod metrics;
mod positions;
mod progress;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokenwatch_detectors::{Detections, Engine, Registry, TokenDelta};
use tokenwatch_ingest::DeadLetters;
use tokenwatch_model::{AccessEvent, Clock, FindingToken, Position, StreamId, Timestamp};
use tokenwatch_store::{Checkpoint, Store, StoreError, StoredSet, TokenRow};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub(crate) use admission::Admission;
pub(crate) use decode::{Decoded, DecodedBatch, DecodedEvent, decode, decode_all};
pub(crate) use deliveries::{
    Deliveries, FORMATS as DELIVERY_FORMATS, IDS_LIMIT as DELIVERY_IDS_LIMIT,
};
pub(crate) use in_order::{ReadNext, RejectedRecords};
pub(crate) use metrics::{LatencyCollector, PipelineMetrics};
pub(crate) use positions::Positions;
pub(crate) use progress::{Progress, ProgressHandle};
use writer::{Ended, Judged};
pub(crate) use writer::{Writer, WriterParts};

use crate::registry::{self, Applied, Keeper, RegistryMetrics};

/// The loop and everything that it moves.
pub(crate) struct Pipeline {
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) writer: Writer,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) progress: ProgressHandle,
    pub(crate) clock: Clock,
    pub(crate) admission: Admission,
    pub(crate) positions: Positions,
    pub(crate) stored: StoredSet,
    pub(crate) next_checkpoint: u64,
    pub(crate) checkpoint_interval: Duration,
    /// Tells when the checkpoint that is under way is written.
    pub(crate) checkpoint_under_way: Option<oneshot::Receiver<()>>,
    /// What is known of tokens from elsewhere, and who hears of it.
    pub(crate) keeper: Keeper,
    pub(crate) known: watch::Sender<Arc<Registry>>,
    pub(crate) registry_metrics: RegistryMetrics,
    /// The newest event that was judged.
    pub(crate) judged_until: Option<Timestamp>,
}

/// How often silence is noticed, and how old an event may still arrive after it without coming late.
const SILENCE_CHECK: Duration = Duration::from_secs(5);
const SILENCE_PATIENCE: Duration = Duration::from_mins(1);

impl Pipeline {
    /// Runs until the sources have ended and everything that they sent is written and checkpointed.
    pub(crate) async fn run(
        mut self,
        events: mpsc::Receiver<DecodedEvent>,
        changes: mpsc::Receiver<registry::Request>,
        cancel: CancellationToken,
    ) -> Result<(), StoreError> {
        let judged = self.judge_all(events, changes, cancel).await;
        // If the writer has failed, it knows why.
        self.writer.finish().await?;
        judged?;
        tracing::info!("pipeline drained and checkpointed");
        Ok(())
    }

    async fn judge_all(
        &mut self,
        mut events: mpsc::Receiver<DecodedEvent>,
        mut changes: mpsc::Receiver<registry::Request>,
        cancel: CancellationToken,
    ) -> Result<(), StoreError> {
        self.tell_leaks().await?;
        let mut due = tokio::time::interval_at(
            Instant::now() + self.checkpoint_interval,
            self.checkpoint_interval,
        );
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What waits in the broker at the start is read first: it is no silence.
        let mut silence =
            tokio::time::interval_at(Instant::now() + SILENCE_PATIENCE, SILENCE_CHECK);
        silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut dirty = false;
        loop {
            tokio::select! {
                biased;
                () = self.writer.ended() => break,
                _ = due.tick() => {
                    if dirty && !self.is_checkpoint_under_way() {
                        self.checkpoint().await?;
                        dirty = false;
                    }
                }
                _ = silence.tick() => {
                    dirty |= self.pass_time().await?;
                }
                Some(request) = changes.recv() => self.register(request).await?,
                event = events.recv() => match event {
                    Some(DecodedEvent::Batch(mut batch)) => {
                        self.admit(&mut batch);
                        self.process(batch).await?;
                        // Only now: while a batch waited for the store, nothing was read, and that is no silence.
                        silence.reset();
                        dirty = true;
                    }
                    Some(DecodedEvent::Assigned { streams, positions }) => {
                        let answer = self.assign(&streams).await?;
                        if positions.send(answer).is_err() {
                            tracing::debug!("the source went away before it heard its positions");
                        }
                    }
                    Some(DecodedEvent::Revoked { streams, done }) => {
                        tracing::debug!(streams.count = streams.len(), "streams revoked");
                        self.checkpoint().await?;
                        self.writer.flush().await?;
                        dirty = false;
                        if done.send(()).is_err() {
                            tracing::debug!("the source went away before its streams were handed back");
                        }
                    }
                    None => break,
                },
            }
        }
        if dirty && !cancel.is_cancelled() {
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// Leaves of a batch what counts.
    fn admit(&mut self, batch: &mut DecodedBatch) {
        let registry = self.keeper.registry();
        let copies = batch.change_events(|events| self.admission.admit(events, &registry));
        self.progress.redelivered(copies);
    }

    /// Where each of `streams` goes on; what the store has past that is looked up, to be recognised.
    async fn assign(&mut self, streams: &[StreamId]) -> Result<HashMap<StreamId, i64>, StoreError> {
        // What is looked up is all that there is.
        self.writer.flush().await?;
        let known = self.positions.of(streams);
        let from = |stream: &StreamId| Position {
            stream: stream.clone(),
            next_offset: known.get(stream).copied().unwrap_or(0),
        };
        let positions: Vec<Position> = streams.iter().map(from).collect();
        let stored = self.store.stored_since(&positions).await?;
        tracing::debug!(
            streams.count = streams.len(),
            streams.known = known.len(),
            events.stored = stored.len(),
            "streams assigned"
        );
        self.stored.add(stored);
        Ok(known)
    }

    /// Judges a batch and hands it on to be written.
    async fn process(&mut self, batch: DecodedBatch) -> Result<(), StoreError> {
        let mut detections = Detections::default();
        let decoded = batch.decoded();
        tokio::task::block_in_place(|| self.detect(decoded, &mut detections));
        self.judged_until = self.judged_until.max(newest(&decoded.events));
        let decided_at = self.clock.now();
        self.progress.judged(batch.batch(), &detections, decided_at);
        let fresh = self.fresh(&decoded.events);
        if !decoded.rejects.is_empty() {
            self.dead_letters.write(&decoded.rejects).await;
        }
        self.positions.advance(batch.batch());
        if !self.stored.is_empty() {
            for position in self.positions.all() {
                self.stored.forget_before(&position);
            }
        }
        let judged = Judged {
            batch,
            fresh,
            decided_at,
        };
        self.writer.judged(judged, detections).await?;
        Ok(())
    }

    /// Takes a change of the registry over: it counts for events after those that were judged, and is stored before it does.
    async fn register(&mut self, request: registry::Request) -> Result<(), StoreError> {
        let registry::Request { change, reply } = request;
        let since = self.keeper.stamp(self.clock.now(), self.judged_until);
        let origin = change.origin();
        let versions = match self.keeper.decide(change, since) {
            Ok(versions) => versions,
            Err(refusal) => {
                // Who asked may have gone.
                reply.send(Err(refusal)).ok();
                return Ok(());
            }
        };
        let changed = versions.len();
        if changed > 0 {
            self.store.insert_registrations(&versions).await?;
            tokio::task::block_in_place(|| self.keeper.apply(versions));
            self.engine.set_registry(self.keeper.registry());
            self.known.send_replace(self.keeper.registry());
            if origin.adds() {
                self.tell_leaks().await?;
            }
        }
        let entries = self.keeper.count(origin);
        self.registry_metrics.holds(origin, entries);
        let applied = Applied {
            since,
            changed,
            entries,
        };
        reply.send(Ok(applied)).ok();
        Ok(())
    }

    /// Tells of tokens that were reported to be exposed, or revoked after that: at the report, and at a start what a crash
    /// left untold.
    async fn tell_leaks(&mut self) -> Result<(), StoreError> {
        let mut detections = Detections::default();
        tokio::task::block_in_place(|| self.engine.tell_leaks(&mut detections));
        if detections.findings.is_empty() {
            return Ok(());
        }
        self.writer.flush().await?;
        let told = detections.findings.iter_mut();
        for token in told.filter_map(|finding| finding.token.as_mut()) {
            self.name(token).await?;
        }
        self.writer.detections(detections).await?;
        self.writer.flush().await?;
        Ok(())
    }

    /// What the gateway calls a token, by its stored calls: a report says only which token it is about.
    async fn name(&self, token: &mut FindingToken) -> Result<(), StoreError> {
        if token.credential_id.is_some() || token.consumer.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        if let Some(seen) = self.store.queries().token(token.id, now).await? {
            token.credential_id = seen.credential_id;
            token.consumer = seen.consumer;
        }
        Ok(())
    }

    /// Hands the engine what a batch held, in the order of each stream.
    fn detect(&mut self, decoded: &Decoded<'_>, detections: &mut Detections) {
        let engine = &mut self.engine;
        let mut take = |next: ReadNext<'_, '_>| match next {
            ReadNext::Events(events) => engine.process(events, detections),
            ReadNext::Rejected(stream) => engine.rejected(stream, detections),
        };
        let mut rejected = RejectedRecords::of(&decoded.rejects);
        rejected.hand_on(&decoded.events, &mut take);
        rejected.finish(&mut take);
    }

    /// Nothing came for some seconds: what waits for later events is decided by the clock. Whether anything was.
    async fn pass_time(&mut self) -> Result<bool, StoreError> {
        let mut detections = Detections::default();
        let until = self.clock.now() - SILENCE_PATIENCE;
        tokio::task::block_in_place(|| self.engine.pass_time(until, &mut detections));
        let any = detections != Detections::default();
        self.writer.detections(detections).await?;
        Ok(any)
    }

    /// The events that the store does not have, by place; `None`: all, but for those read again after a crash.
    fn fresh(&self, events: &[AccessEvent<'_>]) -> Option<Vec<usize>> {
        if self.stored.is_empty() {
            return None;
        }
        let is_fresh = |place: &usize| !self.stored.contains(&events[*place].origin);
        let fresh: Vec<usize> = (0..events.len()).filter(is_fresh).collect();
        tracing::info!(
            events.count = events.len(),
            events.fresh = fresh.len(),
            "events behind the last checkpoint read again"
        );
        Some(fresh)
    }

    fn is_checkpoint_under_way(&mut self) -> bool {
        let written = self.checkpoint_under_way.as_mut();
        written.is_some_and(|written| written.try_recv() == Err(TryRecvError::Empty))
    }

    /// Has positions and changed token states written as one.
    async fn checkpoint(&mut self) -> Result<(), StoreError> {
        let delta = tokio::task::block_in_place(|| self.engine.checkpoint());
        let checkpoint = Checkpoint {
            id: self.next_checkpoint,
            positions: self.positions.all(),
            engine_state: delta.engine_state,
            tokens: delta.tokens.into_iter().map(token_row).collect(),
            forgotten: delta.removed,
        };
        self.next_checkpoint += 1;
        let engine = self.engine.stats();
        let written = self.writer.checkpoint(checkpoint, engine).await?;
        self.checkpoint_under_way = Some(written);
        Ok(())
    }
}

/// The writer, which has ended, says why; see [`Pipeline::run`].
impl From<Ended> for StoreError {
    fn from(_: Ended) -> Self {
        Self::Cancelled
    }
}

fn token_row(token: TokenDelta) -> TokenRow {
    TokenRow {
        id: token.id,
        state: token.state,
        profile: token.profile,
    }
}

/// The newest time among `events`.
pub(crate) fn newest(events: &[AccessEvent<'_>]) -> Option<Timestamp> {
    events.iter().map(|event| event.ts).max()
}
