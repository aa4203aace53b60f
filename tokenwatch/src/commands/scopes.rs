//! `tokenwatch token scopes`: which of their scopes tokens use, by their stored calls, and which could be taken from them.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokenwatch_detectors::{ScopeAudit, ScopeUse};
use tokenwatch_store::queries::TimeRange;

use super::{explain, stored};
use crate::cli::ScopesArgs;
use crate::config;
use crate::logging;
use crate::secrets::SystemSecrets;
use crate::wiring::Stops;

/// Writes what `args` ask for to standard output.
pub(super) async fn run(args: ScopesArgs) -> anyhow::Result<()> {
    ensure!(args.from < args.to, "--from must be before --to");
    let settings = config::load(&args.config.config, &SystemSecrets)?;
    logging::init(&settings.log)?;
    let stops = Stops::default();
    let store = stored::open(&settings, &stops).await?;
    let result = async {
        let registry = stored::registry(&store, Some(&settings.registry)).await?;
        let detectors = Arc::new(settings.detectors.with_registry(registry));
        let token = match &args.token {
            Some(name) => Some(explain::find(&store, name).await?),
            None => None,
        };
        let range = TimeRange {
            from: args.from,
            to: args.to,
        };
        let mut history = store
            .history(range, token)
            .await
            .context("stored events could not be counted")?;
        let mut audit = ScopeAudit::new(detectors);
        let bar = stored::progress(history.event_count());
        while let Some(events) = history
            .next_batch()
            .await
            .context("stored events could not be read")?
        {
            tokio::task::block_in_place(|| events.iter().for_each(|event| audit.note(event)));
            bar.inc(events.len() as u64);
        }
        bar.finish_and_clear();
        anyhow::Ok(audit)
    }
    .await;
    stops.close().await;
    let audit = result?;
    let left_out = audit.left_out();
    write(&audit.report(), args.json)?;
    if left_out > 0 {
        eprintln!(
            "{left_out} calls are of further tokens, too many for one report: ask for a shorter range"
        );
    }
    Ok(())
}

fn write(report: &[ScopeUse], json: bool) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for entry in report {
        if json {
            serde_json::to_writer(&mut out, entry).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            continue;
        }
        let name = entry.credential_id.as_deref().or(entry.consumer.as_deref());
        writeln!(
            out,
            "{}{}: {} calls, {} of which say what they need",
            entry.token,
            name.map(|name| format!(" ({name})")).unwrap_or_default(),
            entry.calls,
            entry.calls_judged,
        )?;
        for (what, scopes) in [
            ("used", &entry.used),
            ("unused", &entry.unused),
            ("of unknown use", &entry.unknown),
        ] {
            if !scopes.is_empty() {
                writeln!(out, "  {what}: {}", listed(scopes))?;
            }
        }
    }
    out.flush()
}

fn listed(scopes: &BTreeSet<String>) -> String {
    scopes
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
