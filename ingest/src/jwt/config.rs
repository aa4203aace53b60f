//! What is expected of JWTs: which issuers, and per issuer which algorithms, keys and audiences.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{JwtAlgorithm, JwtKeyKind, Problems};

use super::key_ids::JwtKeyIds;

/// The longest difference between clocks that is one.
const SKEW_MAX: Duration = Duration::from_hours(1);

/// How often files may be looked at.
const RELOAD_BOUNDS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

/// `[ingest.decoder.jwt]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JwtConfig {
    /// How far a token's times may lie ahead of the call.
    #[serde(with = "humantime_serde")]
    pub clock_skew: Duration,
    /// How often the files with keys are looked at.
    #[serde(with = "humantime_serde")]
    pub reload_every: Duration,
    /// The issuers that there are. While none is named, any is expected.
    pub issuers: Vec<JwtIssuerConfig>,
}

/// `[[ingest.decoder.jwt.issuers]]`: what tokens of one issuer are like. What is left empty may be anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtIssuerConfig {
    /// Its `iss`.
    pub issuer: String,
    /// The `alg` that it signs with.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// The `aud` of which a token must name one.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// A file with its keys (a JWKS, RFC 7517), of which only the `kid` are taken.
    #[serde(default)]
    pub keys_file: String,
    /// The `kid` of its keys, besides those in the file.
    #[serde(default)]
    pub key_ids: Vec<String>,
    /// The `kid` in the file, as it was at the start.
    #[serde(skip)]
    pub file_key_ids: Vec<String>,
}

/// What is expected of JWTs, validated.
#[derive(Clone, Debug)]
pub(crate) struct JwtPolicy {
    pub(crate) clock_skew: Duration,
    pub(crate) reload_every: Duration,
    pub(crate) issuers: Vec<Issuer>,
}

/// What is expected of the tokens of one issuer.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    pub(crate) algorithms: Vec<JwtAlgorithm>,
    pub(crate) audiences: Vec<String>,
    pub(crate) key_ids: JwtKeyIds,
    pub(crate) keys_file: String,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            clock_skew: Duration::from_mins(5),
            reload_every: Duration::from_secs(30),
            issuers: Vec::new(),
        }
    }
}

impl JwtConfig {
    /// The policy; problems are added below `jwt`.
    pub(crate) fn policy(&self, problems: &mut Problems) -> JwtPolicy {
        if self.clock_skew > SKEW_MAX {
            problems.add("jwt.clock_skew", "must be at most 1h");
        }
        if !RELOAD_BOUNDS.contains(&self.reload_every) {
            problems.add("jwt.reload_every", "must lie between 1s and 1day");
        }
        let mut issuers: Vec<Issuer> = Vec::with_capacity(self.issuers.len());
        for (index, config) in self.issuers.iter().enumerate() {
            let path = format!("jwt.issuers[{index}]");
            if config.issuer.is_empty() {
                problems.add(format!("{path}.issuer"), "names no issuer");
            }
            if issuers.iter().any(|known| known.name == config.issuer) {
                problems.add(format!("{path}.issuer"), "is named twice");
            }
            issuers.push(Issuer {
                name: config.issuer.clone(),
                algorithms: algorithms(config, &path, problems),
                audiences: config.audiences.clone(),
                key_ids: JwtKeyIds::new(config.key_ids.clone(), config.file_key_ids.clone()),
                keys_file: config.keys_file.clone(),
            });
        }
        JwtPolicy {
            clock_skew: self.clock_skew,
            reload_every: self.reload_every,
            issuers,
        }
    }
}

fn algorithms(config: &JwtIssuerConfig, path: &str, problems: &mut Problems) -> Vec<JwtAlgorithm> {
    let mut algorithms = Vec::with_capacity(config.algorithms.len());
    for (index, name) in config.algorithms.iter().enumerate() {
        let algorithm = JwtAlgorithm::of_name(name);
        if algorithm.key_kind().is_none() {
            problems.add(
                format!("{path}.algorithms[{index}]"),
                "is no algorithm that signs: RS256, ES256, EdDSA, …",
            );
        }
        algorithms.push(algorithm);
    }
    algorithms
}

impl Issuer {
    /// Whether it signs with public keys only, as far as is configured.
    pub(crate) fn signs_publicly(&self) -> bool {
        let is_public = |algorithm: &JwtAlgorithm| algorithm.key_kind() == Some(JwtKeyKind::Public);
        !self.algorithms.is_empty() && self.algorithms.iter().all(is_public)
    }
}

impl Default for JwtPolicy {
    fn default() -> Self {
        JwtConfig::default().policy(&mut Problems::at("ingest.decoder"))
    }
}
