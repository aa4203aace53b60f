//! The data folder: private to its user, and open in one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::ffi;
use super::options::lock_file;

/// How long the engine of a killed process may take to be gone: the kernel ends it within milliseconds, unless it is
/// writing to a slow disk.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why the folder was not opened.
#[derive(Debug)]
pub(crate) enum FolderError {
    /// Another process has it.
    InUse(String),
    /// The file system refused.
    Io(io::Error),
}

impl From<io::Error> for FolderError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Creates the folder if need be and takes its lock, which is held as long as the file is open.
pub(crate) fn open(folder: &Path) -> Result<File, FolderError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // Also when somebody else made it: it holds whose token did what.
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(lock_file(folder))?;
    if ffi::lock_exclusively(&lock, false).is_err() {
        lock = wait_for_lock(lock)?;
    }
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "process {}", std::process::id())?;
    Ok(lock)
}

fn wait_for_lock(mut lock: File) -> Result<File, FolderError> {
    let mut holder = String::new();
    lock.read_to_string(&mut holder)?;
    let (done, waited) = mpsc::sync_channel(1);
    // The thread stays behind if the lock never comes; the process ends then anyway.
    thread::spawn(move || {
        let result = ffi::lock_exclusively(&lock, true).map(|()| lock);
        // Nobody listens any more once the patience is over.
        drop(done.send(result));
    });
    match waited.recv_timeout(PATIENCE) {
        Ok(result) => Ok(result?),
        Err(_) => Err(FolderError::InUse(holder.trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_private_and_names_its_holder() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        let _lock = open(&folder).unwrap();
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let text = fs::read_to_string(lock_file(&folder)).unwrap();
        assert_eq!(text, format!("process {}\n", std::process::id()));
    }

    #[test]
    fn a_lock_that_is_let_go_is_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let first = open(root.path()).unwrap();
        let path = root.path().to_owned();
        let second = thread::spawn(move || open(&path).map(drop));
        drop(first);
        assert!(second.join().unwrap().is_ok());
    }
}
