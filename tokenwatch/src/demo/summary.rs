//! The demo's last line on standard output: what happened, as one JSON object.

use std::io::{self, Write as _};

use serde::Serialize;
use tokenwatch_store::Store;
use tokenwatch_store::queries::DeploymentTotals;

/// The totals, and where they could be looked at.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    totals: DeploymentTotals,
    console: &'a str,
}

/// Prints the summary of what is in `store`.
pub(super) async fn print(store: &Store, console: &str) -> anyhow::Result<()> {
    let totals = store.queries().deployment_totals().await?;
    let line = serde_json::to_string(&Summary { totals, console })?;
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}
