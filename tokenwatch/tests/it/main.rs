//! The binary as a user meets it, and the rules that the source tree keeps.

mod cli;
mod tidy;
