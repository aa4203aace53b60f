//! One file that is followed.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokenwatch_model::StreamId;

use super::discovery::Discovered;
use super::identity::Fingerprint;
use crate::batching::{BatchBuilder, Place, StreamSlot};
use crate::lines::{AtEnd, FileReader, LineReader, is_gzip};
use crate::source_metrics::FilesMetrics;

/// A file and how far it was read.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) path: PathBuf,
    pub(super) stream: Arc<StreamId>,
    /// When it was last found to be missing under every pattern.
    pub(super) gone_since: Option<Instant>,
    /// The largest size seen; a smaller one means that the file was cut short.
    seen_size: u64,
    /// Up to where everything is checkpointed.
    pub(super) committed: u64,
    fingerprint: Fingerprint,
    gzip: bool,
    slot: StreamSlot,
    reader: Option<LineReader<FileReader>>,
    /// Where reading goes on when the file is opened again.
    position: u64,
    /// Where the last line that was handed over ends.
    handed_to: u64,
    /// Whether the last read came to the end of what is there.
    at_end: bool,
    /// The size at which reading failed; tried again once it changed.
    failed_at: Option<u64>,
}

impl Followed {
    pub(super) fn new(file: Discovered, position: Option<i64>) -> Self {
        let position = position.and_then(|at| u64::try_from(at).ok()).unwrap_or(0);
        Self {
            gzip: is_gzip(&file.path),
            path: file.path,
            stream: Arc::new(file.stream),
            gone_since: None,
            seen_size: file.size,
            committed: position,
            fingerprint: file.fingerprint,
            slot: StreamSlot::default(),
            reader: None,
            position,
            handed_to: position,
            at_end: false,
            failed_at: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.reader.is_some()
    }

    /// Whether there is something to read, as far as is known without reading.
    pub(super) fn is_behind(&self) -> bool {
        self.failed_at != Some(self.seen_size) && !self.at_end
    }

    /// Whether everything that was in the file has been handed over and checkpointed.
    pub(super) fn is_checkpointed(&self) -> bool {
        let has_partial_line = self
            .reader
            .as_ref()
            .is_some_and(LineReader::has_partial_line);
        self.at_end && !has_partial_line && self.committed >= self.handed_to
    }

    /// Takes note of the size that the file has now; false if it is another file's content by now.
    pub(super) fn grow_to(&mut self, size: u64) -> io::Result<bool> {
        if size == self.seen_size {
            return Ok(true);
        }
        if size < self.seen_size {
            return Ok(false);
        }
        let fingerprint = match &self.reader {
            Some(reader) => Fingerprint::of(reader.get_ref().file(), self.gzip)?,
            None => Fingerprint::of(&File::open(&self.path)?, self.gzip)?,
        };
        self.seen_size = size;
        // A compressed file that was read to its end is complete; it is not read twice.
        self.at_end = self.at_end && self.gzip && self.failed_at.is_none();
        Ok(fingerprint == Some(self.fingerprint))
    }

    /// Takes note of the size that a file without a path has now; false if it can no longer be reached.
    pub(super) fn grow_gone(&mut self) -> io::Result<bool> {
        let Some(reader) = &self.reader else {
            return Ok(false);
        };
        let size = reader.get_ref().file().metadata()?.len();
        self.grow_to(size)
    }

    pub(super) fn open(&mut self, line_bytes_limit: usize) -> io::Result<()> {
        if self.reader.is_none() {
            let reader = FileReader::open(&self.path, self.position)?;
            self.reader = Some(LineReader::new(reader, self.position, line_bytes_limit));
        }
        Ok(())
    }

    /// Frees the descriptor; a line that was read in part is read again.
    pub(super) fn close(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.position = reader.offset();
        }
    }

    /// Reads lines until the batch is full or the file has no more.
    pub(super) fn read(
        &mut self,
        batch: &mut BatchBuilder,
        line_bytes_limit: usize,
        metrics: &FilesMetrics,
    ) -> io::Result<()> {
        let at_end = if self.gzip {
            AtEnd::Finish
        } else {
            AtEnd::Wait
        };
        self.read_lines(batch, line_bytes_limit, metrics, at_end)
    }

    /// Reads what is left of a file that will not grow any more, its unfinished last line included.
    pub(super) fn finish(
        &mut self,
        batch: &mut BatchBuilder,
        line_bytes_limit: usize,
        metrics: &FilesMetrics,
    ) -> io::Result<()> {
        self.at_end = false;
        self.read_lines(batch, line_bytes_limit, metrics, AtEnd::Finish)
    }

    pub(super) fn fail(&mut self) {
        self.reader = None;
        self.position = self.handed_to;
        self.failed_at = Some(self.seen_size);
    }

    fn read_lines(
        &mut self,
        batch: &mut BatchBuilder,
        line_bytes_limit: usize,
        metrics: &FilesMetrics,
        at_end: AtEnd,
    ) -> io::Result<()> {
        let Some(reader) = &mut self.reader else {
            return Ok(());
        };
        while !batch.is_full() {
            let Some(line) = reader.next_line(at_end)? else {
                self.at_end = true;
                self.failed_at = None;
                break;
            };
            if line.bytes.is_empty() {
                continue;
            }
            if line.bytes.len() > line_bytes_limit {
                metrics.oversized.inc();
            }
            let place = Place {
                offset: line.offset as i64,
                next_offset: line.next_offset as i64,
                appended_at: None,
            };
            self.handed_to = line.next_offset;
            batch.push(&self.stream, &mut self.slot, place, line.bytes);
        }
        Ok(())
    }
}
