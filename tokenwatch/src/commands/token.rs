//! `tokenwatch token id`: the id of a secret, for those who hold it.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use secrecy::zeroize::Zeroizing;

use super::input;

/// More than any credential has.
const SECRET_BYTES_LIMIT: u64 = 64 * 1024;

/// Reads a secret on standard input and prints its token id; a final line break is not part of the secret.
pub(super) fn print_id(config: Option<&Path>) -> anyhow::Result<()> {
    let settings = input::settings(config)?;
    let key = input::token_key(&settings)?;
    let mut secret = Zeroizing::new(Vec::new());
    io::stdin()
        .take(SECRET_BYTES_LIMIT + 1)
        .read_to_end(&mut secret)
        .context("standard input could not be read")?;
    if secret.len() as u64 > SECRET_BYTES_LIMIT {
        bail!("standard input holds more than {SECRET_BYTES_LIMIT} bytes: not a secret");
    }
    let secret = secret.trim_ascii_end();
    if secret.is_empty() {
        bail!(
            "standard input is empty; write the secret to it, for example from a password manager"
        );
    }
    writeln!(io::stdout(), "{}", key.token_id(secret))?;
    Ok(())
}
