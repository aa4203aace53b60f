//! The file source: follows files under patterns, through rotation, from the positions that the pipeline answers.
//!
//! Files are polled, not watched: at five looks a second a few hundred files cost next to nothing, and polling works on
//! every file system. A file is a stream of its own whose name is its identity, not its path, so that it goes on
//! where it was when it is renamed. Patterns should match the names that rotation gives (`access.log*`), so that what
//! was written before a rotation is found after a restart; compressed copies of followed files should be excluded, as
//! they are other files. A file that ends in `.gz` is read once.

mod config;
mod discovery;
mod followed;
mod follower;
mod identity;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokenwatch_model::{Position, StreamId};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use config::{FilesConfig, FilesSettings};

use crate::record::SourceEvent;
use crate::source_error::SourceError;
use crate::source_metrics::FilesMetrics;
use discovery::Discovered;
use follower::Follower;

const NAME: &str = "files";
/// How long the last checkpoint is waited for.
const LAST_CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(30);

/// The newest committed positions that the source has not taken yet; bounded by the files that are followed.
type Committed = Arc<Mutex<HashMap<StreamId, i64>>>;

/// The file source; may be run again after it failed.
#[derive(Debug)]
pub struct FileSource {
    settings: FilesSettings,
    metrics: FilesMetrics,
    committed: Committed,
}

/// A handle to the running file source.
#[derive(Clone, Debug)]
pub struct FilesHandle(Committed);

/// One run of the source.
struct Run<'a> {
    source: &'a FileSource,
    /// Away while a blocking thread works with it.
    follower: Option<Follower>,
    streams: BTreeSet<StreamId>,
    tx: mpsc::Sender<SourceEvent>,
}

impl FilesHandle {
    /// Tells how far checkpoints have come, so that files may be deleted.
    pub fn committed(&self, positions: &[Position]) {
        let mut committed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for position in positions {
            if position.stream.topic.starts_with("file:") {
                committed.insert(position.stream.clone(), position.next_offset);
            }
        }
    }
}

impl FileSource {
    /// A source that has not looked at the disk yet.
    pub fn new(settings: FilesSettings, metrics: FilesMetrics) -> Self {
        Self {
            settings,
            metrics,
            committed: Committed::default(),
        }
    }

    /// A handle for the pipeline.
    pub fn handle(&self) -> FilesHandle {
        FilesHandle(Arc::clone(&self.committed))
    }

    fn take_committed(&self) -> HashMap<StreamId, i64> {
        std::mem::take(
            &mut *self
                .committed
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Reads until `cancel`, then asks for a last checkpoint and returns.
    pub async fn run(
        &self,
        tx: mpsc::Sender<SourceEvent>,
        cancel: CancellationToken,
    ) -> Result<(), SourceError> {
        let mut run = Run {
            follower: Some(Follower::new(self.settings.clone(), self.metrics.clone())),
            source: self,
            streams: BTreeSet::new(),
            tx,
        };
        // What a round has read when it is cancelled was not handed over, so it is read again from the checkpoint.
        while let Some(round) = cancel.run_until_cancelled(run.round()).await {
            if round? {
                continue;
            }
            let pause = tokio::time::sleep(self.settings.poll_interval);
            if cancel.run_until_cancelled(pause).await.is_none() {
                break;
            }
        }
        run.stop().await
    }
}

impl Run<'_> {
    /// Looks at the disk, then reads until it is time to look again or nothing is left; true if there is more.
    async fn round(&mut self) -> Result<bool, SourceError> {
        let started = Instant::now();
        let committed = self.source.take_committed();
        let discovered = self
            .blocking(move |follower| follower.scan(&committed, started))
            .await?;
        if !discovered.is_empty() {
            self.assign(discovered).await?;
        }
        loop {
            let (batch, retired, more) = self
                .blocking(|follower| {
                    let batch = follower.read();
                    (batch, follower.take_retired(), follower.is_behind())
                })
                .await?;
            let read_nothing = batch.is_none();
            if let Some(batch) = batch {
                self.send(SourceEvent::Batch(batch)).await?;
            }
            if !retired.is_empty() {
                self.retire(retired).await?;
            }
            if read_nothing || !more || started.elapsed() >= self.source.settings.poll_interval {
                return Ok(more && !read_nothing);
            }
        }
    }

    async fn assign(&mut self, discovered: Vec<Discovered>) -> Result<(), SourceError> {
        let streams: Vec<StreamId> = discovered.iter().map(|file| file.stream.clone()).collect();
        self.streams.extend(streams.iter().cloned());
        let (positions, answer) = oneshot::channel();
        self.send(SourceEvent::Assigned { streams, positions })
            .await?;
        let positions = answer.await.map_err(|_| SourceError::PipelineGone)?;
        if let Some(follower) = &mut self.follower {
            follower.follow(discovered, &positions);
        }
        Ok(())
    }

    /// Nobody takes streams that have ended over, so their checkpoint is not waited for.
    async fn retire(&mut self, streams: Vec<StreamId>) -> Result<(), SourceError> {
        for stream in &streams {
            self.streams.remove(stream);
        }
        let (done, _) = oneshot::channel();
        self.send(SourceEvent::Revoked { streams, done }).await
    }

    /// Asks for the last checkpoint.
    async fn stop(self) -> Result<(), SourceError> {
        if self.streams.is_empty() {
            return Ok(());
        }
        let (done_tx, done) = oneshot::channel();
        let revoked = SourceEvent::Revoked {
            streams: self.streams.iter().cloned().collect(),
            done: done_tx,
        };
        let told = async {
            // A pipeline that is gone has written its checkpoint, or cannot any more.
            if self.tx.send(revoked).await.is_ok() {
                done.await.ok();
            }
        };
        if tokio::time::timeout(LAST_CHECKPOINT_TIMEOUT, told)
            .await
            .is_err()
        {
            tracing::warn!("files are left before their checkpoint was written");
        }
        Ok(())
    }

    async fn send(&self, event: SourceEvent) -> Result<(), SourceError> {
        self.tx
            .send(event)
            .await
            .map_err(|_| SourceError::PipelineGone)
    }

    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Follower) -> T + Send + 'static,
    ) -> Result<T, SourceError> {
        let failed = |reason: String| SourceError::Failed {
            source_name: NAME,
            reason,
        };
        let mut follower = self
            .follower
            .take()
            .ok_or_else(|| failed("a round was cancelled before".to_owned()))?;
        let (follower, result) = tokio::task::spawn_blocking(move || {
            let result = work(&mut follower);
            (follower, result)
        })
        .await
        .map_err(|error| failed(error.to_string()))?;
        self.follower = Some(follower);
        Ok(result)
    }
}
