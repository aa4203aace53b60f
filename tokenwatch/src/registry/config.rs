//! `[registry]`: where the inventory of tokens is.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use reqwest::Url;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource};

use super::inventory::Notation;

/// Less often is no polling, more often no use.
const POLL_BOUNDS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24);

/// `[registry]`, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RegistryConfig {
    /// The inventory: `.toml`, `.csv`, `.json` or `.ndjson`. None if empty.
    pub(crate) file: String,
    /// How often it is looked at for changes.
    #[serde(with = "humantime_serde")]
    pub(crate) reload_every: Duration,
    /// An inventory that has less than this share of what it had is not believed.
    pub(crate) keep_share: f64,
    /// An inventory service.
    pub(crate) http: RegistryHttpConfig,
}

/// `[registry.http]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RegistryHttpConfig {
    /// What is polled. None if empty.
    pub(crate) url: String,
    /// The environment variable with a bearer token for it.
    pub(crate) bearer_env: String,
    /// The file with it.
    pub(crate) bearer_file: String,
    /// How often it is asked.
    #[serde(with = "humantime_serde")]
    pub(crate) poll_every: Duration,
    /// How long an answer may take.
    #[serde(with = "humantime_serde")]
    pub(crate) timeout: Duration,
    /// The largest answer.
    pub(crate) body_bytes_limit: ByteSize,
}

/// `[registry]`, checked.
#[derive(Clone, Debug)]
pub(crate) struct RegistrySettings {
    pub(crate) file: Option<(PathBuf, Notation)>,
    pub(crate) reload_every: Duration,
    pub(crate) keep_share: f64,
    pub(crate) http: Option<RegistryHttpSettings>,
}

/// `[registry.http]`, checked.
#[derive(Clone, Debug)]
pub(crate) struct RegistryHttpSettings {
    pub(crate) url: Url,
    pub(crate) bearer: Option<SecretString>,
    pub(crate) poll_every: Duration,
    pub(crate) timeout: Duration,
    pub(crate) body_bytes_limit: usize,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self {
            file: String::new(),
            reload_every: Duration::from_secs(30),
            keep_share: 0.5,
            http: RegistryHttpConfig::default(),
        }
    }
}

impl Default for RegistryHttpConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            bearer_env: String::new(),
            bearer_file: String::new(),
            poll_every: Duration::from_mins(1),
            timeout: Duration::from_secs(10),
            body_bytes_limit: ByteSize::mib(64),
        }
    }
}

impl RegistryConfig {
    /// The settings, or every problem, with key paths below `prefix`.
    pub(crate) fn validate(
        &self,
        prefix: &str,
        secrets: &dyn SecretSource,
    ) -> Result<RegistrySettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        let file = (!self.file.is_empty()).then(|| PathBuf::from(&self.file));
        let file = file.and_then(|path| {
            let notation = Notation::of_path(&path);
            if notation.is_none() {
                problems.add("file", "must end in .toml, .csv, .json or .ndjson");
            }
            Some((path, notation?))
        });
        if !POLL_BOUNDS.contains(&self.reload_every) {
            problems.add("reload_every", "must lie between 1s and 1day");
        }
        if !(0.0..=1.0).contains(&self.keep_share) {
            problems.add("keep_share", "must lie between 0 and 1");
        }
        let http = (!self.http.url.is_empty())
            .then(|| self.http.check(secrets, &mut problems))
            .flatten();
        if self.http.url.is_empty() && self.http != RegistryHttpConfig::default() {
            problems.add("http.url", "must not be empty, or the rest has no use");
        }
        problems.into_result(|| RegistrySettings {
            file,
            reload_every: self.reload_every,
            keep_share: self.keep_share,
            http,
        })
    }
}

impl RegistryHttpConfig {
    fn check(
        &self,
        secrets: &dyn SecretSource,
        problems: &mut Problems,
    ) -> Option<RegistryHttpSettings> {
        let url = Url::parse(&self.url).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if url.is_none() {
            problems.add("http.url", "must be an http or https address");
        }
        if url
            .as_ref()
            .is_some_and(|url| !url.username().is_empty() || url.password().is_some())
        {
            problems.add(
                "http.url",
                "must not hold a password: use bearer_env or bearer_file",
            );
        }
        let bearer = self.bearer(secrets, problems);
        let is_loopback =
            |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if bearer.is_some()
            && url
                .as_ref()
                .is_some_and(|url| url.scheme() == "http" && !is_loopback(url))
        {
            problems.add("http.url", "a bearer token is sent to https addresses only");
        }
        if !POLL_BOUNDS.contains(&self.poll_every) {
            problems.add("http.poll_every", "must lie between 1s and 1day");
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_mins(5) {
            problems.add("http.timeout", "must lie between 0 and 5m");
        }
        Some(RegistryHttpSettings {
            url: url?,
            bearer,
            poll_every: self.poll_every,
            timeout: self.timeout,
            body_bytes_limit: usize::try_from(self.body_bytes_limit.as_u64()).unwrap_or(usize::MAX),
        })
    }

    fn bearer(&self, secrets: &dyn SecretSource, problems: &mut Problems) -> Option<SecretString> {
        match (self.bearer_env.as_str(), self.bearer_file.as_str()) {
            ("", "") => None,
            (name, "") => {
                let secret = secrets.env(name);
                if secret.is_none() {
                    problems.add("http.bearer_env", format!("{name} is not set"));
                }
                secret
            }
            ("", path) => match secrets.file(path) {
                Ok(secret) => Some(secret),
                Err(why) => {
                    problems.add("http.bearer_file", why);
                    None
                }
            },
            _ => {
                problems.add("http.bearer_file", "bearer_env is there already");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoSecrets;

    impl SecretSource for NoSecrets {
        fn env(&self, name: &str) -> Option<SecretString> {
            (name == "INVENTORY").then(|| SecretString::from("s3cret".to_owned()))
        }

        fn file(&self, path: &str) -> Result<SecretString, String> {
            Err(format!("{path}: no such file"))
        }
    }

    #[track_caller]
    fn check(toml: &str, want: &[&str]) {
        let config: RegistryConfig = toml::from_str(toml).expect("shape");
        let problems = config.validate("registry", &NoSecrets).err();
        let problems: Vec<String> = problems
            .unwrap_or_default()
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        assert_eq!(problems, want, "{toml}");
    }

    #[test]
    fn every_problem_is_told_with_its_key() {
        check("", &[]);
        check("file = \"tokens.csv\"", &[]);
        check(
            "file = \"tokens.xlsx\"\nkeep_share = 2.0",
            &["registry.file", "registry.keep_share"],
        );
        check("reload_every = \"0s\"", &["registry.reload_every"]);
        check(
            "http = { url = \"https://inventory/tokens\", bearer_env = \"INVENTORY\" }",
            &[],
        );
        check(
            "http = { url = \"ftp://inventory\" }",
            &["registry.http.url"],
        );
        check(
            "http = { url = \"https://a:b@inventory\" }",
            &["registry.http.url"],
        );
        check(
            "http = { bearer_env = \"INVENTORY\" }",
            &["registry.http.url"],
        );
        check(
            "http = { url = \"http://inventory\", bearer_env = \"INVENTORY\" }",
            &["registry.http.url"],
        );
        check(
            "http = { url = \"http://127.0.0.1:1\", bearer_env = \"INVENTORY\" }",
            &[],
        );
        check(
            "http = { url = \"https://inventory\", bearer_env = \"NOTHING\" }",
            &["registry.http.bearer_env"],
        );
        check(
            "http = { url = \"https://inventory\", bearer_file = \"x\" }",
            &["registry.http.bearer_file"],
        );
    }
}
