//! `tokenwatch.toml`: read, checked as a whole, and every problem told with its key path and line.
//!
//! Each crate owns the shape and the validation of its part; this module joins them and finds the lines.

mod geo;
pub(crate) mod locate;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_alerting::{AlertingConfig, AlertingSettings};
use tokenwatch_dashboards::{DashboardsConfig, DashboardsSettings};
use tokenwatch_detectors::{DetectorSettings, DetectorsConfig};
use tokenwatch_ingest::{IngestConfig, IngestSettings};
use tokenwatch_model::{Problem, Problems, SecretSource};
use tokenwatch_store::{StoreConfig, StoreSettings};

use crate::jwks;
use crate::leaks::{LeaksConfig, LeaksSettings};
use crate::logging::LogConfig;
use crate::openapi;
use crate::registry::{RegistryConfig, RegistrySettings};

/// The whole file, as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Logging.
    pub(crate) log: LogConfig,
    /// Where calls come from and how they are read.
    pub(crate) ingest: IngestConfig,
    /// What is looked for.
    pub(crate) detectors: DetectorsConfig,
    /// Where everything is kept.
    pub(crate) store: StoreConfig,
    /// Who is told, and what is done.
    pub(crate) alerting: AlertingConfig,
    /// The console and its API.
    pub(crate) dashboards: DashboardsConfig,
    /// How the parts are joined.
    pub(crate) pipeline: PipelineConfig,
    /// What is known of tokens from elsewhere.
    pub(crate) registry: RegistryConfig,
    /// Who may report tokens that were found exposed.
    pub(crate) leaks: LeaksConfig,
}

/// `[pipeline]`: how the parts are joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PipelineConfig {
    /// How often positions and learned state are saved; a restart replays at most this much.
    #[serde(with = "humantime_serde")]
    pub(crate) checkpoint_interval: Duration,
    /// How long a shutdown may take to drain, write and announce.
    #[serde(with = "humantime_serde")]
    pub(crate) shutdown_timeout: Duration,
    /// How late a record may come again under the same id and be recognised.
    #[serde(with = "humantime_serde")]
    pub(crate) redelivery_horizon: Duration,
}

/// The whole configuration, validated.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) log: LogConfig,
    pub(crate) ingest: IngestSettings,
    pub(crate) detectors: DetectorSettings,
    pub(crate) store: StoreSettings,
    pub(crate) alerting: AlertingSettings,
    pub(crate) dashboards: DashboardsSettings,
    pub(crate) pipeline: PipelineConfig,
    pub(crate) registry: RegistrySettings,
    pub(crate) leaks: LeaksSettings,
}

/// Everything wrong with a configuration file.
#[derive(Debug)]
pub(crate) struct ConfigError {
    file: String,
    problems: Vec<(Option<usize>, Problem)>,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            checkpoint_interval: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(30),
            redelivery_horizon: Duration::from_hours(6),
        }
    }
}

impl Config {
    /// Checks every part; all problems at once.
    pub(crate) fn validate(&self, secrets: &dyn SecretSource) -> Result<Settings, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut part = |found: Vec<Problem>| problems.extend(found);
        let ingest = self.ingest.validate("ingest", secrets).map_err(&mut part);
        let detectors = self.detectors.validate("detectors").map_err(&mut part);
        let store = self.store.validate("store", secrets).map_err(&mut part);
        let alerting = self
            .alerting
            .validate("alerting", secrets)
            .map_err(&mut part);
        let dashboards = self
            .dashboards
            .validate("dashboards", secrets)
            .map_err(&mut part);
        let registry = self
            .registry
            .validate("registry", secrets)
            .map_err(&mut part);
        let leaks = self.leaks.validate("leaks", secrets).map_err(&mut part);
        if self.pipeline.checkpoint_interval.is_zero() {
            problems.add(
                "pipeline.checkpoint_interval",
                "must be longer than nothing",
            );
        }
        match (
            ingest, detectors, store, alerting, dashboards, registry, leaks,
        ) {
            (
                Ok(ingest),
                Ok(detectors),
                Ok(store),
                Ok(alerting),
                Ok(dashboards),
                Ok(registry),
                Ok(leaks),
            ) => problems.into_result(|| Settings {
                log: self.log.clone(),
                ingest,
                detectors,
                store,
                alerting,
                dashboards,
                pipeline: self.pipeline.clone(),
                registry,
                leaks,
            }),
            _ => Err(problems.into_result(|| ()).expect_err("a part has failed")),
        }
    }
}

/// Reads and checks the file at `path`.
pub(crate) fn load(path: &Path, secrets: &dyn SecretSource) -> anyhow::Result<Settings> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    Ok(parse(&path.display().to_string(), &text, secrets)?)
}

/// What the file at `path` says of the detectors, as it is written.
pub(crate) fn detectors(path: &Path) -> anyhow::Result<DetectorsConfig> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let mut config = read(&text).map_err(|problem| ConfigError {
        file: path.display().to_string(),
        problems: vec![problem],
    })?;
    openapi::take_in(&mut config.detectors).map_err(|problems| ConfigError {
        file: path.display().to_string(),
        problems: problems
            .into_iter()
            .map(|problem| (None, problem))
            .collect(),
    })?;
    Ok(config.detectors)
}

/// Checks `text`, the content of `file`.
pub(crate) fn parse(
    file: &str,
    text: &str,
    secrets: &dyn SecretSource,
) -> Result<Settings, ConfigError> {
    let error = |problems| ConfigError {
        file: file.to_owned(),
        problems,
    };
    let mut config = read(text).map_err(|problem| error(vec![problem]))?;
    let documents =
        openapi::take_in(&mut config.detectors).and(jwks::take_in(&mut config.ingest.decoder.jwt));
    let settings = match (documents, config.validate(secrets)) {
        (Ok(()), settings) => settings,
        (Err(problems), Ok(_)) => Err(problems),
        (Err(mut problems), Err(more)) => {
            problems.extend(more);
            Err(problems)
        }
    };
    let settings = settings.map_err(|problems| {
        let lines = locate::Lines::of(text);
        error(
            problems
                .into_iter()
                .map(|problem| (lines.find(&problem.path), problem))
                .collect(),
        )
    })?;
    Ok(settings.with_usual_geo())
}

/// The settings of a configuration in which nothing is written.
pub(crate) fn defaults() -> Settings {
    let settings = Config::default().validate(&NoSecrets);
    settings
        .expect("the defaults are valid; a test says so")
        .with_usual_geo()
}

/// The defaults name no secrets.
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn env(&self, _: &str) -> Option<SecretString> {
        None
    }

    fn file(&self, path: &str) -> Result<SecretString, String> {
        Err(format!("{path}: the defaults name no secrets"))
    }
}

impl Settings {
    /// Takes the geo databases from the usual places if the configuration names none.
    fn with_usual_geo(mut self) -> Self {
        if self.ingest.geo.databases.is_empty() {
            self.ingest.geo.databases = geo::usual_databases();
        }
        self
    }
}

/// The file's shape: TOML, known keys, right types.
fn read(text: &str) -> Result<Config, (Option<usize>, Problem)> {
    let deserializer = toml::Deserializer::parse(text).map_err(|error| {
        let line = error.span().map(|span| locate::line_of(text, span.start));
        (
            line,
            Problem {
                path: String::new(),
                message: error.message().to_owned(),
            },
        )
    })?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        let line = inner.span().map(|span| locate::line_of(text, span.start));
        (
            line,
            Problem {
                path,
                message: inner.message().to_owned(),
            },
        )
    })
}

impl ConfigError {
    /// How many problems there are.
    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (line, problem)) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if let Some(line) = line {
                write!(f, ":{line}")?;
            }
            if problem.path.is_empty() || problem.path == "." {
                write!(f, ": {}", problem.message)?;
            } else {
                write!(f, ": {problem}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
