//! `tokenwatch explain`: why there was, or was not, a finding about a token at some time.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokenwatch_model::TokenId;
use tokenwatch_store::Store;

use super::stored;
use crate::cli::ExplainArgs;
use crate::config;
use crate::explanation::{self, Account};
use crate::logging;
use crate::secrets::SystemSecrets;
use crate::wiring::Stops;

/// Explains what `args` ask about, on standard output.
pub(super) async fn run(args: ExplainArgs) -> anyhow::Result<()> {
    let settings = config::load(&args.config.config, &SystemSecrets)?;
    logging::init(&settings.log)?;
    let stops = Stops::default();
    let store = stored::open(&settings, &stops).await?;
    let result = async {
        let registry = stored::registry(&store, None).await?;
        let detectors = Arc::new(settings.detectors.with_registry(registry));
        let token = find(&store, &args.token).await?;
        let bar = stored::progress(0);
        let account = explanation::explain(&store, detectors, token, args.at, &mut |read, of| {
            bar.set_length(of);
            bar.set_position(read);
        })
        .await
        .context("the stored events could not be read");
        bar.finish_and_clear();
        account
    }
    .await;
    stops.close().await;
    write(&result?, args.json)?;
    Ok(())
}

/// The token that `name` names: its id, or what the gateway calls the credential.
pub(super) async fn find(store: &Store, name: &str) -> anyhow::Result<TokenId> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let named = store
        .queries()
        .tokens_named(name)
        .await
        .context("tokens could not be looked up")?;
    match named.as_slice() {
        [] => bail!("no stored token is called {name:?}"),
        [id] => Ok(*id),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            bail!("{name:?} names several tokens: {}", ids.join(", "))
        }
    }
}

fn write(account: &Account, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, account).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    } else {
        explanation::write_text(&mut out, account)?;
    }
    out.flush()
}
