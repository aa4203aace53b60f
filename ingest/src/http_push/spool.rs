//! The spool: pushed lines on disk, so that an answer of 200 means that they survive a crash.
//!
//! One task appends for all requests: what arrived while the last fsync ran is written together and shares the next
//! one. Segments are named by a rising number; the file source reads and deletes them. Each start begins a new segment
//! and cuts a torn last line off the old ones: nobody was told that it is stored. What surprises: a request whose
//! lines were written but not synced before a crash may be stored although its client never heard so.
//!
//! The lines are as gateways wrote them, secrets included, so only the service may read them, and they are not left
//! lying: a segment that nothing was added to for a while is followed by an empty one, and so may be deleted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::config::SpoolSettings;
use super::problem::Refusal;
use crate::source_error::SourceError;
use crate::source_metrics::PushMetrics;

/// The names of segments, for the file source.
pub(super) const SEGMENT_PATTERN: &str = "events-*.ndjson";
/// Requests that share one write; their bytes are bounded by the number of requests at a time.
const GROUP_LIMIT: usize = 256;
/// Requests that wait to be written; as many as one write takes.
const QUEUE_LIMIT: usize = 256;
/// How long a segment waits for more lines before an empty one follows it; then it is deleted once checkpointed.
const ROLL_AFTER: Duration = Duration::from_secs(1);

/// Appends to the spool.
#[derive(Clone, Debug)]
pub struct Spool {
    tx: mpsc::Sender<Append>,
}

/// The task behind [`Spool`]: run it until it ends.
#[derive(Debug)]
pub struct SpoolWriter {
    rx: mpsc::Receiver<Append>,
    segments: Segments,
}

#[derive(Debug)]
struct Append {
    bytes: Vec<u8>,
    done: oneshot::Sender<Result<(), Refusal>>,
}

/// The files of the spool. Everything here blocks.
#[derive(Debug)]
struct Segments {
    settings: SpoolSettings,
    metrics: PushMetrics,
    next_number: u64,
    current: Option<Segment>,
    used_bytes: u64,
}

#[derive(Debug)]
struct Segment {
    file: File,
    bytes: u64,
}

impl Spool {
    /// Opens the spool in its folder, which is created, and repairs what a crash left.
    pub fn open(
        settings: &SpoolSettings,
        metrics: PushMetrics,
    ) -> Result<(Self, SpoolWriter), SourceError> {
        let segments = Segments::open(settings, metrics).map_err(|error| SourceError::Failed {
            source_name: "http_push",
            reason: format!("the spool in {}: {error}", settings.dir.display()),
        })?;
        let (tx, rx) = mpsc::channel(QUEUE_LIMIT);
        Ok((Self { tx }, SpoolWriter { rx, segments }))
    }

    /// Returns once the lines are on disk.
    pub(super) async fn append(&self, bytes: Vec<u8>) -> Result<(), Refusal> {
        let (done, stored) = oneshot::channel();
        self.tx
            .send(Append { bytes, done })
            .await
            .map_err(|_| Refusal::Failed)?;
        stored.await.unwrap_or(Err(Refusal::Failed))
    }
}

impl SpoolWriter {
    /// Writes until cancelled, then what was sent before, and returns.
    pub async fn run(mut self, cancel: CancellationToken) -> Result<(), SourceError> {
        let mut group = Vec::with_capacity(GROUP_LIMIT);
        loop {
            tokio::select! {
                biased;
                received = self.rx.recv_many(&mut group, GROUP_LIMIT) => {
                    if received == 0 {
                        return Ok(());
                    }
                }
                () = cancel.cancelled(), if !self.rx.is_closed() => {
                    self.rx.close();
                    continue;
                }
                () = tokio::time::sleep(ROLL_AFTER), if self.segments.has_lines() => {}
            }
            let appends = std::mem::take(&mut group);
            let mut segments = self.segments;
            self.segments = tokio::task::spawn_blocking(move || {
                if appends.is_empty() {
                    segments.roll();
                } else {
                    segments.append(appends);
                }
                segments
            })
            .await
            .map_err(|error| SourceError::Failed {
                source_name: "http_push",
                reason: error.to_string(),
            })?;
        }
    }
}

impl Segments {
    fn open(settings: &SpoolSettings, metrics: PushMetrics) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&settings.dir)?;
        let mut next_number = 0;
        for (path, number) in list(&settings.dir)? {
            next_number = next_number.max(number + 1);
            if cut_torn_line(&path)? == 0 {
                fs::remove_file(&path)?;
            }
        }
        let mut segments = Self {
            settings: settings.clone(),
            metrics,
            next_number,
            current: None,
            used_bytes: 0,
        };
        segments.measure()?;
        // The segments before it may be deleted from now on.
        segments.current = Some(segments.create()?);
        Ok(segments)
    }

    /// Whether the current segment holds lines that an empty one should follow.
    fn has_lines(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|segment| segment.bytes > 0)
    }

    /// Begins an empty segment; if that fails, the next request tries again.
    fn roll(&mut self) {
        self.current = None;
        match self.create() {
            Ok(segment) => self.current = Some(segment),
            Err(error) => tracing::warn!(%error, "the spool cannot begin a new file"),
        }
        if let Err(error) = self.measure() {
            tracing::warn!(%error, "the spool cannot be measured");
        }
    }

    /// Stores a group of requests with one write and one fsync, and answers each.
    fn append(&mut self, group: Vec<Append>) {
        let mut bytes = Vec::new();
        let mut stored = Vec::with_capacity(group.len());
        for append in group {
            let needed = (bytes.len() + append.bytes.len()) as u64;
            if self.has_room(needed) {
                bytes.extend_from_slice(&append.bytes);
                stored.push(append.done);
            } else {
                answer(append.done, Err(Refusal::Full));
            }
        }
        if stored.is_empty() {
            return;
        }
        let result = self.write(&bytes);
        if let Err(error) = &result {
            tracing::error!(%error, "pushed events could not be stored");
        }
        for done in stored {
            answer(
                done,
                result.as_ref().map_or(Err(Refusal::Failed), |()| Ok(())),
            );
        }
    }

    /// Whether `more` bytes fit; the file source deletes segments, so a full spool is measured anew.
    fn has_room(&mut self, more: u64) -> bool {
        let fits = |used: u64| used + more <= self.settings.bytes_limit;
        if fits(self.used_bytes) {
            return true;
        }
        self.measure().is_ok() && self.used_bytes + more <= self.settings.bytes_limit
    }

    fn measure(&mut self) -> io::Result<()> {
        let mut used = 0;
        for (path, _) in list(&self.settings.dir)? {
            match path.metadata() {
                Ok(metadata) => used += metadata.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.set_used(used);
        Ok(())
    }

    fn set_used(&mut self, used: u64) {
        self.used_bytes = used;
        self.metrics.spool_bytes.set(used as i64);
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self
            .current
            .as_ref()
            .is_some_and(|segment| segment.bytes >= self.settings.segment_bytes)
        {
            self.current = None;
            self.measure()?;
        }
        let mut segment = match self.current.take() {
            Some(segment) => segment,
            None => self.create()?,
        };
        self.metrics.syncs.inc();
        if let Err(error) = segment.append(bytes) {
            // Nobody is told that these lines are stored, so they go. If that fails too, the next start cuts the torn
            // one; either way the segment is not written to again, as its state on disk is not known.
            segment.file.set_len(segment.bytes).ok();
            return Err(error);
        }
        self.current = Some(segment);
        self.set_used(self.used_bytes + bytes.len() as u64);
        Ok(())
    }

    fn create(&mut self) -> io::Result<Segment> {
        let path = self
            .settings
            .dir
            .join(format!("events-{:020}.ndjson", self.next_number));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        self.next_number += 1;
        // The name must survive a crash as well as the content.
        File::open(&self.settings.dir)?.sync_all()?;
        Ok(Segment { file, bytes: 0 })
    }
}

impl Segment {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn answer(done: oneshot::Sender<Result<(), Refusal>>, result: Result<(), Refusal>) {
    if done.send(result).is_err() {
        tracing::debug!("a client left before it heard that its events are stored");
    }
}

/// The segments and their numbers.
fn list(dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_prefix("events-")?.strip_suffix(".ndjson"))
            .and_then(|number| number.parse().ok());
        if let Some(number) = number {
            segments.push((path, number));
        }
    }
    Ok(segments)
}

/// Cuts what follows the last line break; the size that is left.
fn cut_torn_line(path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    let mut end = size;
    let mut buffer = [0; 8 * 1024];
    while end > 0 {
        let start = end.saturating_sub(buffer.len() as u64);
        let block = &mut buffer[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        if let Some(last) = memchr::memrchr(b'\n', block) {
            end = start + last as u64 + 1;
            break;
        }
        end = start;
    }
    if end < size {
        file.set_len(end)?;
        file.sync_data()?;
        tracing::warn!(
            file.path = %path.display(),
            bytes = size - end,
            "a line that was not stored as a whole was cut off the spool"
        );
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(dir: &Path) -> SpoolSettings {
        SpoolSettings {
            dir: dir.join("spool"),
            bytes_limit: 100,
            segment_bytes: 10,
        }
    }

    fn append(segments: &mut Segments, texts: &[&str]) -> Vec<Result<(), Refusal>> {
        let (group, answers): (Vec<_>, Vec<_>) = texts
            .iter()
            .map(|text| {
                let (done, answer) = oneshot::channel();
                let bytes = text.as_bytes().to_vec();
                (Append { bytes, done }, answer)
            })
            .unzip();
        segments.append(group);
        answers
            .into_iter()
            .map(|mut answer| answer.try_recv().expect("answered"))
            .collect()
    }

    fn contents(settings: &SpoolSettings) -> Vec<String> {
        let mut segments = list(&settings.dir).unwrap();
        segments.sort();
        segments
            .iter()
            .map(|(path, _)| fs::read_to_string(path).unwrap())
            .filter(|text| !text.is_empty())
            .collect()
    }

    #[test]
    fn requests_of_a_group_share_one_sync_and_segments_are_rolled_by_size() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let metrics = PushMetrics::default();
        let mut segments = Segments::open(&settings, metrics.clone()).unwrap();
        assert_eq!(
            append(&mut segments, &["one\n", "two\n", "three\n"]),
            [Ok(()), Ok(()), Ok(())]
        );
        assert_eq!(metrics.syncs.get(), 1);
        assert_eq!(append(&mut segments, &["four\n"]), [Ok(())]);
        assert_eq!(contents(&settings), ["one\ntwo\nthree\n", "four\n"]);
    }

    #[test]
    fn a_torn_line_is_cut_and_a_new_segment_begun_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let mut segments = Segments::open(&settings, PushMetrics::default()).unwrap();
        append(&mut segments, &["whole\n"]);
        let mut torn = segments.current.take().unwrap().file;
        torn.write_all("{\"torn\":".repeat(2_000).as_bytes())
            .unwrap();
        let mut segments = Segments::open(&settings, PushMetrics::default()).unwrap();
        assert_eq!(contents(&settings), ["whole\n"]);
        append(&mut segments, &["next\n"]);
        assert_eq!(contents(&settings), ["whole\n", "next\n"]);
    }

    #[test]
    fn an_empty_segment_follows_so_that_no_line_is_in_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let mut segments = Segments::open(&settings, PushMetrics::default()).unwrap();
        assert!(!segments.has_lines());
        append(&mut segments, &["one\n"]);
        assert!(segments.has_lines());
        segments.roll();
        assert!(!segments.has_lines());
        let newest = list(&settings.dir).unwrap().into_iter().max().unwrap().0;
        assert_eq!(newest.metadata().unwrap().len(), 0);
        assert_eq!(contents(&settings), ["one\n"]);
    }

    #[test]
    fn only_the_service_may_read_the_spool() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        Segments::open(&settings, PushMetrics::default()).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&settings.dir), 0o700);
        assert_eq!(mode(&list(&settings.dir).unwrap()[0].0), 0o600);
    }

    #[test]
    fn a_segment_that_holds_only_a_torn_line_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let mut segments = Segments::open(&settings, PushMetrics::default()).unwrap();
        segments.create().unwrap().file.write_all(b"torn").unwrap();
        Segments::open(&settings, PushMetrics::default()).unwrap();
        assert!(contents(&settings).is_empty());
    }

    #[test]
    fn a_full_spool_refuses_until_segments_were_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let mut segments = Segments::open(&settings, PushMetrics::default()).unwrap();
        let line = format!("{}\n", "x".repeat(59));
        assert_eq!(
            append(&mut segments, &[&line, &line]),
            [Ok(()), Err(Refusal::Full)]
        );
        assert_eq!(append(&mut segments, &[&line]), [Err(Refusal::Full)]);
        fs::remove_file(settings.dir.join("events-00000000000000000000.ndjson")).unwrap();
        assert_eq!(append(&mut segments, &[&line]), [Ok(())]);
    }
}
