//! Which file a file is: device and inode, and a fingerprint of its first line.
//!
//! A file keeps its identity when it is renamed. The fingerprint tells a new file from an old one whose inode it was
//! given, and new content from old in a file that was cut short. A file without a whole first line has no identity yet.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use tokenwatch_model::StreamId;

/// Bytes of the first line that count; enough to hold a time and a request of every access log.
const FINGERPRINT_BYTES: usize = 1_024;

/// Where a file lies on disk; reused by the system once the file is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileKey {
    device: u64,
    inode: u64,
}

/// A digest of the first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 8]);

impl FileKey {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    pub(super) fn stream(self, fingerprint: Fingerprint) -> StreamId {
        let fingerprint = u64::from_be_bytes(fingerprint.0);
        StreamId {
            topic: format!("file:{:x}-{:x}-{fingerprint:016x}", self.device, self.inode),
            partition: 0,
        }
    }
}

impl Fingerprint {
    /// The fingerprint of an open file, whose read position stays where it is; `None` without a whole first line.
    pub(super) fn of(file: &File, gzip: bool) -> io::Result<Option<Self>> {
        let mut head = Vec::with_capacity(FINGERPRINT_BYTES);
        let from_start = FromStart { file, offset: 0 };
        if gzip {
            MultiGzDecoder::new(from_start)
                .take(FINGERPRINT_BYTES as u64)
                .read_to_end(&mut head)?;
        } else {
            let mut from_start = from_start;
            from_start
                .by_ref()
                .take(FINGERPRINT_BYTES as u64)
                .read_to_end(&mut head)?;
        }
        let line = match memchr::memchr(b'\n', &head) {
            Some(end) => &head[..end],
            // A compressed file is complete, so its only line may lack the line break.
            None if head.len() == FINGERPRINT_BYTES || (gzip && !head.is_empty()) => &head,
            None => return Ok(None),
        };
        let digest = Sha256::digest(line);
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Ok(Some(Self(first)))
    }
}

struct FromStart<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.offset)?;
        self.offset += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_has_a_fingerprint_once_its_first_line_is_whole_and_keeps_it() {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(Fingerprint::of(&file, false).unwrap(), None);
        file.write_all(b"first").unwrap();
        assert_eq!(Fingerprint::of(&file, false).unwrap(), None);
        file.write_all(b" line\n").unwrap();
        let fingerprint = Fingerprint::of(&file, false).unwrap().unwrap();
        file.write_all(b"second line\n").unwrap();
        assert_eq!(Fingerprint::of(&file, false).unwrap(), Some(fingerprint));
    }
}
