//! `tokenwatch user add`: users of the console.

use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use secrecy::SecretString;

use crate::secrets::SystemSecrets;
use crate::{clock, config, logging, wiring};

/// Adds `name`, or sets a new password; the password is the first line of standard input.
pub(super) async fn add(config: PathBuf, name: String) -> anyhow::Result<()> {
    let settings = config::load(&config, &SystemSecrets)?;
    logging::init(&settings.log)?;
    eprintln!("Password for {name}, then Enter:");
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("standard input could not be read")?;
    let password = SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned());
    let store = wiring::open_store(&settings).await?;
    let added = tokenwatch_dashboards::set_user(&store, &name, &password, clock::system().now());
    let result = added.await;
    store.close().await;
    if let Err(error) = result {
        bail!("{name}: {error}");
    }
    eprintln!("{name} can log in now.");
    Ok(())
}
