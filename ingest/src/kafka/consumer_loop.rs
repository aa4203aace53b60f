//! The polling thread: fills batches, hands them over, pauses while nobody takes them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Timestamp as KafkaTimestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokenwatch_model::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use super::assignment::Assignment;
use super::client::Context;
use super::config::KafkaSettings;
use super::handle::{HighWatermark, Shared};
use super::rebalance::Rebalancing;
use super::{NAME, failed};
use crate::batching::{BatchBuilder, Place};
use crate::record::{RecordBatch, SourceEvent};
use crate::source_error::SourceError;
use crate::source_metrics::KafkaMetrics;

/// How long one wait may last: the reaction time to cancellation, commits and rebalances.
const TICK: Duration = Duration::from_millis(50);
/// How long a full pipeline is waited for before partitions are paused. Pausing throws the prefetched records away, so
/// a pipeline that is merely slower than Kafka must not cause it; the group gives a member five minutes between polls.
const PAUSE_AFTER: Duration = Duration::from_secs(5);
/// How often the end of the partitions is asked for while they are paused: no fetch tells it then.
const WATERMARKS_EVERY: Duration = Duration::from_secs(10);
/// How long asking for one partition's offsets may take, and for all of them in one go.
const WATERMARK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long leaving the group may take beyond the wait for the last checkpoint.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct ConsumerLoop {
    pub(super) consumer: BaseConsumer<Context>,
    pub(super) settings: KafkaSettings,
    pub(super) shared: Arc<Shared>,
    pub(super) metrics: KafkaMetrics,
    pub(super) assignment: Assignment,
    /// What the pipeline has to take next, in order; at most a batch and a rebalance.
    pub(super) outbox: VecDeque<SourceEvent>,
    pub(super) rebalancing: Option<Rebalancing>,
    pub(super) paused: bool,
    batch: BatchBuilder,
    tx: mpsc::Sender<SourceEvent>,
    runtime: Handle,
    cancel: CancellationToken,
    pause_after: Duration,
    blocked_since: Option<Instant>,
    watermarks_at: Option<Instant>,
    leave_by: Option<Instant>,
}

impl ConsumerLoop {
    /// Must be called on a tokio runtime, whose timers the thread uses.
    pub(super) fn new(
        consumer: BaseConsumer<Context>,
        settings: &KafkaSettings,
        tx: mpsc::Sender<SourceEvent>,
        cancel: CancellationToken,
        shared: Arc<Shared>,
        metrics: KafkaMetrics,
    ) -> Self {
        Self {
            consumer,
            shared,
            metrics,
            assignment: Assignment::default(),
            outbox: VecDeque::new(),
            rebalancing: None,
            paused: false,
            batch: BatchBuilder::new(settings.batch),
            tx,
            runtime: Handle::current(),
            cancel,
            pause_after: decide_pause_after(settings),
            blocked_since: None,
            watermarks_at: None,
            leave_by: None,
            settings: settings.clone(),
        }
    }

    pub(super) fn run(mut self) -> Result<(), SourceError> {
        let result = self.poll_until_stopped();
        self.consumer.context().close();
        self.shared.revoke_all();
        self.metrics.partitions.set(0);
        result
    }

    fn poll_until_stopped(&mut self) -> Result<(), SourceError> {
        loop {
            if self.is_stopped() {
                return Ok(());
            }
            self.rebalance()?;
            self.commit_positions();
            self.hand_over()?;
            if self.outbox.is_empty() {
                self.resume();
                self.fill_batch()?;
            } else {
                self.wait_for_room()?;
            }
        }
    }

    /// Starts to leave when cancelled; true once everything assigned is given back, or that takes too long.
    fn is_stopped(&mut self) -> bool {
        if !self.cancel.is_cancelled() {
            return false;
        }
        let Some(leave_by) = self.leave_by else {
            self.leave_by = Some(Instant::now() + self.settings.revoke_timeout + LEAVE_TIMEOUT);
            // What was not handed over is read again from the last checkpoint.
            self.outbox
                .retain(|event| !matches!(event, SourceEvent::Batch(_)));
            drop(self.batch.take());
            self.consumer.unsubscribe();
            return false;
        };
        (self.assignment.is_empty() && self.rebalancing.is_none()) || Instant::now() > leave_by
    }

    fn commit_positions(&mut self) {
        let committed = self.shared.take_committed();
        if committed.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(committed.len());
        for (stream, next_offset) in &committed {
            let offset = Offset::Offset(*next_offset);
            if list
                .add_partition_offset(&stream.topic, stream.partition, offset)
                .is_err()
            {
                self.metrics.errors.inc();
            }
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            self.metrics.errors.inc();
            tracing::debug!(%error, "an offset commit for lag tools failed");
        }
    }

    /// Puts what fits into the pipeline's queue.
    fn hand_over(&mut self) -> Result<(), SourceError> {
        while let Some(event) = self.outbox.pop_front() {
            match self.tx.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.outbox.push_front(event);
                    return Ok(());
                }
                Err(TrySendError::Closed(_)) => return Err(SourceError::PipelineGone),
            }
        }
        Ok(())
    }

    /// Waits for the pipeline; pauses once that takes long, and from then on polls.
    fn wait_for_room(&mut self) -> Result<(), SourceError> {
        let blocked_since = *self.blocked_since.get_or_insert_with(Instant::now);
        if !self.paused && blocked_since.elapsed() >= self.pause_after {
            self.pause();
        }
        self.hand_over_within(TICK)?;
        if self.paused {
            self.ask_watermarks();
        }
        // Rebalances come from polling, so a member that holds others up polls as well. One record at most comes with
        // it, and none once the pause has taken effect, so the batch stays near its limit.
        if self.paused || self.rebalancing.is_some() || self.leave_by.is_some() {
            self.poll(Duration::ZERO, 1)?;
        }
        Ok(())
    }

    fn hand_over_within(&mut self, wait: Duration) -> Result<(), SourceError> {
        let permit = self
            .runtime
            .block_on(async { tokio::time::timeout(wait, self.tx.reserve()).await });
        match permit {
            Ok(Ok(permit)) => {
                if let Some(event) = self.outbox.pop_front() {
                    permit.send(event);
                }
                Ok(())
            }
            Ok(Err(_)) => Err(SourceError::PipelineGone),
            Err(_) => Ok(()),
        }
    }

    fn pause(&mut self) {
        match self.consumer.pause(&self.assignment.to_list()) {
            Ok(()) => {
                if !self.paused {
                    tracing::warn!("the pipeline takes no records; Kafka partitions are paused");
                }
                self.paused = true;
                self.metrics.paused.set(1);
            }
            Err(error) => tracing::warn!(%error, "Kafka partitions could not be paused"),
        }
    }

    fn resume(&mut self) {
        self.blocked_since = None;
        if !self.paused {
            return;
        }
        match self.consumer.resume(&self.assignment.to_list()) {
            Ok(()) => {
                self.paused = false;
                self.metrics.paused.set(0);
                tracing::info!("the pipeline takes records again; Kafka partitions are resumed");
            }
            Err(error) => tracing::warn!(%error, "Kafka partitions could not be resumed"),
        }
    }

    /// Pauses partitions that were assigned while the others are paused.
    pub(super) fn pause_new_partitions(&mut self) {
        if self.paused {
            self.pause();
        }
    }

    /// Polls until the batch is due, a rebalance is, or a tick has passed.
    fn fill_batch(&mut self) -> Result<(), SourceError> {
        let tick_ends = Instant::now() + TICK;
        loop {
            let idle = self.tx.capacity() == self.tx.max_capacity();
            let wait = self.batch.time_left(idle).unwrap_or(TICK).min(TICK);
            let polled = self.poll(wait, usize::MAX)?;
            let due = self
                .batch
                .time_left(idle)
                .is_some_and(|time_left| time_left.is_zero());
            if self.batch.is_full() || due {
                self.seal_batch();
                return Ok(());
            }
            if !polled || Instant::now() >= tick_ends {
                return Ok(());
            }
        }
    }

    /// Takes up to `most` records of those that librdkafka has, until the batch is full; false if it had none.
    fn poll(&mut self, wait: Duration, most: usize) -> Result<bool, SourceError> {
        // Records borrow from the consumer, the batch from `self`; so the batch's parts are taken apart here.
        let Self {
            consumer,
            assignment,
            batch,
            metrics,
            shared,
            ..
        } = self;
        let mut wait = wait;
        let mut polled = 0;
        loop {
            let Some(message) = consumer.poll(wait) else {
                break;
            };
            match message {
                Ok(message) => {
                    polled += 1;
                    take(&message, consumer, assignment, batch, metrics);
                }
                Err(KafkaError::MessageConsumptionFatal(code)) => return Err(failed(&code)),
                Err(error) => report_error(shared, &error),
            }
            if polled >= most || batch.is_full() {
                break;
            }
            wait = Duration::ZERO;
        }
        Ok(polled > 0)
    }

    /// Moves the batch to the outbox, if there is anything in it.
    pub(super) fn seal_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = self.batch.take();
        self.metrics.records.inc_by(batch.records.len() as u64);
        self.metrics.bytes.inc_by(batch.arena.len() as u64);
        self.report_progress(&batch);
        self.outbox.push_back(SourceEvent::Batch(batch));
    }

    fn report_progress(&self, batch: &RecordBatch) {
        let mut last = vec![None; batch.streams.len()];
        for record in &batch.records {
            last[record.stream as usize] = Some(record);
        }
        for (stream, record) in batch.streams.iter().zip(last) {
            if let Some(record) = record {
                self.shared
                    .handed_over(stream, record.next_offset, record.appended_at);
            }
        }
    }

    /// Keeps lag true while nothing is fetched.
    fn ask_watermarks(&mut self) {
        let now = Instant::now();
        if self
            .watermarks_at
            .is_some_and(|at| now.duration_since(at) < WATERMARKS_EVERY)
        {
            return;
        }
        self.watermarks_at = Some(now);
        for element in self.assignment.to_list().elements() {
            if now.elapsed() > WATERMARK_TIMEOUT {
                return;
            }
            let (topic, partition) = (element.topic(), element.partition());
            if let Ok((_, offset)) =
                self.consumer
                    .fetch_watermarks(topic, partition, WATERMARK_TIMEOUT)
            {
                let watermark = HighWatermark {
                    topic,
                    partition,
                    offset,
                };
                self.shared.report_watermarks([watermark].into_iter());
            }
        }
    }
}

/// A quarter of the time that the group gives between two polls, where that was configured short.
fn decide_pause_after(settings: &KafkaSettings) -> Duration {
    use secrecy::ExposeSecret;
    let configured = settings
        .connection
        .options
        .iter()
        .find(|(name, _)| name == "max.poll.interval.ms")
        .and_then(|(_, value)| value.expose_secret().parse().ok())
        .map(Duration::from_millis);
    configured.map_or(PAUSE_AFTER, |interval| PAUSE_AFTER.min(interval / 4))
}

fn take(
    message: &BorrowedMessage<'_>,
    consumer: &BaseConsumer<Context>,
    assignment: &mut Assignment,
    batch: &mut BatchBuilder,
    metrics: &KafkaMetrics,
) {
    // Records of a partition that is being revoked belong to its next owner.
    let Some(stream) = assignment.find(message.topic(), message.partition()) else {
        return;
    };
    let offset = message.offset();
    if let Some(resumed_at) = stream.resumed_at.take() {
        if offset != resumed_at {
            report_gap(
                consumer,
                message.topic(),
                message.partition(),
                resumed_at,
                offset,
                metrics,
            );
        }
    } else if stream.next_offset.is_some_and(|next| offset < next) {
        return;
    }
    stream.next_offset = Some(offset + 1);
    let Some(payload) = message.payload().filter(|payload| !payload.is_empty()) else {
        metrics.empty.inc();
        return;
    };
    let place = Place {
        offset,
        next_offset: offset + 1,
        appended_at: match message.timestamp() {
            KafkaTimestamp::CreateTime(millis) | KafkaTimestamp::LogAppendTime(millis) => {
                Some(Timestamp::from_millis(millis))
            }
            KafkaTimestamp::NotAvailable => None,
        },
    };
    batch.push(&stream.id, &mut stream.slot, place, payload);
}

/// Reading did not go on where it was asked to. Compaction and transactions leave holes too, so only records below the
/// oldest that the broker still has are a loss.
fn report_gap(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
    resumed_at: i64,
    offset: i64,
    metrics: &KafkaMetrics,
) {
    if offset < resumed_at {
        tracing::error!(
            kafka.topic = topic,
            kafka.partition = partition,
            kafka.offset = offset,
            "the partition starts below the checkpoint: the topic was created anew"
        );
        return;
    }
    let oldest = match consumer.fetch_watermarks(topic, partition, WATERMARK_TIMEOUT) {
        Ok((oldest, _)) => oldest,
        Err(error) => {
            tracing::warn!(%error, kafka.topic = topic, "the oldest offset could not be asked for");
            offset
        }
    };
    if oldest > resumed_at {
        let missed = offset - resumed_at;
        metrics.gap_records.inc_by(missed.unsigned_abs());
        tracing::warn!(
            kafka.topic = topic,
            kafka.partition = partition,
            records = missed,
            "records were deleted by the broker before they were read"
        );
    }
}

/// librdkafka repeats errors while they last; they are kept as the reason of an outage and logged when they are new.
fn report_error(shared: &Shared, error: &KafkaError) {
    let code = error.rdkafka_error_code();
    let is_connection = matches!(
        code,
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure)
    );
    if !is_connection && shared.is_new_error(&error.to_string()) {
        tracing::warn!(source = NAME, %error, "Kafka reports an error");
    }
}
