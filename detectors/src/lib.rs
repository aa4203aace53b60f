//! From access events to signals and findings: the engine that learns what is normal for every token.
//!
//! Pure: no I/O, no clock, no threads. Only event time exists, so live traffic, replays and tests run the same code, and
//! the same events give the same findings in batches of any size. [`Engine::process`] takes decoded events,
//! [`Engine::checkpoint`] gives what changed, and [`Engine::restore`] goes on from there as if nothing had happened.
//!
//! How it hangs together: [`Engine`] admits an event by its stream's clock, moves its token's own time on, lets each
//! detector look at it, and hands hits to the token's case, which weighs evidence and keeps episodes.

mod arrival;
mod asides;
mod calendar;
mod case;
mod clients;
mod common_cause;
mod commons;
mod config;
mod contest;
mod coverage;
mod detect;
mod distinct;
mod endpoints;
mod engine;
mod episode;
mod event_clock;
mod explain;
mod failures;
mod habit;
mod hit;
mod incident;
mod known;
mod log_count;
mod novelty;
mod operations;
mod organisation;
mod parts;
mod places;
mod policy;
mod prefixes;
mod privilege;
mod profile;
mod quotas;
mod rate;
mod registry;
mod risk;
mod route_pattern;
mod route_template;
mod rules;
mod samples;
mod scope;
mod scope_audit;
mod settings;
mod sources;
mod stats;
mod subject;
mod token;
mod token_table;
mod travel;
mod volume;
mod whereabouts;
mod wording;

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

pub use config::{
    AllowConfig, DataVolumeSpikeConfig, DetectorMode, DetectorsConfig, DormantReactivationConfig,
    ExceptionConfig, FailureBurstConfig, FleetFailureConfig, ModeConfig, OutOfScopeConfig,
    OverrideConfig, PolicyConfig, RateSpikeConfig, ScopeConfig,
};
pub use config::{EndConfig, LongLivedTokenConfig, QuotaApproachConfig, RotationOverdueConfig};
pub use config::{EndpointEnumerationConfig, NewEndpointConfig, PrivilegeUseConfig};
pub use config::{OpenApiConfig, OperationConfig, RequiredScopes};
pub use detect::blind_window::BlindWindowConfig;
pub use detect::concurrent_use::ConcurrentUseConfig;
pub use detect::impossible_travel::ImpossibleTravelConfig;
pub use detect::new_client::NewClientConfig;
pub use detect::new_geography::NewGeographyConfig;
pub use detect::token_sharing::TokenSharingConfig;
pub use engine::{Detections, Engine, EngineDelta, EngineStats, RestoreError, TokenDelta};
pub use registry::Registry;
pub use scope_audit::{ScopeAudit, ScopeUse};
pub use settings::DetectorSettings;
pub use sources::{CredentialStuffingConfig, TokenGuessingConfig};

/// A fixed hash of a text, the same on every run.
fn hash_text(text: &str) -> u64 {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// A fixed hash of an address.
fn hash_ip(ip: IpAddr) -> u64 {
    foldhash::quality::FixedState::default().hash_one(ip)
}
