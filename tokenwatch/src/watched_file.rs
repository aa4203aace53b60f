//! Files that people change while the service runs: what tells that one was written anew.

use std::io;
use std::path::Path;
use std::time::SystemTime;

/// What a file looked like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    modified: Option<SystemTime>,
    pub(crate) bytes: u64,
}

impl Look {
    /// What the file at `path` looks like now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self {
            modified: meta.modified().ok(),
            bytes: meta.len(),
        })
    }
}
