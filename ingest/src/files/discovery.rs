//! Which files the patterns match at the moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use tokenwatch_model::StreamId;

use super::config::FilesSettings;
use super::identity::{FileKey, Fingerprint};
use crate::lines::is_gzip;
use crate::source_metrics::FilesMetrics;

/// A file under one of the patterns.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) size: u64,
}

/// A file that is not followed yet; it waits for the pipeline to say where it goes on.
#[derive(Debug)]
pub(super) struct Discovered {
    pub(super) key: FileKey,
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) stream: StreamId,
}

/// All files under the patterns; one with several names is found once.
pub(super) fn find(settings: &FilesSettings, metrics: &FilesMetrics) -> BTreeMap<FileKey, Found> {
    let mut found = BTreeMap::new();
    for pattern in &settings.paths {
        // Patterns were validated, so one that is refused here finds nothing.
        for path in glob::glob(pattern).into_iter().flatten() {
            let Ok(path) = path else {
                metrics.errors.inc();
                continue;
            };
            if settings.exclude.iter().any(|glob| glob.matches_path(&path)) {
                continue;
            }
            if let Ok(metadata) = path.metadata()
                && metadata.is_file()
            {
                found.entry(FileKey::of(&metadata)).or_insert(Found {
                    path,
                    size: metadata.len(),
                });
            }
        }
    }
    found
}

/// Identifies a file; `None` while it has no whole first line, or if the path was given to another file meanwhile.
pub(super) fn identify(key: FileKey, found: &Found) -> io::Result<Option<Discovered>> {
    let file = File::open(&found.path)?;
    let metadata = file.metadata()?;
    if FileKey::of(&metadata) != key {
        return Ok(None);
    }
    let Some(fingerprint) = Fingerprint::of(&file, is_gzip(&found.path))? else {
        return Ok(None);
    };
    Ok(Some(Discovered {
        key,
        path: found.path.clone(),
        size: metadata.len(),
        fingerprint,
        stream: key.stream(fingerprint),
    }))
}
