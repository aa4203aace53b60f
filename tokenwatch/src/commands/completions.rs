//! `tokenwatch completions`: a shell's completions on standard output.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;

/// Writes the completions of `shell`.
pub(super) fn run(shell: Shell) {
    clap_complete::generate(shell, &mut Cli::command(), "tokenwatch", &mut io::stdout());
}
