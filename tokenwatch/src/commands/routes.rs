//! `tokenwatch routes test`: which ways a finding would go, and why.

use std::io::{self, Write};

use tokenwatch_alerting::{RouteVerdict, RoutingAccount};

use super::sample;
use crate::cli::RoutesTestArgs;
use crate::secrets::SystemSecrets;
use crate::{clock, config};

/// Tells it on standard output.
pub(super) fn test(args: &RoutesTestArgs) -> anyhow::Result<()> {
    let settings = config::load(&args.config.config, &SystemSecrets)?;
    let now = args.at.unwrap_or_else(|| clock::system().now());
    let finding = sample::finding(&args.finding, now)?;
    let account = settings.alerting.routing.explain(&finding, now);
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &account)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(
        out,
        "{} {} at {now}",
        finding.severity.name(),
        finding.detector
    )?;
    write(&account, &mut out)?;
    Ok(())
}

fn write(account: &RoutingAccount, out: &mut impl Write) -> io::Result<()> {
    for step in &account.steps {
        let indent = "  ".repeat(step.depth + 1);
        let verdict = match step.verdict {
            RouteVerdict::Takes => "takes it".to_owned(),
            RouteVerdict::LeavesItToChild => "takes it and leaves it to a route below".to_owned(),
            RouteVerdict::Mismatch(key) => format!("does not take it: {key}"),
            RouteVerdict::Shut => "does not take it: outside of its time windows".to_owned(),
            RouteVerdict::NotAsked => "is not asked: a route before it says stop".to_owned(),
        };
        writeln!(out, "{indent}{}: {verdict}", step.route)?;
    }
    if account.ways.is_empty() {
        return writeln!(out, "It goes to nobody.");
    }
    for way in &account.ways {
        writeln!(out, "It goes to {} by {}:", way.receiver, way.route)?;
        for term in &way.terms {
            writeln!(out, "  - {term}")?;
        }
    }
    Ok(())
}
