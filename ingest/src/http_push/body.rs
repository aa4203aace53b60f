//! From a request's body to lines: bounded, decompressed, split; one line per record.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use futures::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::value::RawValue;

use super::problem::Refusal;

/// Records, each a line with its line break.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Lines {
    fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.count += 1;
    }

    /// Each record, without its line break.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
    }
}

/// What the headers say of the body; refuses what cannot be read before it is sent.
pub(super) fn check_headers(headers: &HeaderMap, limit: usize) -> Result<Encoding, Refusal> {
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        let kind = kind.to_str().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let known = [
            "application/json",
            "application/x-ndjson",
            "application/jsonl",
            "application/x-www-form-urlencoded",
            "text/plain",
        ];
        // curl sends form-urlencoded unless told otherwise; the body is what counts.
        if !known.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            return Err(Refusal::MediaType);
        }
    }
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(Refusal::TooLarge(limit));
    }
    match headers
        .get(CONTENT_ENCODING)
        .map(http::HeaderValue::as_bytes)
    {
        None | Some(b"" | b"identity") => Ok(Encoding::Identity),
        Some(b"gzip" | b"x-gzip") => Ok(Encoding::Gzip),
        Some(_) => Err(Refusal::ContentEncoding),
    }
}

/// Reads the body as it was sent.
pub(super) async fn read(body: Body, limit: usize, timeout: Duration) -> Result<Vec<u8>, Refusal> {
    let mut frames = body.into_data_stream();
    let mut read = Vec::new();
    let reading = async {
        while let Some(frame) = frames.next().await {
            let frame: Bytes = frame.map_err(|_| Refusal::Interrupted)?;
            if read.len() + frame.len() > limit {
                return Err(Refusal::TooLarge(limit));
            }
            read.extend_from_slice(&frame);
        }
        Ok(())
    };
    tokio::time::timeout(timeout, reading)
        .await
        .map_err(|_| Refusal::TooSlow)??;
    Ok(read)
}

/// Decompresses and splits.
pub(super) fn to_lines(body: Vec<u8>, encoding: Encoding, limit: usize) -> Result<Lines, Refusal> {
    let text = match encoding {
        Encoding::Identity => body,
        Encoding::Gzip => inflate(&body, limit)?,
    };
    if text.trim_ascii_start().first() == Some(&b'[') && text.trim_ascii_end().ends_with(b"]") {
        return split_array(&text);
    }
    Ok(split_lines(&text))
}

fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::new();
    MultiGzDecoder::new(body)
        .take(limit as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|_| Refusal::Malformed("the body is not gzip"))?;
    if text.len() > limit {
        return Err(Refusal::TooLarge(limit));
    }
    Ok(text)
}

/// The elements of a JSON array, as they were written. Line breaks between their tokens become spaces; inside JSON
/// strings there are none.
fn split_array(text: &[u8]) -> Result<Lines, Refusal> {
    // A log line in brackets, not JSON, is a line.
    let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(text) else {
        let looks_like_json = text
            .trim_ascii_start()
            .get(1..)
            .map(<[u8]>::trim_ascii_start)
            .is_some_and(|rest| rest.starts_with(b"{") || rest.starts_with(b"["));
        return if looks_like_json {
            Err(Refusal::Malformed("the body is not a JSON array"))
        } else {
            Ok(split_lines(text))
        };
    };
    let mut lines = Lines::default();
    lines.bytes.reserve(text.len());
    for element in elements {
        let start = lines.bytes.len();
        lines.push(element.get().as_bytes());
        let end = lines.bytes.len() - 1;
        for byte in &mut lines.bytes[start..end] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    Ok(lines)
}

fn split_lines(text: &[u8]) -> Lines {
    let mut lines = Lines::default();
    lines.bytes.reserve(text.len() + 1);
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn check(body: &str) -> Vec<String> {
        let lines = to_lines(body.as_bytes().to_vec(), Encoding::Identity, 1_000).unwrap();
        let texts: Vec<_> = lines
            .iter()
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        assert_eq!(texts.len(), lines.count);
        texts
    }

    #[test]
    fn lines_are_taken_as_they_are_without_empty_ones() {
        assert_eq!(
            check("{\"a\":1}\r\n\n{\"b\":2}"),
            ["{\"a\":1}", "{\"b\":2}"]
        );
        assert!(check("\n\n").is_empty());
    }

    #[test]
    fn elements_of_an_array_are_records_as_they_were_written() {
        assert_eq!(
            check(" [ {\"a\": 1.0e5,\n \"b\":\"]\\n\"},[2] ]\n"),
            ["{\"a\": 1.0e5,  \"b\":\"]\\n\"}", "[2]"]
        );
        assert!(check("[]").is_empty());
    }

    #[test]
    fn a_damaged_array_is_refused_but_a_line_in_brackets_is_not() {
        let refused = to_lines(b"[{\"a\":1},]".to_vec(), Encoding::Identity, 1_000);
        assert!(matches!(refused, Err(Refusal::Malformed(_))));
        assert_eq!(check("[22/Nov/2026] GET [/x]"), ["[22/Nov/2026] GET [/x]"]);
    }

    #[test]
    fn a_compression_bomb_is_stopped_at_the_limit() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b'x'; 1_000_000]).unwrap();
        let body = encoder.finish().unwrap();
        assert!(body.len() < 2_000);
        let refused = to_lines(body, Encoding::Gzip, 10_000);
        assert!(matches!(refused, Err(Refusal::TooLarge(10_000))));
    }
}
