//! What can be configured about decoding: formats, identity, scrubbing, trusted proxies and limits.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Format, Problem, Problems};

use crate::format::FormatChoice;
use crate::formats::mapped::{MappedConfig, MappedPlan};
use crate::identity::{IdentityOrders, IdentitySource, check_order};
use crate::jwt::{JwtConfig, JwtKeyIds, JwtPolicy};
use crate::names::{self, CredentialNames};

/// Decoding, as written in the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderConfig {
    /// The format of the records; `auto` looks at each.
    pub format: FormatChoice,
    /// Networks whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How far a record's time may lie behind the broker's.
    #[serde(with = "humantime_serde")]
    pub future_limit: Duration,
    /// Where credentials travel, and what identifies a token.
    pub identity: IdentityConfig,
    /// What else is secret.
    pub scrub: ScrubConfig,
    /// What is expected of JWTs.
    pub jwt: JwtConfig,
    /// How much is read.
    pub limits: LimitsConfig,
    /// Where the fields of the format `mapped` are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped: Option<MappedConfig>,
}

/// Where credentials travel, besides the Authorization header, and what identifies a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Headers whose value is a key.
    pub headers: Vec<String>,
    /// Query parameters whose value is a key.
    pub query_parameters: Vec<String>,
    /// Cookies whose value is a session.
    pub cookies: Vec<String>,
    /// What identifies a token, the best first; what is left out identifies none.
    pub order: Vec<IdentitySource>,
    /// The same for single formats.
    pub orders: BTreeMap<Format, Vec<IdentitySource>>,
}

/// What is secret besides keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScrubConfig {
    /// Names whose value is cut out of every text, besides the built-in ones.
    pub names: Vec<String>,
}

/// How much is read of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Longer records are rejected.
    pub record: ByteSize,
    /// Events of one record beyond this are rejected.
    pub record_events: u32,
    /// Deeper JSON is rejected.
    pub nesting: u32,
    /// Longer paths and routes are cut.
    pub path: ByteSize,
    /// Longer user agents are cut.
    pub user_agent: ByteSize,
    /// Longer ids are cut.
    pub id: ByteSize,
    /// Longer names of hosts, consumers, gateways and scopes are cut.
    pub name: ByteSize,
    /// Scopes beyond this are left out.
    pub scopes: usize,
}

/// Decoding, validated.
#[derive(Clone, Debug)]
pub struct DecoderSettings {
    /// The format of the records.
    pub format: FormatChoice,
    /// Longer records are rejected.
    pub record_bytes_limit: usize,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) future_limit: Duration,
    pub(crate) names: CredentialNames,
    pub(crate) identity: IdentityOrders,
    pub(crate) jwt: JwtPolicy,
    pub(crate) limits: Limits,
    pub(crate) mapped: Option<MappedPlan>,
}

/// The limits as numbers.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) record_events: u32,
    pub(crate) nesting: usize,
    pub(crate) path_bytes: usize,
    pub(crate) user_agent_bytes: usize,
    pub(crate) id_bytes: usize,
    pub(crate) name_bytes: usize,
    pub(crate) scopes: usize,
}

/// `serde_json` stops at 128.
const NESTING_MAX: u32 = 120;

impl Default for DecoderConfig {
    fn default() -> Self {
        Self {
            format: FormatChoice::Auto,
            trusted_proxies: Vec::new(),
            future_limit: Duration::from_hours(1),
            identity: IdentityConfig::default(),
            scrub: ScrubConfig::default(),
            jwt: JwtConfig::default(),
            limits: LimitsConfig::default(),
            mapped: None,
        }
    }
}

impl Default for IdentityConfig {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            headers: owned(&names::KEY_HEADERS),
            query_parameters: owned(&names::KEY_PARAMETERS),
            cookies: owned(&names::SESSION_COOKIES),
            order: IdentitySource::ALL.to_vec(),
            orders: BTreeMap::new(),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            record: ByteSize::mib(1),
            record_events: 10_000,
            nesting: 64,
            path: ByteSize::b(2_048),
            user_agent: ByteSize::b(512),
            id: ByteSize::b(256),
            name: ByteSize::b(256),
            scopes: 64,
        }
    }
}

impl DecoderConfig {
    /// The settings, or everything that is wrong, with key paths below `prefix`.
    pub fn validate(&self, prefix: &str) -> Result<DecoderSettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        self.check_names(&mut problems);
        check_order(&self.identity.order, "identity.order", &mut problems);
        for (format, order) in &self.identity.orders {
            check_order(order, &format!("identity.orders.{format}"), &mut problems);
        }
        self.check_limits(&mut problems);
        let jwt = self.jwt.policy(&mut problems);
        let mapped = match &self.mapped {
            Some(mapped) => mapped.plan(&mut problems),
            None if self.format == FormatChoice::Mapped => {
                problems.add(
                    "mapped",
                    "the format `mapped` needs the JSON pointers of its fields",
                );
                None
            }
            None => None,
        };
        let limit = |size: ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
        problems.into_result(|| DecoderSettings {
            format: self.format,
            record_bytes_limit: limit(self.limits.record),
            trusted_proxies: self.trusted_proxies.clone(),
            future_limit: self.future_limit,
            names: CredentialNames::new(
                &self.identity.headers,
                &self.identity.query_parameters,
                &self.identity.cookies,
                &self.scrub.names,
            ),
            identity: IdentityOrders::new(&self.identity.order, &self.identity.orders),
            jwt,
            limits: Limits {
                record_events: self.limits.record_events,
                nesting: self.limits.nesting as usize,
                path_bytes: limit(self.limits.path),
                user_agent_bytes: limit(self.limits.user_agent),
                id_bytes: limit(self.limits.id),
                name_bytes: limit(self.limits.name),
                scopes: self.limits.scopes,
            },
            mapped,
        })
    }

    fn check_names(&self, problems: &mut Problems) {
        let lists = [
            ("identity.headers", &self.identity.headers),
            ("identity.query_parameters", &self.identity.query_parameters),
            ("identity.cookies", &self.identity.cookies),
            ("scrub.names", &self.scrub.names),
        ];
        for (key, names) in lists {
            for (index, name) in names.iter().enumerate() {
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                    problems.add(
                        format!("{key}[{index}]"),
                        "a name is visible ASCII without blanks",
                    );
                }
            }
        }
    }

    fn check_limits(&self, problems: &mut Problems) {
        let sizes = [
            ("limits.record", self.limits.record, 1_024),
            ("limits.path", self.limits.path, 16),
            ("limits.user_agent", self.limits.user_agent, 16),
            ("limits.id", self.limits.id, 64),
            ("limits.name", self.limits.name, 16),
        ];
        for (key, size, least) in sizes {
            if size.as_u64() < least {
                problems.add(key, format!("at least {}", ByteSize::b(least)));
            }
        }
        if self.limits.record > ByteSize::mib(64) {
            problems.add(
                "limits.record",
                "at most 64 MiB: no access log record is longer",
            );
        }
        if self.limits.record_events == 0 {
            problems.add("limits.record_events", "at least 1");
        }
        if !(4..=NESTING_MAX).contains(&self.limits.nesting) {
            problems.add("limits.nesting", format!("from 4 to {NESTING_MAX}"));
        }
    }
}

impl DecoderSettings {
    /// The files with keys of JWT issuers, and the sets of names that they fill.
    pub fn key_files(&self) -> impl Iterator<Item = (&str, &JwtKeyIds)> {
        let issuers = self.jwt.issuers.iter();
        issuers
            .filter(|issuer| !issuer.keys_file.is_empty())
            .map(|issuer| (issuer.keys_file.as_str(), &issuer.key_ids))
    }

    /// How often those files are looked at.
    pub fn key_files_reload_every(&self) -> Duration {
        self.jwt.reload_every
    }
}

impl Default for DecoderSettings {
    fn default() -> Self {
        DecoderConfig::default()
            .validate("")
            .expect("the defaults are valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(config: &DecoderConfig) -> Vec<String> {
        config
            .validate("ingest.decoder")
            .unwrap_err()
            .into_iter()
            .map(|problem| problem.path)
            .collect()
    }

    #[test]
    fn every_problem_is_reported_with_its_path() {
        let mut config = DecoderConfig {
            format: FormatChoice::Mapped,
            ..DecoderConfig::default()
        };
        config.identity.headers.push("x key".into());
        config.identity.order = vec![IdentitySource::Grant; 2];
        config.identity.orders = BTreeMap::from([(Format::AwsAlb, Vec::new())]);
        config.limits.nesting = 500;
        config.limits.record = ByteSize::gib(1);
        config.limits.record_events = 0;
        assert_eq!(
            paths(&config),
            [
                "ingest.decoder.identity.headers[12]",
                "ingest.decoder.identity.order[1]",
                "ingest.decoder.identity.orders.aws-alb",
                "ingest.decoder.limits.record",
                "ingest.decoder.limits.record_events",
                "ingest.decoder.limits.nesting",
                "ingest.decoder.mapped",
            ]
        );
    }

    #[test]
    fn unknown_keys_are_errors() {
        let error = serde_json::from_str::<DecoderConfig>(r#"{"formt":"kong"}"#).unwrap_err();
        assert!(error.to_string().contains("formt"), "{error}");
    }

    #[test]
    fn the_defaults_read_back() {
        let text = serde_json::to_string(&DecoderConfig::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<DecoderConfig>(&text).unwrap(),
            DecoderConfig::default()
        );
    }
}
