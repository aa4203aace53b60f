//! `tokenwatch decode`: log lines to access events, NDJSON on standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::Context as _;
use tokenwatch_model::StreamId;

use super::input::{self, Input};
use crate::cli::DecodeArgs;
use crate::pipeline;

/// Decodes the files that `args` name; a line that cannot be read is told, and is no error.
pub(super) fn run(args: &DecodeArgs) -> anyhow::Result<()> {
    let settings = input::settings(args.input.config.as_deref())?;
    let decoder = input::decoder(&settings, args.input.format)?;
    let mut rejects: Box<dyn Write> = match &args.rejects {
        Some(path) => Box::new(BufWriter::new(
            File::create(path).with_context(|| path.display().to_string())?,
        )),
        None => Box::new(io::stderr().lock()),
    };
    let mut stdout = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let bar = input::progress(&args.input.files);
    let limit = settings.ingest.decoder.record_bytes_limit;
    for mut file in Input::open_all(&args.input.files, limit, &bar)? {
        loop {
            let batch = file.next_batch()?;
            if batch.records.is_empty() {
                break;
            }
            let read = pipeline::decode(&decoder, &batch);
            for event in &read.events {
                serde_json::to_writer(&mut stdout, event).map_err(io::Error::from)?;
                stdout.write_all(b"\n")?;
            }
            for reject in &read.rejects {
                write_reject(&mut rejects, reject)?;
            }
        }
    }
    bar.finish_and_clear();
    stdout.flush()?;
    rejects.flush()?;
    Ok(())
}

fn write_reject(out: &mut dyn Write, reject: &tokenwatch_ingest::Reject) -> io::Result<()> {
    let StreamId { topic, partition } = &reject.stream;
    let line = serde_json::json!({
        "reason": reject.reason.name(),
        "topic": topic,
        "partition": partition,
        "offset": reject.offset,
        "excerpt": reject.excerpt,
    });
    writeln!(out, "{line}")
}
