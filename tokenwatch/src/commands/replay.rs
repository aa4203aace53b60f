//! `tokenwatch replay`: the whole detection path over log files, in the time of the logs.
//!
//! The same decoder and engine as in the service; no store, no network. Several files are read side by side in the
//! order of their events' times, as their gateways would have sent them.

mod merge;
mod report;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;
use tokenwatch_detectors::{Detections, Engine};

use super::input::{self, Input};
use crate::cli::ReplayArgs;
use crate::pipeline::{Admission, Deliveries, ReadNext};
use crate::registry;
use merge::Merge;
use report::Report;

/// Replays the files that `args` name; findings go to standard output in their final state.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let settings = input::settings(args.input.config.as_deref())?;
    let decoder = input::decoder(&settings, args.input.format)?;
    let mut signals = args.signals.as_deref().map(create).transpose()?;
    let mut incidents = args.incidents.as_deref().map(create).transpose()?;
    let bar = input::progress(&args.input.files);
    let limit = settings.ingest.decoder.record_bytes_limit;
    let mut files = Merge::new(Input::open_all(&args.input.files, limit, &bar)?);
    let mut engine = Engine::new(Arc::new(settings.detectors.clone()));
    let registry = registry::fixed(&settings.registry, input::token_key(&settings)?)?;
    engine.set_registry(Arc::clone(&registry));
    let horizon = settings.pipeline.redelivery_horizon;
    let mut admission = Admission::new(Deliveries::new(horizon));
    let mut report = Report::new(Instant::now());
    let mut more = true;
    while more {
        let mut detections = Detections::default();
        more = files.next_round(
            &decoder,
            &mut admission,
            &registry,
            &mut |next| match next {
                ReadNext::Events(events) => engine.process(events, &mut detections),
                ReadNext::Rejected(stream) => engine.rejected(stream, &mut detections),
            },
        )?;
        if !more {
            engine.finish(&mut detections);
        }
        if let Some(out) = &mut signals {
            write_lines(out, &detections.signals)?;
        }
        report.add(detections);
    }
    bar.finish_and_clear();
    let mut stdout = BufWriter::new(io::stdout().lock());
    write_lines(&mut stdout, report.findings())?;
    stdout.flush()?;
    if let Some(out) = &mut incidents {
        write_lines(out, report.incidents())?;
        out.flush()?;
    }
    if let Some(out) = &mut signals {
        out.flush()?;
    }
    report.write_summary(&mut io::stderr().lock(), &files.counts(), &engine.stats())?;
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    Ok(BufWriter::new(
        File::create(path).with_context(|| path.display().to_string())?,
    ))
}

fn write_lines<'i, T: Serialize + 'i>(
    out: &mut dyn Write,
    items: impl IntoIterator<Item = &'i T>,
) -> io::Result<()> {
    for item in items {
        serde_json::to_writer(&mut *out, item).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
