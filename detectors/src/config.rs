//! What an operator writes below `[detectors]`. [`DetectorsConfig::validate`] turns it into
//! [`DetectorSettings`](crate::DetectorSettings) or says everything that is wrong with it.

mod lifecycle;
mod scope;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Problem, Problems, Timestamp};

pub use lifecycle::{EndConfig, LongLivedTokenConfig, QuotaApproachConfig, RotationOverdueConfig};
pub use scope::{
    AllowConfig, EndpointEnumerationConfig, NewEndpointConfig, OpenApiConfig, OperationConfig,
    OutOfScopeConfig, PolicyConfig, PrivilegeUseConfig, RequiredScopes, ScopeConfig,
};

use crate::detect::blind_window::BlindWindowConfig;
use crate::detect::concurrent_use::ConcurrentUseConfig;
use crate::detect::impossible_travel::ImpossibleTravelConfig;
use crate::detect::new_client::NewClientConfig;
use crate::detect::new_geography::NewGeographyConfig;
use crate::detect::token_sharing::TokenSharingConfig;
use crate::policy::Policies;
use crate::rules::Rules;
use crate::settings::{self, DetectorSettings};
use crate::sources::{CredentialStuffingConfig, TokenGuessingConfig};

/// The `[detectors]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectorsConfig {
    /// Tokens whose habits are kept; beyond it the one that was silent longest is forgotten.
    pub max_tokens: u32,
    /// Tokens with evidence against them that are kept at once.
    pub max_cases: u32,
    /// How far behind the newest event of its gateway an event may come without counting as late.
    #[serde(with = "humantime_serde")]
    pub allowed_lateness: Duration,
    /// An event further ahead of its stream than this, while the stream is busy, is quarantined.
    #[serde(with = "humantime_serde")]
    pub future_limit: Duration,
    /// Days of use before a habit may lead to findings of its own.
    pub mature_days: u16,
    /// Calls before a habit may lead to signals.
    pub min_calls: u32,
    /// Probability, per token, day and stream, at which a habit is broken enough for a signal.
    pub alpha_signal: f64,
    /// The same for a finding.
    pub alpha_finding: f64,
    /// Probability under the hour's expectation that both need.
    pub alpha_now: f64,
    /// Volume.
    pub rate_spike: RateSpikeConfig,
    /// Place.
    pub new_geography: NewGeographyConfig,
    /// Place and time.
    pub impossible_travel: ImpossibleTravelConfig,
    /// Two parties.
    pub concurrent_use: ConcurrentUseConfig,
    /// Software.
    pub new_client: NewClientConfig,
    /// Many places.
    pub token_sharing: TokenSharingConfig,
    /// Failures.
    pub failure_burst: FailureBurstConfig,
    /// Policy.
    pub out_of_scope: OutOfScopeConfig,
    /// First calls.
    pub new_endpoint: NewEndpointConfig,
    /// What few may do.
    pub privilege_use: PrivilegeUseConfig,
    /// Trying one after the other.
    pub endpoint_enumeration: EndpointEnumerationConfig,
    /// Sources that try credentials of others.
    pub credential_stuffing: CredentialStuffingConfig,
    /// Sources that try credentials of nobody.
    pub token_guessing: TokenGuessingConfig,
    /// Everybody at once.
    pub fleet_failure: FleetFailureConfig,
    /// What was not seen.
    pub blind_window: BlindWindowConfig,
    /// Data.
    pub data_volume_spike: DataVolumeSpikeConfig,
    /// Long silences.
    pub dormant_reactivation: DormantReactivationConfig,
    /// Hours of the week.
    pub off_hours_use: ModeConfig,
    /// Slow growth.
    pub slow_drift: ModeConfig,
    /// Tokens in URLs.
    pub token_in_url: ModeConfig,
    /// Calls without TLS.
    pub insecure_transport: ModeConfig,
    /// Networks that the registry does not allow.
    pub ip_not_allowed: ModeConfig,
    /// Countries that it does not allow.
    pub geofence_violation: ModeConfig,
    /// Tokens past their end.
    pub expired_token_use: EndConfig,
    /// Revoked tokens.
    pub revoked_token_use: EndConfig,
    /// Tokens that live too long.
    pub long_lived_token: LongLivedTokenConfig,
    /// Tokens that are not replaced.
    pub rotation_overdue: RotationOverdueConfig,
    /// Quotas that run out.
    pub quota_approach: QuotaApproachConfig,
    /// JWTs as they should not be.
    pub jwt_weakness: ModeConfig,
    /// Tokens without the key they are bound to.
    pub binding_mismatch: ModeConfig,
    /// Tokens that were exposed.
    pub leaked_token: ModeConfig,
    /// Other modes for single tokens, consumers or routes; the first that matches counts.
    pub overrides: Vec<OverrideConfig>,
    /// What is known and expected for a while: a penetration test, a migration, a load test.
    pub exceptions: Vec<ExceptionConfig>,
}

/// What a detector may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorMode {
    /// Nothing. Habits are learned all the same, so that it can be switched on.
    Off,
    /// Signals and evidence, but no findings of its own.
    Signal,
    /// Everything.
    #[default]
    On,
}

/// `[detectors.rate_spike]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateSpikeConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Fewer calls than this in 10 s, 1 min, 10 min, 1 h, 1 d never matter.
    pub floors: [u32; 5],
    /// Nor do fewer than this many times the expected.
    pub ratios: [f64; 5],
}

/// `[detectors.failure_burst]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailureBurstConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Fewer failed calls than this in 1 min, 10 min, 1 h, 1 d never matter.
    pub floors: [u32; 4],
    /// Nor do fewer than this many times the expected.
    pub ratios: [f64; 4],
    /// Share of the token's calls that must fail.
    pub min_share: f64,
    /// And how many times the token's usual share.
    pub share_ratio: f64,
    /// Different paths that a burst of 404 must touch.
    pub distinct_paths: u32,
    /// Failed calls in 1 (with the minute before), 10, 60 minutes, 1 day that need no habit to be a burst.
    pub blatant: [u32; 4],
    /// Share of the token's calls that must fail for that.
    pub blatant_share: f64,
}

/// `[detectors.fleet_failure]`: from what on a failure or a surge of many tokens is no single one's doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FleetFailureConfig {
    /// What it may do. Findings of tokens are held back in any case.
    pub mode: DetectorMode,
    /// At least so many tokens of the fleet within five minutes,
    pub fleet_tokens: u32,
    /// which are at least this share of its active ones.
    pub fleet_share: f64,
    /// The same for those of one consumer, or of one client program.
    pub group_tokens: u32,
    /// Their share.
    pub group_share: f64,
}

/// A detector with nothing to set but its mode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModeConfig {
    /// What it may do.
    pub mode: DetectorMode,
}

/// `[detectors.data_volume_spike]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataVolumeSpikeConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Less KiB than this in 10 min, 1 d never matter.
    pub floors_kib: [u64; 2],
    /// Nor do less than this many times the expected.
    pub ratios: [f64; 2],
}

/// `[detectors.dormant_reactivation]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DormantReactivationConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// A silence as long as this makes a token dormant, if it is also three times its longest before.
    #[serde(with = "humantime_serde")]
    pub after: Duration,
}

/// `[[detectors.overrides]]`: everything that is named must match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideConfig {
    /// The detector.
    pub detector: Detector,
    /// For this consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// For this token, by `tok_…` or the gateway's name of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// For calls of this route: a path pattern or the gateway's name of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// What it may do there.
    pub mode: DetectorMode,
}

/// `[[detectors.exceptions]]`: everything that is named must match; what is found under it is dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionConfig {
    /// Why, for whoever asks later.
    pub reason: String,
    /// The first moment at which it no longer holds; every exception ends.
    pub until: Timestamp,
    /// The first at which it does; always before, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// These detectors; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<Detector>,
    /// This consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// This token, by `tok_…` or the gateway's name of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Calls of this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Calls from these addresses: `203.0.113.0/24`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

impl Default for DetectorsConfig {
    fn default() -> Self {
        Self {
            max_tokens: 2_000_000,
            max_cases: 100_000,
            allowed_lateness: Duration::from_secs(10),
            future_limit: Duration::from_mins(5),
            mature_days: 7,
            min_calls: 50,
            alpha_signal: 1e-3,
            alpha_finding: 2e-6,
            alpha_now: 1e-6,
            rate_spike: RateSpikeConfig::default(),
            new_geography: NewGeographyConfig::default(),
            impossible_travel: ImpossibleTravelConfig::default(),
            concurrent_use: ConcurrentUseConfig::default(),
            new_client: NewClientConfig::default(),
            token_sharing: TokenSharingConfig::default(),
            failure_burst: FailureBurstConfig::default(),
            out_of_scope: OutOfScopeConfig::default(),
            new_endpoint: NewEndpointConfig::default(),
            privilege_use: PrivilegeUseConfig::default(),
            endpoint_enumeration: EndpointEnumerationConfig::default(),
            credential_stuffing: CredentialStuffingConfig::default(),
            token_guessing: TokenGuessingConfig::default(),
            fleet_failure: FleetFailureConfig::default(),
            blind_window: BlindWindowConfig::default(),
            data_volume_spike: DataVolumeSpikeConfig::default(),
            dormant_reactivation: DormantReactivationConfig::default(),
            off_hours_use: ModeConfig::default(),
            slow_drift: ModeConfig::default(),
            token_in_url: ModeConfig::default(),
            insecure_transport: ModeConfig::default(),
            ip_not_allowed: ModeConfig::default(),
            geofence_violation: ModeConfig::default(),
            expired_token_use: EndConfig::default(),
            revoked_token_use: EndConfig::default(),
            long_lived_token: LongLivedTokenConfig::default(),
            rotation_overdue: RotationOverdueConfig::default(),
            quota_approach: QuotaApproachConfig::default(),
            jwt_weakness: ModeConfig::default(),
            binding_mismatch: ModeConfig::default(),
            leaked_token: ModeConfig::default(),
            overrides: Vec::new(),
            exceptions: Vec::new(),
        }
    }
}

impl Default for RateSpikeConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            floors: [10, 10, 20, 40, 200],
            ratios: [12.0, 10.0, 3.0, 2.0, 2.0],
        }
    }
}

impl Default for FailureBurstConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            floors: [10, 15, 25, 60],
            ratios: [4.0, 3.0, 3.0, 2.5],
            min_share: 0.2,
            share_ratio: 5.0,
            distinct_paths: 5,
            blatant: [20, 30, 50, 120],
            blatant_share: 0.5,
        }
    }
}

impl Default for DataVolumeSpikeConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            floors_kib: [8_192, 81_920],
            ratios: [3.0, 2.0],
        }
    }
}

impl Default for DormantReactivationConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            after: Duration::from_hours(30 * 24),
        }
    }
}

impl Default for FleetFailureConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            fleet_tokens: 10,
            fleet_share: 0.25,
            group_tokens: 4,
            group_share: 0.5,
        }
    }
}

impl DetectorsConfig {
    /// The settings, or every problem, with key paths below `prefix`.
    pub fn validate(&self, prefix: &str) -> Result<DetectorSettings, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        self.check_engine(&mut problems);
        self.check_counts(&mut problems);
        self.credential_stuffing.check(&mut problems);
        self.token_guessing.check(&mut problems);
        let rules = Rules::compile(&self.overrides, &self.exceptions, &mut problems);
        self.endpoint_enumeration.check(&mut problems);
        let privileged = self.privilege_use.compile(&mut problems);
        let policies = Policies::compile(&self.out_of_scope, &mut problems);
        problems.into_result(|| settings::from_valid(self, policies, rules, privileged))
    }

    fn check_engine(&self, problems: &mut Problems) {
        if self.max_tokens < 16 {
            problems.add("max_tokens", "must be at least 16");
        }
        if self.max_cases < 16 {
            problems.add("max_cases", "must be at least 16");
        }
        if self.allowed_lateness > Duration::from_hours(1) {
            problems.add("allowed_lateness", "must be at most 1h");
        }
        if self.future_limit < Duration::from_secs(10) {
            problems.add("future_limit", "must be at least 10s");
        }
        for (key, alpha) in [
            ("alpha_signal", self.alpha_signal),
            ("alpha_finding", self.alpha_finding),
            ("alpha_now", self.alpha_now),
        ] {
            if !(1e-12..=0.1).contains(&alpha) {
                problems.add(key, "must lie between 1e-12 and 0.1");
            }
        }
        if self.alpha_finding > self.alpha_signal {
            problems.add("alpha_finding", "must not be above alpha_signal");
        }
    }

    fn check_counts(&self, problems: &mut Problems) {
        let rate = self
            .rate_spike
            .ratios
            .iter()
            .map(|ratio| ("rate_spike.ratios", ratio));
        let burst = self
            .failure_burst
            .ratios
            .iter()
            .map(|ratio| ("failure_burst.ratios", ratio));
        let data = self.data_volume_spike.ratios.iter();
        let data = data.map(|ratio| ("data_volume_spike.ratios", ratio));
        for (key, ratio) in rate.chain(burst).chain(data) {
            if !(1.0..=1e6).contains(ratio) {
                problems.add(key, "every ratio must lie between 1 and 1,000,000");
            }
        }
        let floors = [
            ("rate_spike.floors", &self.rate_spike.floors[..]),
            ("failure_burst.floors", &self.failure_burst.floors[..]),
            ("failure_burst.blatant", &self.failure_burst.blatant[..]),
        ];
        for (key, values) in floors {
            if values.contains(&0) {
                problems.add(key, "every count must be at least 1");
            }
        }
        for (key, share) in [
            ("failure_burst.min_share", self.failure_burst.min_share),
            (
                "failure_burst.blatant_share",
                self.failure_burst.blatant_share,
            ),
            ("fleet_failure.fleet_share", self.fleet_failure.fleet_share),
            ("fleet_failure.group_share", self.fleet_failure.group_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                problems.add(key, "must lie between 0 and 1");
            }
        }
        self.new_geography.check(problems);
        self.impossible_travel.check(problems);
        self.concurrent_use.check(problems);
        self.token_sharing.check(problems);
        self.long_lived_token.check(problems);
        self.rotation_overdue.check(problems);
        self.quota_approach.check(problems);
        self.blind_window.check(problems);
    }
}

#[cfg(test)]
mod tests;
