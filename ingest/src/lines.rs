//! Lines of a file with their places: of a finite file, of a compressed one, and of one that is still being written.
//!
//! A line is as long as the limit allows, or is cut off one byte above it, so that whoever reads it can tell; the rest
//! of such a line is skipped without being kept. Places count bytes as they were before compression.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// One read of the file; larger than most batches of lines that were appended between two polls.
const BUFFER_BYTES: usize = 64 * 1024;

/// A line and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The byte at which it starts.
    pub offset: u64,
    /// The byte behind its line break.
    pub next_offset: u64,
    /// Its bytes, without the line break; one above the limit if it was longer than that.
    pub bytes: &'a [u8],
}

/// What the end of the file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// The file is complete: a last line without a line break is a line.
    Finish,
    /// The file grows: a last line without a line break waits for it.
    Wait,
}

/// Reads lines from `R`.
#[derive(Debug)]
pub struct LineReader<R> {
    reader: R,
    limit: usize,
    /// Where the line that is being read starts.
    offset: u64,
    /// How much of it was read, kept or not.
    length: u64,
    /// What is kept of it, if it did not lie in the reader's buffer as a whole.
    kept: Vec<u8>,
    /// What the line returned last still occupies in the reader's buffer.
    consume: usize,
}

/// A file to read, decompressed where its name ends in `.gz`.
#[derive(Debug)]
pub enum FileReader {
    /// As it is.
    Plain(BufReader<File>),
    /// Through gzip; several members are one text.
    Gzip(Box<BufReader<MultiGzDecoder<BufReader<File>>>>),
}

impl<R: BufRead> LineReader<R> {
    /// Reads from `reader`, whose next byte is at `offset`; lines above `limit` bytes are cut off.
    pub fn new(reader: R, offset: u64, limit: usize) -> Self {
        Self {
            reader,
            limit,
            offset,
            length: 0,
            kept: Vec::new(),
            consume: 0,
        }
    }

    /// The byte at which the next line starts.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What is read from.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// Whether a line was started that waits for its line break.
    pub fn has_partial_line(&self) -> bool {
        self.length > 0
    }

    /// The next line; `None` at the end, after which more may be read once the file has grown.
    pub fn next_line(&mut self, at_end: AtEnd) -> io::Result<Option<Line<'_>>> {
        self.reader.consume(std::mem::take(&mut self.consume));
        if self.length == 0 {
            self.kept.clear();
        }
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                return Ok(match at_end {
                    AtEnd::Finish if self.length > 0 => Some(self.finish_kept(0)),
                    AtEnd::Finish | AtEnd::Wait => None,
                });
            }
            if let Some(end) = memchr::memchr(b'\n', buffer) {
                if self.length == 0 {
                    return self.borrow_line(end).map(Some);
                }
                keep(&mut self.kept, &buffer[..end], self.limit);
                self.reader.consume(end + 1);
                return Ok(Some(self.finish_kept(end as u64 + 1)));
            }
            let length = buffer.len();
            keep(&mut self.kept, buffer, self.limit);
            self.reader.consume(length);
            self.length += length as u64;
        }
    }

    /// A line that lies in the buffer as a whole is not copied.
    fn borrow_line(&mut self, end: usize) -> io::Result<Line<'_>> {
        let offset = self.offset;
        self.offset += end as u64 + 1;
        self.consume = end + 1;
        let (next_offset, limit) = (self.offset, self.limit);
        // The buffer is not empty, so this neither reads nor fails.
        let bytes = cut(&self.reader.fill_buf()?[..end], limit);
        Ok(Line {
            offset,
            next_offset,
            bytes,
        })
    }

    fn finish_kept(&mut self, more: u64) -> Line<'_> {
        let offset = self.offset;
        self.offset += self.length + more;
        self.length = 0;
        Line {
            offset,
            next_offset: self.offset,
            bytes: cut(&self.kept, self.limit),
        }
    }
}

impl FileReader {
    /// Opens `path` and goes to byte `offset` of its text.
    pub fn open(path: &Path, offset: u64) -> io::Result<Self> {
        Self::from_file(File::open(path)?, is_gzip(path), offset)
    }

    /// Reads an open file from byte `offset` of its text.
    pub(crate) fn from_file(mut file: File, gzip: bool, offset: u64) -> io::Result<Self> {
        if !gzip {
            file.seek(SeekFrom::Start(offset))?;
            return Ok(Self::Plain(BufReader::with_capacity(BUFFER_BYTES, file)));
        }
        file.rewind()?;
        let compressed = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut text = BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(compressed));
        io::copy(&mut text.by_ref().take(offset), &mut io::sink())?;
        Ok(Self::Gzip(Box::new(text)))
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &File {
        match self {
            Self::Plain(reader) => reader.get_ref(),
            Self::Gzip(reader) => reader.get_ref().get_ref().get_ref(),
        }
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
        }
    }
}

impl BufRead for FileReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(reader) => reader.fill_buf(),
            Self::Gzip(reader) => reader.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        match self {
            Self::Plain(reader) => reader.consume(amount),
            Self::Gzip(reader) => reader.consume(amount),
        }
    }
}

/// Whether a file's name says that it is compressed.
pub fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// Keeps bytes up to two above the limit: one that shows that the line is too long, one for a carriage return.
fn keep(kept: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    let room = (limit + 2).saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// The line without its carriage return, cut off one byte above the limit.
fn cut(line: &[u8], limit: usize) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    &line[..line.len().min(limit + 1)]
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use proptest::prelude::*;

    use super::*;

    fn read_all(reader: impl BufRead, limit: usize) -> Vec<(u64, u64, Vec<u8>)> {
        let mut lines = LineReader::new(reader, 0, limit);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line(AtEnd::Finish).unwrap() {
            all.push((line.offset, line.next_offset, line.bytes.to_vec()));
        }
        all
    }

    #[test]
    fn lines_carry_their_places_and_lose_their_line_breaks() {
        let text = b"one\r\n\ntwo\nlast".as_slice();
        assert_eq!(
            read_all(text, 100),
            [
                (0, 5, b"one".to_vec()),
                (5, 6, b"".to_vec()),
                (6, 10, b"two".to_vec()),
                (10, 14, b"last".to_vec()),
            ]
        );
    }

    #[test]
    fn long_lines_are_cut_one_byte_above_the_limit_and_the_next_is_whole() {
        let text = format!("{}\nnext\n", "x".repeat(1_000));
        for buffer in [1, 7, 64, 4_096] {
            let reader = BufReader::with_capacity(buffer, text.as_bytes());
            assert_eq!(
                read_all(reader, 10),
                [(0, 1_001, vec![b'x'; 11]), (1_001, 1_006, b"next".to_vec())]
            );
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole_with_and_without_carriage_return() {
        for buffer in [1, 64] {
            let reader = BufReader::with_capacity(buffer, b"12345\r\n12345\n".as_slice());
            let lines = read_all(reader, 5);
            assert_eq!(
                (&*lines[0].2, &*lines[1].2),
                (b"12345".as_slice(), b"12345".as_slice())
            );
        }
    }

    #[test]
    fn a_growing_file_keeps_its_partial_line_until_the_line_break_comes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"whole\npart").unwrap();
        let reader = FileReader::open(file.path(), 0).unwrap();
        let mut lines = LineReader::new(reader, 0, 100);
        assert_eq!(
            lines.next_line(AtEnd::Wait).unwrap().unwrap().bytes,
            b"whole"
        );
        assert!(lines.next_line(AtEnd::Wait).unwrap().is_none());
        assert_eq!(lines.offset(), 6);
        file.write_all(b"ial\n").unwrap();
        let line = lines.next_line(AtEnd::Wait).unwrap().unwrap();
        assert_eq!(
            (line.offset, line.next_offset, line.bytes),
            (6, 14, b"partial".as_slice())
        );
        assert!(lines.next_line(AtEnd::Wait).unwrap().is_none());
    }

    #[test]
    fn compressed_files_are_read_from_an_offset_of_their_text() {
        let file = tempfile::Builder::new().suffix(".gz").tempfile().unwrap();
        for part in [b"one\ntw".as_slice(), b"o\nthree\n"] {
            let target = std::fs::OpenOptions::new()
                .append(true)
                .open(file.path())
                .unwrap();
            let mut encoder = flate2::write::GzEncoder::new(target, flate2::Compression::fast());
            encoder.write_all(part).unwrap();
            encoder.finish().unwrap();
        }
        let reader = FileReader::open(file.path(), 4).unwrap();
        let mut lines = LineReader::new(reader, 4, 100);
        let line = lines.next_line(AtEnd::Finish).unwrap().unwrap();
        assert_eq!((line.offset, line.bytes), (4, b"two".as_slice()));
    }

    proptest! {
        #[test]
        fn places_tile_the_file_whatever_the_buffer(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a')], 0..200),
            buffer in 1_usize..40,
            limit in 1_usize..20,
        ) {
            let lines = read_all(BufReader::with_capacity(buffer, Cursor::new(&text)), limit);
            let mut at = 0;
            for (offset, next_offset, bytes) in &lines {
                prop_assert_eq!(*offset, at);
                at = *next_offset;
                let raw = &text[*offset as usize..*next_offset as usize];
                let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
                prop_assert_eq!(bytes.as_slice(), cut(raw, limit));
            }
            prop_assert_eq!(at, text.len() as u64);
        }
    }
}
