//! Structured logs on standard error: text for people, JSON for machines.
//!
//! Never logged: tokens, secrets, bodies, e-mail addresses. Nothing is logged per event.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// `[log]`: what is logged and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogConfig {
    /// `text` or `json`.
    pub(crate) format: LogFormat,
    /// What is logged, as `tracing`'s directives: `info`, `info,tokenwatch_store=debug`.
    pub(crate) level: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".to_owned(),
        }
    }
}

/// Starts logging; `TOKENWATCH_LOG` in the environment overrides the configured level.
pub(crate) fn init(config: &LogConfig) -> anyhow::Result<()> {
    let directives = std::env::var("TOKENWATCH_LOG").unwrap_or_else(|_| config.level.clone());
    let filter = EnvFilter::try_new(&directives)
        .with_context(|| format!("log.level: {directives:?} is not a list of directives"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    match config.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}
