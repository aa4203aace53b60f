//! All files that are followed: sees them appear, rotate and end, and reads them in turn.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Instant;

use tokenwatch_model::StreamId;

use super::config::FilesSettings;
use super::discovery::{Discovered, Found, find, identify};
use super::followed::Followed;
use super::identity::FileKey;
use crate::batching::BatchBuilder;
use crate::record::RecordBatch;
use crate::source_metrics::FilesMetrics;

/// The files and their common limits. Everything here blocks.
#[derive(Debug)]
pub(super) struct Follower {
    settings: FilesSettings,
    metrics: FilesMetrics,
    files: BTreeMap<FileKey, Followed>,
    batch: BatchBuilder,
    /// Streams that have ended; told once what was read of them is handed over.
    retired: Vec<StreamId>,
    /// Which file reads first in the next round, so that a busy one does not hold up the others.
    turn: usize,
}

impl Follower {
    pub(super) fn new(settings: FilesSettings, metrics: FilesMetrics) -> Self {
        Self {
            batch: BatchBuilder::new(settings.batch),
            settings,
            metrics,
            files: BTreeMap::new(),
            retired: Vec::new(),
            turn: 0,
        }
    }

    /// Whether there is more to read at once.
    pub(super) fn is_behind(&self) -> bool {
        self.files.values().any(Followed::is_behind)
    }

    /// Streams that ended before the batch read last.
    pub(super) fn take_retired(&mut self) -> Vec<StreamId> {
        std::mem::take(&mut self.retired)
    }

    /// Looks at the disk; says which files are new.
    pub(super) fn scan(
        &mut self,
        committed: &HashMap<StreamId, i64>,
        now: Instant,
    ) -> Vec<Discovered> {
        for file in self.files.values_mut() {
            if let Some(position) = committed.get(&*file.stream) {
                file.committed = u64::try_from(*position).unwrap_or(0);
            }
        }
        let found = find(&self.settings, &self.metrics);
        let mut discovered = Vec::new();
        for (key, found) in &found {
            match self.look_at(*key, found) {
                Ok(new) => discovered.extend(new),
                Err(error) => self.report(&error, found),
            }
        }
        self.follow_gone(&found, now);
        if self.settings.delete_after_checkpoint {
            self.delete_checkpointed(&found);
        }
        self.metrics.followed.set(self.files.len() as i64);
        discovered
    }

    /// Follows new files from the positions that the pipeline answered.
    pub(super) fn follow(
        &mut self,
        discovered: Vec<Discovered>,
        positions: &HashMap<StreamId, i64>,
    ) {
        for file in discovered {
            let position = positions.get(&file.stream).copied();
            self.files.insert(file.key, Followed::new(file, position));
        }
    }

    /// Reads up to a batch; each file that has more gets its turn.
    pub(super) fn read(&mut self) -> Option<RecordBatch> {
        let behind: Vec<FileKey> = self
            .files
            .iter()
            .filter(|(_, file)| file.is_behind())
            .map(|(key, _)| *key)
            .collect();
        if !behind.is_empty() {
            self.turn = (self.turn + 1) % behind.len();
        }
        let mut waiting = 0;
        for key in behind.iter().cycle().skip(self.turn).take(behind.len()) {
            if self.batch.is_full() {
                break;
            }
            if !self.make_room_for(*key) {
                waiting += 1;
                continue;
            }
            self.read_file(*key);
        }
        self.metrics.waiting.set(waiting);
        if self.batch.is_empty() {
            return None;
        }
        let batch = self.batch.take();
        self.metrics.records.inc_by(batch.records.len() as u64);
        self.metrics.bytes.inc_by(batch.arena.len() as u64);
        Some(batch)
    }

    fn read_file(&mut self, key: FileKey) {
        let limit = self.settings.line_bytes_limit;
        let Some(file) = self.files.get_mut(&key) else {
            return;
        };
        let read = file
            .open(limit)
            .and_then(|()| file.read(&mut self.batch, limit, &self.metrics));
        if let Err(error) = read {
            file.fail();
            self.metrics.errors.inc();
            tracing::warn!(%error, file.path = %file.path.display(), "a file cannot be read");
        }
    }

    /// Whether the file may be open; closes one that has nothing to read if it must.
    fn make_room_for(&mut self, key: FileKey) -> bool {
        if self.files.get(&key).is_some_and(Followed::is_open) {
            return true;
        }
        let open = self.files.values().filter(|file| file.is_open()).count();
        if open < self.settings.open_files_limit {
            return true;
        }
        let idle = self
            .files
            .values_mut()
            .find(|file| file.is_open() && !file.is_behind() && file.gone_since.is_none());
        idle.map(Followed::close).is_some()
    }

    fn look_at(&mut self, key: FileKey, found: &Found) -> io::Result<Option<Discovered>> {
        let Some(file) = self.files.get_mut(&key) else {
            return identify(key, found);
        };
        file.gone_since = None;
        file.path.clone_from(&found.path);
        if file.grow_to(found.size)? {
            return Ok(None);
        }
        self.metrics.truncations.inc();
        tracing::warn!(file.path = %found.path.display(), "a file was cut short or written anew");
        self.retire(key);
        identify(key, found)
    }

    /// Files that were renamed out of the patterns, or deleted, are read while their writer may still hold them.
    fn follow_gone(&mut self, found: &BTreeMap<FileKey, Found>, now: Instant) {
        let mut ended = Vec::new();
        for (key, file) in &mut self.files {
            if found.contains_key(key) {
                continue;
            }
            let since = *file.gone_since.get_or_insert(now);
            let waited = now.duration_since(since) >= self.settings.rotated_wait;
            match file.grow_gone() {
                Ok(true) if file.is_behind() => file.gone_since = Some(now),
                Ok(true) if !waited => {}
                Ok(true) => {
                    let limit = self.settings.line_bytes_limit;
                    if file.finish(&mut self.batch, limit, &self.metrics).is_err() {
                        self.metrics.errors.inc();
                    }
                    ended.push(*key);
                }
                Ok(false) => ended.push(*key),
                Err(_) => {
                    self.metrics.errors.inc();
                    ended.push(*key);
                }
            }
        }
        for key in ended {
            self.retire(key);
        }
    }

    /// Deletes what is checkpointed, except for the newest file by name: it is the one that is written to.
    fn delete_checkpointed(&mut self, found: &BTreeMap<FileKey, Found>) {
        let newest = found.values().map(|found| &found.path).max();
        let done: Vec<FileKey> = self
            .files
            .iter()
            .filter(|(key, file)| {
                found.contains_key(key) && Some(&file.path) != newest && file.is_checkpointed()
            })
            .map(|(key, _)| *key)
            .collect();
        for key in done {
            let Some(file) = self.files.get(&key) else {
                continue;
            };
            match std::fs::remove_file(&file.path) {
                Ok(()) => {
                    self.metrics.deleted.inc();
                    self.retire(key);
                }
                Err(error) => {
                    self.metrics.errors.inc();
                    tracing::warn!(%error, file.path = %file.path.display(), "a file cannot be deleted");
                }
            }
        }
    }

    fn retire(&mut self, key: FileKey) {
        if let Some(file) = self.files.remove(&key) {
            self.retired.push((*file.stream).clone());
        }
    }

    fn report(&self, error: &io::Error, found: &Found) {
        // A file that vanished between two looks is no error.
        if error.kind() != io::ErrorKind::NotFound {
            self.metrics.errors.inc();
            tracing::debug!(%error, file.path = %found.path.display(), "a file cannot be read");
        }
    }
}
