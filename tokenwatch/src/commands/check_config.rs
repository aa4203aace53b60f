//! `tokenwatch check-config`: every problem with its key path and line, also of the inventory that the file names.

use std::path::Path;
use std::process::ExitCode;

use super::EXIT_CONFIG;
use crate::config::{self, ConfigError};
use crate::registry;
use crate::secrets::SystemSecrets;

/// Checks `file`; exit 64 if anything is wrong with it.
pub(super) fn run(file: &Path) -> ExitCode {
    match config::load(file, &SystemSecrets) {
        Ok(settings) => match registry::check_file(&settings.registry) {
            Ok(_) => {
                eprintln!("{}: no problems", file.display());
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(EXIT_CONFIG)
            }
        },
        Err(error) => {
            eprintln!("{error:#}");
            if let Some(problems) = error.downcast_ref::<ConfigError>() {
                let count = problems.count();
                eprintln!("{count} problem{}", if count == 1 { "" } else { "s" });
            }
            ExitCode::from(EXIT_CONFIG)
        }
    }
}
