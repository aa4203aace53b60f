//! The inventory file: read at start, and again when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokenwatch_detectors::Registry;
use tokenwatch_ingest::TokenKey;
use tokenwatch_model::{Registration, RegistryOrigin, Timestamp};
use tokenwatch_store::RegistrationVersion;

use super::config::RegistrySettings;
use super::inventory::{self, EntryProblem, Notation};
use super::keeper::Keeper;
use crate::watched_file::Look;

/// Larger files are no inventory: 1 GiB.
const FILE_BYTES_LIMIT: u64 = 1 << 30;

/// The file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// By the system.
    #[error("{}: {error}", path.display())]
    Io {
        path: PathBuf,
        error: std::io::Error,
    },
    /// It is too large.
    #[error("{}: is larger than 1 GiB", .0.display())]
    TooLarge(PathBuf),
    /// Or it makes no sense.
    #[error("{}", told(path, problems))]
    Wrong {
        path: PathBuf,
        problems: Vec<EntryProblem>,
    },
}

/// The file, and what it looked like when it was last taken over.
#[derive(Debug)]
pub(super) struct InventoryFile {
    path: PathBuf,
    notation: Notation,
    seen: Option<Look>,
}

impl InventoryFile {
    pub(super) fn new(path: PathBuf, notation: Notation) -> Self {
        Self {
            path,
            notation,
            seen: None,
        }
    }

    /// Its entries if it has changed since it was last taken over.
    pub(super) fn read_if_new(&self) -> Result<Option<(Vec<Registration>, Look)>, FileError> {
        let io = |error| FileError::Io {
            path: self.path.clone(),
            error,
        };
        let look = Look::of(&self.path).map_err(io)?;
        if self.seen == Some(look) {
            return Ok(None);
        }
        if look.bytes > FILE_BYTES_LIMIT {
            return Err(FileError::TooLarge(self.path.clone()));
        }
        let text = std::fs::read_to_string(&self.path).map_err(io)?;
        let entries =
            inventory::read(self.notation, &text).map_err(|problems| FileError::Wrong {
                path: self.path.clone(),
                problems,
            })?;
        Ok(Some((entries, look)))
    }

    /// What looked like this was taken over, or refused: it is not read again before it changes.
    pub(super) fn saw(&mut self, look: Look) {
        self.seen = Some(look);
    }
}

/// The registry of a configuration alone, for replays of logs.
pub(crate) fn fixed(
    settings: &RegistrySettings,
    key: TokenKey,
) -> Result<Arc<Registry>, FileError> {
    Ok(Keeper::new(file_versions(settings)?, 0.0, Some(key)).registry())
}

/// The file's entries, which count for all time.
pub(crate) fn file_versions(
    settings: &RegistrySettings,
) -> Result<Vec<RegistrationVersion>, FileError> {
    let version = |entry: Registration| RegistrationVersion {
        key: entry
            .check()
            .expect("entries are checked when they are read"),
        origin: RegistryOrigin::File,
        since: Timestamp::default(),
        actor: String::new(),
        entry: Some(entry),
    };
    Ok(entries(settings)?.into_iter().map(version).collect())
}

/// Whether the file can be read; how many entries it has.
pub(crate) fn check_file(settings: &RegistrySettings) -> Result<usize, FileError> {
    Ok(entries(settings)?.len())
}

fn entries(settings: &RegistrySettings) -> Result<Vec<Registration>, FileError> {
    let Some((path, notation)) = &settings.file else {
        return Ok(Vec::new());
    };
    let read = InventoryFile::new(path.clone(), *notation).read_if_new()?;
    Ok(read.map(|(entries, _)| entries).unwrap_or_default())
}

fn told(path: &Path, problems: &[EntryProblem]) -> String {
    let lines = problems.iter().map(|problem| match problem.line {
        Some(_) => format!("{}:{problem}", path.display()),
        None => format!("{}: {problem}", path.display()),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_is_read_again_once_it_has_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.csv");
        let mut file = InventoryFile::new(path.clone(), Notation::Csv);
        assert!(matches!(file.read_if_new(), Err(FileError::Io { .. })));
        std::fs::write(&path, "token,owner\na,Ada\n").expect("write");
        let (entries, look) = file.read_if_new().expect("read").expect("new");
        assert_eq!(entries.len(), 1);
        file.saw(look);
        assert!(file.read_if_new().expect("read").is_none());
        std::fs::write(&path, "token,owner\na,Bob\n").expect("write");
        let written = std::fs::metadata(&path).and_then(|meta| meta.modified());
        let later = written.expect("a time") + Duration::from_secs(5);
        let handle = std::fs::File::options().append(true).open(&path);
        handle
            .and_then(|file| file.set_modified(later))
            .expect("set");
        assert!(file.read_if_new().expect("read").is_some());
        std::fs::write(&path, "token,owner\na,Bob,x\nb\n").expect("write");
        let error = file.read_if_new().expect_err("wrong").to_string();
        let first = format!("{}:2: has 3 cells", path.display());
        assert!(error.starts_with(&first), "{error}");
        assert_eq!(error.lines().count(), 2, "{error}");
    }
}
