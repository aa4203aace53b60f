//! `tokenwatch user add`: users of the console.

use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use tokenwatch_dashboards::{AccountError, Role};
use tokenwatch_store::Store;

use crate::secrets::SystemSecrets;
use crate::{clock, config, logging, wiring};

/// Adds `name`, or sets a new password; the password is the first line of standard input.
pub(super) async fn add(config: PathBuf, name: String) -> anyhow::Result<()> {
    let settings = config::load(&config, &SystemSecrets)?;
    logging::init(&settings.log)?;
    eprintln!("Password for {name}, then Enter:");
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .context("standard input could not be read")?;
    let password = SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned());
    let (store, stops) = wiring::open_store(&settings).await?;
    let result = set(&store, &name, &password).await;
    stops.close().await;
    if let Err(error) = result {
        bail!("{name}: {error}");
    }
    eprintln!("{name} can log in now.");
    Ok(())
}

/// Creates the user, or sets the password of one that there is.
async fn set(store: &Store, name: &str, password: &SecretString) -> Result<(), AccountError> {
    let clock = clock::system();
    match tokenwatch_dashboards::create_user(store, &clock, name, Role::Admin, password).await {
        Err(AccountError::Exists) => {
            tokenwatch_dashboards::set_password(store, &clock, name, password).await
        }
        result => result,
    }
}
