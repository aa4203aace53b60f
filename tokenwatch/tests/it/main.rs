//! The binary as a user meets it, and the rules that the source tree keeps.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backtest;
mod cli;
mod explain;
mod registry;
mod stored;
mod tidy;
