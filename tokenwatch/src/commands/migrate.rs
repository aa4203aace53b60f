//! `tokenwatch migrate`: the store's schema, brought up to date.

use std::path::PathBuf;

use crate::secrets::SystemSecrets;
use crate::{config, logging, wiring};

/// Opens the store that `config` names, applies what is missing, and ends.
pub(super) async fn run(config: PathBuf) -> anyhow::Result<()> {
    let settings = config::load(&config, &SystemSecrets)?;
    logging::init(&settings.log)?;
    let (_store, stops) = wiring::open_store(&settings).await?;
    stops.close().await;
    tracing::info!("the schema is up to date");
    Ok(())
}
