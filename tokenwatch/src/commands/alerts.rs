//! `tokenwatch alerts test`: a real sample to a receiver, or what it would look like.

use std::io::{self, Write as _};

use anyhow::{anyhow, bail};
use tokenwatch_alerting::Sample;

use super::sample;
use crate::cli::AlertsTestArgs;
use crate::secrets::SystemSecrets;
use crate::{clock, config};

/// Sends the sample and tells what came of it; an error if the receiver did not take it.
pub(super) async fn test(args: AlertsTestArgs) -> anyhow::Result<()> {
    let settings = config::load(&args.config.config, &SystemSecrets)?;
    let clock = clock::system();
    let finding = sample::finding(&args.finding, clock.now())?;
    let findings = sample::group(&finding, args.count);
    let name = &args.receiver;
    let sample = Sample::new(&settings.alerting, name, findings, &clock)?
        .ok_or_else(|| anyhow!("no receiver is called {name:?}"))?;
    for key in sample.public_keys() {
        eprintln!("receivers verify with {key}");
    }
    if args.preview {
        let mut out = io::stdout().lock();
        for part in sample.preview() {
            writeln!(out, "{part}")?;
        }
        return Ok(());
    }
    let outcomes = sample.send(&clock).await;
    let mut failed = 0;
    for outcome in &outcomes {
        if outcome.is_accepted {
            eprintln!("{}: {name} took it", outcome.id);
        } else {
            failed += 1;
            eprintln!("{}: {name} did not take it: {}", outcome.id, outcome.reason);
        }
    }
    if failed > 0 {
        bail!("{failed} of {} requests failed", outcomes.len());
    }
    Ok(())
}
