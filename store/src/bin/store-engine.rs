//! Runs the embedded engine alone, for this crate's tests: what `tokenwatch embedded-clickhouse` does.

use std::process::ExitCode;

use tokenwatch_store::{EmbeddedServerOptions, run_embedded_server};

fn main() -> ExitCode {
    let options = EmbeddedServerOptions::parse(std::env::args_os().skip(1));
    match options.and_then(|options| run_embedded_server(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
