//! `tokenwatch backtest`: what a new configuration of the detectors would have found in the events that are stored.
//!
//! The events go through the engine in the order of their times, from a warm-up before the range to a day behind it, so
//! that episodes which the range's end would cut come to theirs. What the service stored for the same range is the
//! measure. Nothing is written to the store, and no alert is sent.

mod compare;

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokenwatch_detectors::{Detections, Engine, EngineStats};
use tokenwatch_model::{Finding, FindingId, Timestamp};
use tokenwatch_store::Store;
use tokenwatch_store::queries::{FindingFilter, FindingOrder, TimeRange};

use super::stored;
use crate::cli::BacktestArgs;
use crate::config::{self, Settings};
use crate::explanation;
use crate::logging;
use crate::secrets::SystemSecrets;
use crate::wiring::Stops;
use compare::{Comparison, compare};

/// How far behind the range events are read: as long as an episode of a count lasts at most.
const FOLLOW_UP: Duration = Duration::from_hours(24);
/// Findings that are compared at most: about 3 KB each in memory, on both sides.
const FINDINGS_LIMIT: usize = 200_000;
/// Stored findings read at once.
const FINDINGS_PER_PAGE: u32 = 1_000;

/// What went through the new configuration.
struct Outcome {
    engine: EngineStats,
    events: u64,
    span: Option<(Timestamp, Timestamp)>,
    took: Duration,
}

/// Runs the backtest that `args` describe; differences go to standard output.
pub(super) async fn run(args: BacktestArgs) -> anyhow::Result<()> {
    ensure!(args.from < args.to, "--from must be before --to");
    let settings = config::load(&args.config.config, &SystemSecrets)?;
    logging::init(&settings.log)?;
    let stops = Stops::default();
    let store = stored::open(&settings, &stops).await?;
    let result = backtest(&store, settings, &args).await;
    stops.close().await;
    let (comparison, outcome) = result?;
    write_differences(&comparison)?;
    write_summary(&mut io::stderr().lock(), &comparison, &outcome)?;
    Ok(())
}

async fn backtest(
    store: &Store,
    settings: Settings,
    args: &BacktestArgs,
) -> anyhow::Result<(Comparison, Outcome)> {
    let range = TimeRange {
        from: args.from,
        to: args.to,
    };
    let known = stored_findings(store, range).await?;
    let (found, outcome) = find(store, settings, range, args.warm_up).await?;
    Ok((compare(known, found), outcome))
}

/// The findings that the service stored, detected in `range`.
async fn stored_findings(store: &Store, range: TimeRange) -> anyhow::Result<Vec<Finding>> {
    let filter = FindingFilter {
        range: Some(range),
        ..FindingFilter::default()
    };
    let queries = store.queries();
    let mut findings = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let order = FindingOrder::Oldest;
        let page = queries.findings(&filter, order, FINDINGS_PER_PAGE, cursor.as_deref());
        let page = page.await.context("stored findings could not be read")?;
        findings.extend(page.items);
        ensure!(
            findings.len() <= FINDINGS_LIMIT,
            "more than {FINDINGS_LIMIT} findings are stored in this range: take a shorter one"
        );
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(findings),
        }
    }
}

/// What the detectors of `settings` find in `range`.
async fn find(
    store: &Store,
    settings: Settings,
    range: TimeRange,
    warm_up: Duration,
) -> anyhow::Result<(Vec<Finding>, Outcome)> {
    let started = Instant::now();
    let read = TimeRange {
        from: range.from - warm_up,
        to: range.to + FOLLOW_UP,
    };
    let mut history = store
        .history(read, None)
        .await
        .context("stored events could not be counted")?;
    let span = history.span();
    let registry = stored::registry(store, Some(&settings.registry)).await?;
    let mut engine = Engine::new(Arc::new(settings.detectors.with_registry(registry)));
    let mut newest: HashMap<FindingId, Finding> = HashMap::new();
    let mut keep = |detections: Detections| {
        for finding in detections.findings {
            if (range.from..range.to).contains(&finding.detected_at) {
                newest.insert(finding.id, finding);
            }
        }
    };
    let mut events = 0;
    stored::run_through(&mut history, &mut engine, &mut |batch, detections| {
        events += batch.len() as u64;
        keep(detections);
    })
    .await?;
    let mut last = Detections::default();
    engine.finish(&mut last);
    keep(last);
    ensure!(
        newest.len() <= FINDINGS_LIMIT,
        "the new configuration gives more than {FINDINGS_LIMIT} findings in this range: take a shorter one"
    );
    let outcome = Outcome {
        engine: engine.stats(),
        events,
        span,
        took: started.elapsed(),
    };
    Ok((newest.into_values().collect(), outcome))
}

fn write_differences(comparison: &Comparison) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for difference in &comparison.differences {
        serde_json::to_writer(&mut out, difference).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// A few lines for people.
fn write_summary(
    out: &mut dyn Write,
    comparison: &Comparison,
    outcome: &Outcome,
) -> io::Result<()> {
    let secs = outcome.took.as_secs_f64();
    match outcome.span {
        Some((first, last)) => writeln!(
            out,
            "{} events of {} tokens from {} to {} in {secs:.1} s",
            outcome.events,
            outcome.engine.tokens,
            explanation::time(first),
            explanation::time(last),
        )?,
        None => writeln!(out, "no events are stored in this range")?,
    }
    writeln!(
        out,
        "{} findings kept ({} of them under another id), {} with another severity, {} added, {} removed",
        comparison.kept,
        comparison.moved,
        comparison.severity_changed(),
        comparison.added(),
        comparison.removed(),
    )?;
    for (detector, change, count) in comparison.by_detector() {
        writeln!(out, "  {detector}: {count} {change}")?;
    }
    Ok(())
}
