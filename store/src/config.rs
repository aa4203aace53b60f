//! The store's part of the configuration: which ClickHouse, how long rows are kept, the embedded engine's folder.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource};

/// The `url` that means the engine inside our own binary.
const EMBEDDED: &str = "embedded";
/// Rows live at least a day: shorter, and a restart would not find what it must recognise.
const SHORTEST_RETENTION: Duration = Duration::from_hours(24);
/// Below this the engine refuses to start its caches and merges.
const LEAST_MEMORY: ByteSize = ByteSize::mib(512);

/// `[store]` as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `"embedded"`, or the HTTP address of a ClickHouse server: `"http://clickhouse:8123"`.
    pub url: String,
    /// The database; created if it is not there.
    pub database: String,
    /// The server's user; empty for the server's default. Not for the embedded engine.
    pub user: String,
    /// The environment variable that holds the user's password.
    pub password_env: String,
    /// The file that holds the user's password.
    pub password_file: String,
    /// How long a server may take to answer an insert or a query.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long rows are kept.
    pub retention: RetentionConfig,
    /// The embedded engine.
    pub embedded: EmbeddedConfig,
}

/// `[store.retention]` as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Access events.
    #[serde(with = "humantime_serde")]
    pub events: Duration,
    /// The per-minute roll-ups.
    #[serde(with = "humantime_serde")]
    pub rollups: Duration,
    /// Signals, findings, incidents, the ledger of notifications, responses, verdicts and the audit trail.
    #[serde(with = "humantime_serde")]
    pub findings: Duration,
}

/// `[store.embedded]` as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddedConfig {
    /// The folder that holds the data; created with mode 0700.
    pub path: PathBuf,
    /// `libchdb.so`; empty: looked for next to the binary, in `deploy/fetched/chdb` and in `/usr/lib/tokenwatch`.
    pub library: PathBuf,
    /// The most memory that the engine may take; `0` for half of the machine's, at most 4 GiB.
    pub memory_limit: ByteSize,
    /// Whether the engine writes its own log, to `engine.log` in the data folder.
    pub log: bool,
}

/// `[store]`, validated.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Which ClickHouse.
    pub target: Target,
    /// The database.
    pub database: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long rows are kept.
    pub retention: RetentionConfig,
}

/// Which ClickHouse the store speaks to.
#[derive(Clone, Debug)]
pub enum Target {
    /// A child process of our own binary.
    Embedded(EmbeddedSettings),
    /// A server.
    Server {
        /// Its HTTP address.
        url: String,
        /// The user, where not the server's default.
        user: Option<String>,
        /// The user's password.
        password: Option<SecretString>,
    },
}

/// The embedded engine, validated.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// The folder that holds the data.
    pub path: PathBuf,
    /// `libchdb.so`; `None`: the usual places.
    pub library: Option<PathBuf>,
    /// The most memory that the engine may take; `None`: half of the machine's, at most 4 GiB.
    pub memory_limit: Option<ByteSize>,
    /// Whether the engine writes its own log.
    pub log: bool,
    /// The program and its first arguments that run [`crate::run_embedded_server`]; by default our own
    /// executable with `embedded-clickhouse`.
    pub command: Option<(PathBuf, Vec<String>)>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: EMBEDDED.to_owned(),
            database: "tokenwatch".to_owned(),
            user: String::new(),
            password_env: String::new(),
            password_file: String::new(),
            timeout: Duration::from_mins(1),
            retention: RetentionConfig::default(),
            embedded: EmbeddedConfig::default(),
        }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        Self {
            events: days(90),
            rollups: days(400),
            findings: days(400),
        }
    }
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/clickhouse"),
            library: PathBuf::new(),
            memory_limit: ByteSize::b(0),
            log: false,
        }
    }
}

impl StoreConfig {
    /// The settings, or every problem with the key path that it is about.
    pub fn validate(
        &self,
        prefix: &str,
        secrets: &dyn SecretSource,
    ) -> Result<StoreSettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        if !is_identifier(&self.database) {
            problems.add(
                "database",
                "must be letters, digits and underscores, not starting with a digit",
            );
        }
        if self.timeout < Duration::from_secs(1) {
            problems.add("timeout", "must be at least 1s");
        }
        for (key, retention) in [
            ("retention.events", self.retention.events),
            ("retention.rollups", self.retention.rollups),
            ("retention.findings", self.retention.findings),
        ] {
            if retention < SHORTEST_RETENTION {
                problems.add(key, "must be at least 1day");
            }
        }
        let target = if self.url == EMBEDDED {
            self.validate_embedded(&mut problems)
        } else {
            self.validate_server(&mut problems, secrets)
        };
        problems.into_result(|| StoreSettings {
            target,
            database: self.database.clone(),
            timeout: self.timeout,
            retention: self.retention.clone(),
        })
    }

    fn validate_embedded(&self, problems: &mut Problems) -> Target {
        for (key, value) in [
            ("user", &self.user),
            ("password_env", &self.password_env),
            ("password_file", &self.password_file),
        ] {
            if !value.is_empty() {
                problems.add(
                    key,
                    "the embedded engine has no users; set url, or remove this",
                );
            }
        }
        let embedded = &self.embedded;
        if embedded.path.as_os_str().is_empty() {
            problems.add("embedded.path", "must name a folder");
        }
        let memory_limit =
            (embedded.memory_limit > ByteSize::b(0)).then_some(embedded.memory_limit);
        if memory_limit.is_some_and(|limit| limit < LEAST_MEMORY) {
            problems.add("embedded.memory_limit", "must be 0 or at least 512 MiB");
        }
        Target::Embedded(EmbeddedSettings {
            path: embedded.path.clone(),
            library: (!embedded.library.as_os_str().is_empty()).then(|| embedded.library.clone()),
            memory_limit,
            log: embedded.log,
            command: None,
        })
    }

    fn validate_server(&self, problems: &mut Problems, secrets: &dyn SecretSource) -> Target {
        match url::Url::parse(&self.url) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => problems.add(
                "url",
                "must not hold a user or password; use user and password_env or password_file",
            ),
            Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
                problems.add("url", "must be \"embedded\" or an http or https address");
            }
            Ok(_) => {}
            Err(error) => problems.add("url", format!("is not an address: {error}")),
        }
        let password = match (self.password_env.as_str(), self.password_file.as_str()) {
            ("", "") => None,
            (name, "") => {
                let found = secrets.env(name);
                if found.is_none() {
                    problems.add("password_env", format!("the variable {name} is not set"));
                }
                found
            }
            ("", path) => secrets
                .file(path)
                .map_err(|error| problems.add("password_file", error))
                .ok(),
            _ => {
                problems.add("password_env", "give either password_env or password_file");
                None
            }
        };
        if password.is_some() && self.user.is_empty() {
            problems.add("user", "a password needs a user");
        }
        Target::Server {
            url: self.url.clone(),
            user: (!self.user.is_empty()).then(|| self.user.clone()),
            password,
        }
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoSecrets;

    impl SecretSource for NoSecrets {
        fn env(&self, _name: &str) -> Option<SecretString> {
            None
        }

        fn file(&self, path: &str) -> Result<SecretString, String> {
            Err(format!("{path} cannot be read"))
        }
    }

    fn problems_of(config: &StoreConfig) -> Vec<String> {
        let problems = config
            .validate("store", &NoSecrets)
            .err()
            .unwrap_or_default();
        problems.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn default_is_the_embedded_engine() {
        let settings = StoreConfig::default().validate("store", &NoSecrets);
        assert!(matches!(
            settings.map(|settings| settings.target),
            Ok(Target::Embedded(_))
        ));
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let config = StoreConfig {
            url: "ftp://user:word@host".to_owned(),
            database: "a-b".to_owned(),
            password_env: "NOT_SET".to_owned(),
            retention: RetentionConfig {
                events: Duration::from_secs(1),
                ..RetentionConfig::default()
            },
            ..StoreConfig::default()
        };
        assert_eq!(
            problems_of(&config),
            [
                "store.database",
                "store.retention.events",
                "store.url",
                "store.password_env"
            ]
        );
    }

    #[test]
    fn the_embedded_engine_takes_no_user() {
        let config = StoreConfig {
            user: "me".to_owned(),
            ..StoreConfig::default()
        };
        assert_eq!(problems_of(&config), ["store.user"]);
    }
}
