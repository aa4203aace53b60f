//! Opens what holds other files: zip, tar, gzip, zstd, also in each other.
//!
//! Entries are read as streams, none is written anywhere. What unpacks to more than [`UNPACKED_BYTES`], or lies deeper than
//! [`DEPTH`], is told as not read.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};

use super::Scan;
use super::files::{hit, read_start};

/// A tar's mark stands at byte 257.
pub(super) const MAGIC_BYTES: usize = 262;
/// Archives in archives.
const DEPTH: u32 = 4;
/// A stream that unpacks to more is a bomb, or a disk: 4 GiB.
const UNPACKED_BYTES: u64 = 4 << 30;
/// A zip inside of another archive is held in memory, for its directory is at its end: 256 MiB.
const HELD_BYTES: u64 = 256 << 20;

/// A sort of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Tar,
    Gzip,
    Zstd,
}

impl Kind {
    /// What begins with `start`.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => (start.get(257..262) == Some(b"ustar")).then_some(Self::Tar),
        }
    }
}

/// Reads what is in the archive `file`, called `name`.
pub(super) fn open(scan: &Scan<'_>, kind: Kind, file: File, name: &str) -> io::Result<()> {
    let opened = Opened { scan, name };
    let file = BufReader::new(file);
    match kind {
        Kind::Zip => opened.zip(file, "", 0),
        kind => opened.stream(kind, Box::new(file), "", 0),
    }
}

struct Opened<'s, 'k> {
    scan: &'s Scan<'k>,
    name: &'s str,
}

impl Opened<'_, '_> {
    fn zip<R: Read + Seek>(&self, file: R, path: &str, depth: u32) -> io::Result<()> {
        let mut zip = zip::ZipArchive::new(file).map_err(io::Error::other)?;
        for index in 0..zip.len() {
            match zip.by_index(index) {
                Ok(entry) if entry.is_dir() => {}
                Ok(entry) => {
                    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
                    self.entry(Box::new(entry), &joined(path, &name), depth)?;
                }
                Err(error) => self.scan.problem(self.name, error),
            }
        }
        Ok(())
    }

    fn stream<'r>(
        &self,
        kind: Kind,
        text: Box<dyn Read + 'r>,
        path: &str,
        depth: u32,
    ) -> io::Result<()> {
        match kind {
            Kind::Gzip => {
                let unpacked = flate2::bufread::MultiGzDecoder::new(BufReader::new(text));
                self.entry(Box::new(unpacked), path, depth)
            }
            Kind::Zstd => {
                let unpacked =
                    ruzstd::decoding::StreamingDecoder::new(text).map_err(io::Error::other)?;
                self.entry(Box::new(unpacked), path, depth)
            }
            Kind::Tar => {
                let mut tar = tar::Archive::new(text);
                for entry in tar.entries()? {
                    let entry = entry?;
                    if entry.header().entry_type().is_file() {
                        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                        self.entry(Box::new(entry), &joined(path, &name), depth)?;
                    }
                }
                Ok(())
            }
            Kind::Zip => {
                let mut held = Vec::new();
                text.take(HELD_BYTES + 1).read_to_end(&mut held)?;
                if held.len() as u64 > HELD_BYTES {
                    self.scan
                        .problem(path, "an archive in an archive, and too large to hold");
                    return Ok(());
                }
                self.zip(Cursor::new(held), path, depth)
            }
        }
    }

    /// Reads a file that was in an archive, which may be one itself.
    fn entry<'r>(&self, text: Box<dyn Read + 'r>, path: &str, depth: u32) -> io::Result<()> {
        let mut limited = text.take(UNPACKED_BYTES);
        let mut start = [0; MAGIC_BYTES];
        let length = read_start(&mut limited, &mut start)?;
        let start = &start[..length];
        if let Some(kind) = Kind::of(start) {
            if depth >= DEPTH {
                self.scan.problem(
                    format!("{}: {path}", self.name),
                    "archives lie too deep in each other",
                );
                return Ok(());
            }
            return self.stream(kind, Box::new(start.chain(limited)), path, depth + 1);
        }
        let mut whole = start.chain(&mut limited);
        let found = self.scan.read(&mut whole)?;
        let entry = (!path.is_empty()).then_some(path);
        hit(self.scan, self.name, entry, found);
        if limited.limit() == 0 {
            self.scan.problem(
                format!("{}: {path}", self.name),
                "unpacks to more than 4 GiB",
            );
        }
        Ok(())
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}!{name}")
    }
}
