//! Starts the configured sources and starts one again that failed in a way that may pass.

use std::time::Duration;

use axum::Router;
use tokenwatch_ingest::{
    EventProducer, FileSource, FilesHandle, IngestMetrics, IngestSettings, KafkaHandle,
    KafkaSource, PushSink, PushSinkSettings, SourceError, SourceEvent, Spool, SpoolWriter,
    push_router,
};
use tokenwatch_model::{Clock, Position};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The pause before a failed source is started again; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The configured sources, not started yet.
pub(crate) struct Sources {
    kafka: Option<KafkaSource>,
    files: Vec<FileSource>,
    push: Option<Push>,
}

/// The HTTP source's parts.
struct Push {
    router: Router,
    writer: Option<SpoolWriter>,
}

/// Those who want to hear of checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct CommitHandles {
    kafka: Option<KafkaHandle>,
    files: Vec<FilesHandle>,
}

/// A source that reads records.
enum Reader {
    Kafka(KafkaSource),
    Files(FileSource),
}

impl Sources {
    pub(crate) fn new(
        settings: &IngestSettings,
        clock: &Clock,
        metrics: &IngestMetrics,
    ) -> Result<Self, SourceError> {
        let metrics = &metrics.sources;
        let line_bytes_limit = settings.decoder.record_bytes_limit;
        let kafka = settings
            .kafka
            .clone()
            .map(|kafka| KafkaSource::new(kafka, clock.clone(), metrics.kafka.clone()));
        let mut files: Vec<FileSource> = settings
            .files
            .clone()
            .map(|files| FileSource::new(files, metrics.files.clone()))
            .into_iter()
            .collect();
        let mut push = None;
        if let Some(settings) = settings.http_push.clone() {
            let (sink, writer) = match &settings.sink {
                PushSinkSettings::Spool(spool) => {
                    files.push(FileSource::new(
                        spool.files(line_bytes_limit),
                        metrics.files.clone(),
                    ));
                    let (spool, writer) = Spool::open(spool, metrics.push.clone())?;
                    (PushSink::Spool(spool), Some(writer))
                }
                PushSinkSettings::Kafka { connection, topic } => (
                    PushSink::Kafka(EventProducer::new(connection, topic)?),
                    None,
                ),
            };
            push = Some(Push {
                router: push_router(settings, sink, metrics.push.clone()),
                writer,
            });
        }
        Ok(Self { kafka, files, push })
    }

    /// Whom the pipeline tells of its checkpoints.
    pub(crate) fn commit_handles(&self) -> CommitHandles {
        CommitHandles {
            kafka: self.kafka_handle(),
            files: self.files.iter().map(FileSource::handle).collect(),
        }
    }

    /// The state of the Kafka source, if there is one.
    pub(crate) fn kafka_handle(&self) -> Option<KafkaHandle> {
        self.kafka.as_ref().map(KafkaSource::handle)
    }

    /// The HTTP source's routes.
    pub(crate) fn push_router(&self) -> Router {
        self.push
            .as_ref()
            .map(|push| push.router.clone())
            .unwrap_or_default()
    }

    /// Starts all of them; they end with `cancel`.
    pub(crate) fn start(
        self,
        tx: &mpsc::Sender<SourceEvent>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        if self.kafka.is_none() && self.files.is_empty() {
            tracing::warn!("no source is configured: nothing will be read");
        }
        // The pipeline ends when the last sender is gone: not before the shutdown, whatever becomes of the sources.
        let (held, end) = (tx.clone(), cancel.clone());
        tasks.spawn(async move {
            end.cancelled().await;
            drop(held);
        });
        let readers = self.kafka.map(Reader::Kafka).into_iter();
        for reader in readers.chain(self.files.into_iter().map(Reader::Files)) {
            tasks.spawn(supervise(reader, tx.clone(), cancel.clone()));
        }
        if let Some(writer) = self.push.and_then(|push| push.writer) {
            let cancel = cancel.clone();
            tasks.spawn(async move {
                if let Err(error) = writer.run(cancel).await {
                    tracing::error!(%error, "the spool of the HTTP source ended");
                }
            });
        }
    }
}

impl CommitHandles {
    /// Tells the sources how far checkpoints have come.
    pub(crate) fn committed(&self, positions: &[Position]) {
        if let Some(kafka) = &self.kafka {
            kafka.committed(positions);
        }
        for files in &self.files {
            files.committed(positions);
        }
    }
}

impl Reader {
    async fn run(
        &self,
        tx: mpsc::Sender<SourceEvent>,
        cancel: CancellationToken,
    ) -> Result<(), SourceError> {
        match self {
            Self::Kafka(kafka) => kafka.run(tx, cancel).await,
            Self::Files(files) => files.run(tx, cancel).await,
        }
    }
}

/// Runs `reader` until `cancel`, again after a pause if it failed.
async fn supervise(reader: Reader, tx: mpsc::Sender<SourceEvent>, cancel: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    while !cancel.is_cancelled() {
        match reader.run(tx.clone(), cancel.clone()).await {
            Ok(()) | Err(SourceError::PipelineGone) => return,
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "a source is started again");
                if cancel
                    .run_until_cancelled(tokio::time::sleep(pause))
                    .await
                    .is_none()
                {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                tracing::error!(%error, "a source has stopped for good");
                return;
            }
        }
    }
}
