//! Dead letters in a file of bounded size, with one predecessor.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The file; opened when the first letter comes, and again after an error. Everything here blocks.
#[derive(Debug)]
pub(super) struct LetterFile {
    path: PathBuf,
    /// Half of what was configured, since the predecessor has the other half.
    bytes_limit: u64,
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    bytes: u64,
}

impl LetterFile {
    pub(super) fn new(path: PathBuf, bytes_limit: u64) -> Self {
        Self {
            path,
            bytes_limit: bytes_limit / 2,
            open: None,
        }
    }

    /// Appends the lines; a line that is larger than the file may be is an error of its own.
    pub(super) fn append(&mut self, lines: &[Vec<u8>]) -> io::Result<()> {
        let result = self.try_append(lines);
        if result.is_err() {
            self.open = None;
        }
        result
    }

    fn try_append(&mut self, lines: &[Vec<u8>]) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            let length = line.len() as u64 + 1;
            if length > self.bytes_limit {
                return Err(io::Error::other(
                    "the size limit is below that of one letter",
                ));
            }
            let used = self.opened()?.bytes + text.len() as u64;
            if used + length > self.bytes_limit {
                self.write(&text)?;
                text.clear();
                self.rotate()?;
            }
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        self.write(&text)
    }

    fn opened(&mut self) -> io::Result<&mut OpenFile> {
        if self.open.is_none() {
            if let Some(dir) = self.path.parent() {
                fs::create_dir_all(dir)?;
            }
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&self.path)?;
            let bytes = file.metadata()?.len();
            self.open = Some(OpenFile { file, bytes });
        }
        self.open
            .as_mut()
            .ok_or_else(|| io::Error::other("the file was just opened"))
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let open = self.opened()?;
        open.file.write_all(text)?;
        open.bytes += text.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.open = None;
        let mut predecessor = self.path.clone().into_os_string();
        predecessor.push(".1");
        fs::rename(&self.path, predecessor)
    }
}
