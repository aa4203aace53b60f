//! Configuration of the console and its API: what is written, and what was validated.
//!
//! The process speaks plain HTTP: TLS ends in a reverse proxy. `public_url` tells the scheme that browsers see, which
//! decides whether the session cookie is `Secure` and whether HSTS is sent.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems, SecretSource};

/// `[dashboards]` as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DashboardsConfig {
    /// Where to listen, address and port.
    pub listen: String,
    /// The URL under which browsers reach the console; empty where it is the listening address itself.
    pub public_url: String,
    /// Sets `Secure` on the session cookie although `public_url` is not `https`.
    pub always_secure_cookie: bool,
    /// Networks of reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// A session ends this long after its login.
    #[serde(with = "humantime_serde")]
    pub session_lifetime: Duration,
    /// A session ends this long after its last use.
    #[serde(with = "humantime_serde")]
    pub session_idle: Duration,
    /// How many API requests are answered at a time.
    pub request_concurrency_limit: usize,
    /// How long an API request may take.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How many live streams are open at a time.
    pub live_connections_limit: usize,
    /// The environment variable with the bearer token that `/metrics` asks for; empty for none.
    pub metrics_token_env: String,
    /// The file with that token.
    pub metrics_token_file: String,
}

/// `[dashboards]`, validated.
#[derive(Clone, Debug)]
pub struct DashboardsSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// `scheme://host[:port]` that browsers see, where configured.
    pub public_origin: Option<String>,
    /// Whether the session cookie is `Secure`.
    pub secure_cookie: bool,
    /// Whether HSTS is sent.
    pub hsts: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Limits of a session.
    pub session: SessionLimits,
    /// API requests answered at a time.
    pub request_concurrency_limit: usize,
    /// How long an API request may take.
    pub request_timeout: Duration,
    /// Live streams open at a time.
    pub live_connections_limit: usize,
    /// What `/metrics` asks for.
    pub metrics_token: Option<SecretString>,
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// After its login.
    pub lifetime: Duration,
    /// After its last use.
    pub idle: Duration,
}

impl Default for DashboardsConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            always_secure_cookie: false,
            trusted_proxies: Vec::new(),
            session_lifetime: Duration::from_hours(12),
            session_idle: Duration::from_hours(1),
            request_concurrency_limit: 64,
            request_timeout: Duration::from_secs(15),
            live_connections_limit: 200,
            metrics_token_env: String::new(),
            metrics_token_file: String::new(),
        }
    }
}

impl DashboardsConfig {
    /// The settings, or every problem with its key path below `prefix`.
    pub fn validate(
        &self,
        prefix: &str,
        secrets: &dyn SecretSource,
    ) -> Result<DashboardsSettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        let listen = self.listen.parse().unwrap_or_else(|_| {
            problems.add(
                "listen",
                "is not an address and port such as 127.0.0.1:8080",
            );
            SocketAddr::from(([127, 0, 0, 1], 8080))
        });
        let public_origin = origin(&self.public_url, &mut problems);
        let trusted_proxies = networks(&self.trusted_proxies, &mut problems);
        self.check_limits(&mut problems);
        let metrics_token = self.metrics_token(secrets, &mut problems);
        let https = public_origin
            .as_deref()
            .is_some_and(|origin| origin.starts_with("https://"));
        problems.into_result(|| DashboardsSettings {
            listen,
            public_origin,
            secure_cookie: https || self.always_secure_cookie,
            hsts: https,
            trusted_proxies,
            session: SessionLimits {
                lifetime: self.session_lifetime,
                idle: self.session_idle,
            },
            request_concurrency_limit: self.request_concurrency_limit,
            request_timeout: self.request_timeout,
            live_connections_limit: self.live_connections_limit,
            metrics_token,
        })
    }

    fn check_limits(&self, problems: &mut Problems) {
        let month = Duration::from_hours(30 * 24);
        let minute = Duration::from_mins(1);
        if !(minute..=month).contains(&self.session_lifetime) {
            problems.add("session_lifetime", "must be between 1m and 30days");
        }
        if !(minute..=self.session_lifetime.max(minute)).contains(&self.session_idle) {
            problems.add(
                "session_idle",
                "must be at least 1m and no longer than session_lifetime",
            );
        }
        if !(1..=10_000).contains(&self.request_concurrency_limit) {
            problems.add("request_concurrency_limit", "must be between 1 and 10000");
        }
        if !(Duration::from_secs(1)..=Duration::from_mins(5)).contains(&self.request_timeout) {
            problems.add("request_timeout", "must be between 1s and 5m");
        }
        if !(1..=10_000).contains(&self.live_connections_limit) {
            problems.add("live_connections_limit", "must be between 1 and 10000");
        }
    }

    fn metrics_token(
        &self,
        secrets: &dyn SecretSource,
        problems: &mut Problems,
    ) -> Option<SecretString> {
        match (
            self.metrics_token_env.as_str(),
            self.metrics_token_file.as_str(),
        ) {
            ("", "") => None,
            (name, "") => {
                let token = secrets.env(name);
                if token.is_none() {
                    problems.add(
                        "metrics_token_env",
                        format!("the environment variable {name} is not set"),
                    );
                }
                token
            }
            ("", path) => secrets
                .file(path)
                .map_err(|why| problems.add("metrics_token_file", why))
                .ok(),
            _ => {
                problems.add(
                    "metrics_token_file",
                    "give metrics_token_env or metrics_token_file, not both",
                );
                None
            }
        }
    }
}

/// `scheme://host[:port]` of `url`, in lower case; a path makes no sense, because the console lives at the root.
fn origin(url: &str, problems: &mut Problems) -> Option<String> {
    if url.is_empty() {
        return None;
    }
    let lower = url.trim_end_matches('/').to_ascii_lowercase();
    let authority = lower
        .strip_prefix("https://")
        .or_else(|| lower.strip_prefix("http://"));
    let valid = authority.is_some_and(|authority| {
        !authority.contains('@') && authority.parse::<http::uri::Authority>().is_ok()
    });
    if !valid {
        problems.add(
            "public_url",
            "must be http:// or https:// with a host and no path, such as https://tokenwatch.example.com",
        );
        return None;
    }
    Some(lower)
}

fn networks(texts: &[String], problems: &mut Problems) -> Vec<IpNet> {
    let mut networks = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let network = text
            .parse::<IpNet>()
            .ok()
            .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        match network {
            Some(network) => networks.push(network),
            None => problems.add(
                format!("trusted_proxies[{index}]"),
                "is not an address or network such as 10.0.0.0/8",
            ),
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoSecrets;

    impl SecretSource for NoSecrets {
        fn env(&self, _: &str) -> Option<SecretString> {
            None
        }

        fn file(&self, path: &str) -> Result<SecretString, String> {
            Err(format!("cannot read {path}"))
        }
    }

    fn check(config: &DashboardsConfig, expected: &[&str]) {
        let paths: Vec<_> = match config.validate("dashboards", &NoSecrets) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        };
        assert_eq!(paths, expected);
    }

    #[test]
    fn defaults_are_valid() {
        check(&DashboardsConfig::default(), &[]);
    }

    #[test]
    fn every_problem_is_reported_with_its_path() {
        let config = DashboardsConfig {
            listen: "somewhere".to_owned(),
            public_url: "ftp://x".to_owned(),
            trusted_proxies: vec!["10.0.0.0/8".to_owned(), "ten".to_owned()],
            session_lifetime: Duration::from_mins(1),
            session_idle: Duration::from_secs(61),
            request_concurrency_limit: 0,
            request_timeout: Duration::ZERO,
            live_connections_limit: 0,
            metrics_token_env: "MISSING".to_owned(),
            ..DashboardsConfig::default()
        };
        check(
            &config,
            &[
                "dashboards.listen",
                "dashboards.public_url",
                "dashboards.trusted_proxies[1]",
                "dashboards.session_idle",
                "dashboards.request_concurrency_limit",
                "dashboards.request_timeout",
                "dashboards.live_connections_limit",
                "dashboards.metrics_token_env",
            ],
        );
    }

    #[test]
    fn https_makes_cookies_secure_and_sends_hsts() {
        let config = DashboardsConfig {
            public_url: "https://Tokenwatch.Example.com/".to_owned(),
            ..DashboardsConfig::default()
        };
        let settings = config.validate("dashboards", &NoSecrets).unwrap();
        assert!(settings.secure_cookie && settings.hsts);
        assert_eq!(
            settings.public_origin.as_deref(),
            Some("https://tokenwatch.example.com")
        );
    }
}
