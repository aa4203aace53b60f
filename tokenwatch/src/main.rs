//! Tokenwatch tells when an API token is used by someone who should not have it, and gets it revoked.
//!
//! This binary is the only crate that knows the others: it reads the command line, the configuration and the
//! environment, and wires the parts as ARCHITECTURE.md draws them.

mod cli;
mod clock;
mod commands;
mod config;
mod demo;
mod deny_list;
mod explanation;
mod jwks;
mod leaks;
mod log_line;
mod logging;
mod openapi;
mod pipeline;
mod registry;
mod secrets;
mod simulate;
mod sources;
mod ssf;
mod status;
mod watched_file;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tokenwatch: {error:#}");
            ExitCode::FAILURE
        }
    }
}
