//! What `decode`, `replay` and `token id` share: settings, the deployment key, and log files as batches of records.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokenwatch_ingest::{
    AtEnd, Decoder, FormatChoice, Geo, IngestMetrics, LineReader, RecordBatch, TokenKey, unfolded,
};
use tokenwatch_model::StreamId;

use crate::config::{self, Settings};
use crate::secrets::SystemSecrets;

/// Records read before they are decoded together.
const BATCH_RECORDS: usize = 16_384;
/// Bytes read before they are decoded together.
const BATCH_BYTES: usize = 16 << 20;
/// Read-ahead of a file.
const READ_BUFFER_BYTES: usize = 1 << 20;

/// The settings in `config`, else the defaults.
pub(super) fn settings(config: Option<&Path>) -> anyhow::Result<Settings> {
    match config {
        Some(path) => config::load(path, &SystemSecrets),
        None => Ok(config::defaults()),
    }
}

/// The deployment key; created if there is none.
pub(super) fn token_key(settings: &Settings) -> anyhow::Result<TokenKey> {
    let path = &settings.ingest.key_file;
    TokenKey::load_or_create(path).with_context(|| format!("the deployment key {}", path.display()))
}

/// A decoder for `format`.
pub(super) fn decoder(settings: &Settings, format: FormatChoice) -> anyhow::Result<Decoder> {
    let key = token_key(settings)?;
    let mut decoder = settings.ingest.decoder.clone();
    decoder.format = format;
    let metrics = IngestMetrics::default();
    let geo = Geo::open(&settings.ingest.geo, &metrics);
    Ok(Decoder::new(decoder, key, geo, metrics))
}

/// A bar over the bytes of `files` on standard error, if that is a terminal.
pub(super) fn progress(files: &[PathBuf]) -> ProgressBar {
    let total: u64 = files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|meta| meta.len())
        .sum();
    let bar = if files.is_empty() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::new(total)
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
    let style = if files.is_empty() {
        "{spinner} {bytes} read, {bytes_per_sec}"
    } else {
        "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
    };
    bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
    bar
}

/// A log file, read as batches.
pub(super) struct Input {
    stream: Arc<StreamId>,
    lines: LineReader<Box<dyn BufRead>>,
}

impl Input {
    /// Opens `files`; standard input if there are none.
    pub(super) fn open_all(
        files: &[PathBuf],
        record_bytes_limit: usize,
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<Self>> {
        if files.is_empty() {
            let input: Box<dyn BufRead> = Box::new(BufReader::with_capacity(
                READ_BUFFER_BYTES,
                bar.wrap_read(io::stdin()),
            ));
            let input = unfolded(input).context("standard input")?;
            return Ok(vec![Self::new("stdin", input, record_bytes_limit)]);
        }
        files
            .iter()
            .map(|path| {
                let name = path.display().to_string();
                let file = File::open(path).with_context(|| name.clone())?;
                let input = unzipped(bar.wrap_read(file)).and_then(unfolded);
                let input = input.with_context(|| name.clone())?;
                Ok(Self::new(
                    &format!("file:{name}"),
                    input,
                    record_bytes_limit,
                ))
            })
            .collect()
    }

    fn new(topic: &str, input: Box<dyn BufRead>, record_bytes_limit: usize) -> Self {
        let stream = Arc::new(StreamId {
            topic: topic.to_owned(),
            partition: 0,
        });
        Self {
            stream,
            lines: LineReader::new(input, 0, record_bytes_limit),
        }
    }

    /// Up to a batch of lines; empty at the end.
    pub(super) fn next_batch(&mut self) -> io::Result<RecordBatch> {
        let mut batch = RecordBatch {
            streams: vec![Arc::clone(&self.stream)],
            ..RecordBatch::default()
        };
        while batch.records.len() < BATCH_RECORDS && batch.arena.len() < BATCH_BYTES {
            let Some(line) = self.lines.next_line(AtEnd::Finish)? else {
                break;
            };
            if !line.bytes.trim_ascii().is_empty() {
                batch.push(
                    0,
                    line.offset as i64,
                    line.next_offset as i64,
                    None,
                    line.bytes,
                );
            }
        }
        Ok(batch)
    }
}

/// The content of `file`, whether gzip'd or not.
fn unzipped(file: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    let mut plain = BufReader::with_capacity(READ_BUFFER_BYTES, file);
    let zipped = plain.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if zipped {
        Box::new(BufReader::with_capacity(
            READ_BUFFER_BYTES,
            MultiGzDecoder::new(plain),
        ))
    } else {
        Box::new(plain)
    })
}
