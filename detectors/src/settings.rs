//! The configuration once it is known to be valid, with everything computed that depends on it alone.

use std::sync::Arc;

use tokenwatch_model::Detector;

use crate::config::{
    DetectorMode, DetectorsConfig, DormantReactivationConfig, EndConfig, EndpointEnumerationConfig,
    FailureBurstConfig, FleetFailureConfig, LongLivedTokenConfig, NewEndpointConfig,
    PrivilegeUseConfig, QuotaApproachConfig, RotationOverdueConfig,
};
use crate::detect::blind_window::BlindWindowConfig;
use crate::detect::concurrent_use::ConcurrentUseConfig;
use crate::detect::impossible_travel::ImpossibleTravelConfig;
use crate::detect::new_client::NewClientConfig;
use crate::detect::new_geography::NewGeographyConfig;
use crate::detect::token_sharing::TokenSharingConfig;
use crate::habit::ScaleSpec;
use crate::policy::Policies;
use crate::registry::Registry;
use crate::route_pattern::RoutePattern;
use crate::rules::{Matched, Rules};
use crate::sources::{CredentialStuffingConfig, TokenGuessingConfig};
use crate::stats::QuantileTable;

/// Validated settings of the engine and its detectors; made by [`DetectorsConfig::validate`].
#[derive(Clone, Debug)]
pub struct DetectorSettings {
    pub(crate) max_tokens: usize,
    pub(crate) max_cases: usize,
    pub(crate) lateness_micros: i64,
    pub(crate) future_micros: i64,
    pub(crate) mature_days: u16,
    pub(crate) min_calls: u32,
    pub(crate) alpha_signal: f64,
    pub(crate) alpha_finding: f64,
    pub(crate) alpha_now: f64,
    pub(crate) signal_quantiles: QuantileTable,
    pub(crate) finding_quantiles: QuantileTable,
    pub(crate) rate_scales: [ScaleSpec; 5],
    pub(crate) failure_scales: [ScaleSpec; 4],
    pub(crate) failure: FailureBurstConfig,
    pub(crate) new_endpoint: NewEndpointConfig,
    pub(crate) privilege: PrivilegeUseConfig,
    pub(crate) privileged_routes: Vec<RoutePattern>,
    pub(crate) enumeration: EndpointEnumerationConfig,
    pub(crate) enumeration_scales: [ScaleSpec; 2],
    pub(crate) geography: NewGeographyConfig,
    pub(crate) travel: ImpossibleTravelConfig,
    pub(crate) concurrent: ConcurrentUseConfig,
    pub(crate) client: NewClientConfig,
    pub(crate) sharing: TokenSharingConfig,
    pub(crate) fleet: FleetFailureConfig,
    pub(crate) blind: BlindWindowConfig,
    pub(crate) volume_scales: [ScaleSpec; 2],
    pub(crate) dormant: DormantReactivationConfig,
    pub(crate) stuffing: CredentialStuffingConfig,
    pub(crate) guessing: TokenGuessingConfig,
    pub(crate) policies: Policies,
    pub(crate) expired: EndConfig,
    pub(crate) revoked: EndConfig,
    pub(crate) long_lived: LongLivedTokenConfig,
    pub(crate) rotation: RotationOverdueConfig,
    pub(crate) quota: QuotaApproachConfig,
    /// What is known of single tokens; not part of the configuration.
    pub(crate) registry: Arc<Registry>,
    modes: [DetectorMode; Detector::ALL.len()],
    pub(crate) rules: Rules,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        DetectorsConfig::default()
            .validate("detectors")
            .expect("a test keeps the defaults valid")
    }
}

impl DetectorSettings {
    /// The same settings, with what is known of single tokens.
    #[must_use]
    pub fn with_registry(mut self, registry: Arc<Registry>) -> Self {
        self.registry = registry;
        self
    }

    /// KiB in ten minutes and in a day below which data does not matter.
    pub(crate) fn volume_floors(&self) -> [u32; 2] {
        [self.volume_scales[0].floor, self.volume_scales[1].floor]
    }

    /// What `detector` may do about this call.
    pub(crate) fn mode(&self, detector: Detector, call: &Matched<'_>) -> DetectorMode {
        self.rules
            .mode(detector, call)
            .unwrap_or(self.modes[detector as usize])
    }
}

/// The settings that a valid configuration means.
pub(crate) fn from_valid(
    config: &DetectorsConfig,
    policies: Policies,
    rules: Rules,
    privileged_routes: Vec<RoutePattern>,
) -> DetectorSettings {
    let rate = &config.rate_spike;
    let failure = &config.failure_burst;
    let enumeration = &config.endpoint_enumeration;
    let micros = |duration: std::time::Duration| {
        i64::try_from(duration.as_micros())
            .unwrap_or(i64::MAX / 4)
            .min(i64::MAX / 4)
    };
    DetectorSettings {
        max_tokens: config.max_tokens as usize,
        max_cases: config.max_cases as usize,
        lateness_micros: micros(config.allowed_lateness),
        future_micros: micros(config.future_limit),
        mature_days: config.mature_days,
        min_calls: config.min_calls,
        alpha_signal: config.alpha_signal,
        alpha_finding: config.alpha_finding,
        alpha_now: config.alpha_now,
        signal_quantiles: QuantileTable::new(config.alpha_signal),
        finding_quantiles: QuantileTable::new(config.alpha_finding),
        rate_scales: std::array::from_fn(|index| ScaleSpec {
            prior_spread: crate::habit::RATE_PRIOR_SPREADS[index],
            floor: rate.floors[index],
            ratio: rate.ratios[index],
        }),
        failure_scales: std::array::from_fn(|index| ScaleSpec {
            prior_spread: crate::habit::FAILURE_PRIOR_SPREADS[index],
            floor: failure.floors[index],
            ratio: failure.ratios[index],
        }),
        failure: failure.clone(),
        new_endpoint: config.new_endpoint.clone(),
        privilege: config.privilege_use.clone(),
        privileged_routes,
        enumeration: enumeration.clone(),
        enumeration_scales: crate::habit::DISTINCT_PRIOR_SPREADS.map(|prior_spread| ScaleSpec {
            prior_spread,
            floor: enumeration.floor,
            ratio: enumeration.ratio,
        }),
        geography: config.new_geography.clone(),
        travel: config.impossible_travel.clone(),
        concurrent: config.concurrent_use.clone(),
        client: config.new_client.clone(),
        sharing: config.token_sharing.clone(),
        fleet: config.fleet_failure.clone(),
        blind: config.blind_window.clone(),
        volume_scales: std::array::from_fn(|index| ScaleSpec {
            prior_spread: crate::habit::VOLUME_PRIOR_SPREADS[index],
            floor: u32::try_from(config.data_volume_spike.floors_kib[index]).unwrap_or(u32::MAX),
            ratio: config.data_volume_spike.ratios[index],
        }),
        dormant: config.dormant_reactivation.clone(),
        stuffing: config.credential_stuffing.clone(),
        guessing: config.token_guessing.clone(),
        policies,
        expired: config.expired_token_use.clone(),
        revoked: config.revoked_token_use.clone(),
        long_lived: config.long_lived_token.clone(),
        rotation: config.rotation_overdue.clone(),
        quota: config.quota_approach.clone(),
        registry: Arc::default(),
        modes: Detector::ALL.map(|detector| mode_of(config, detector)),
        rules,
    }
}

fn mode_of(config: &DetectorsConfig, detector: Detector) -> DetectorMode {
    match detector {
        Detector::RateSpike => config.rate_spike.mode,
        Detector::NewGeography => config.new_geography.mode,
        Detector::ImpossibleTravel => config.impossible_travel.mode,
        Detector::ConcurrentUse => config.concurrent_use.mode,
        Detector::NewClient => config.new_client.mode,
        Detector::TokenSharing => config.token_sharing.mode,
        Detector::FailureBurst => config.failure_burst.mode,
        Detector::OutOfScope => config.out_of_scope.mode,
        Detector::NewEndpoint => config.new_endpoint.mode,
        Detector::PrivilegeUse => config.privilege_use.mode,
        Detector::EndpointEnumeration => config.endpoint_enumeration.mode,
        Detector::FleetFailure => config.fleet_failure.mode,
        Detector::BlindWindow => config.blind_window.mode,
        Detector::CredentialStuffing => config.credential_stuffing.mode,
        Detector::TokenGuessing => config.token_guessing.mode,
        Detector::DataVolumeSpike => config.data_volume_spike.mode,
        Detector::OffHoursUse => config.off_hours_use.mode,
        Detector::SlowDrift => config.slow_drift.mode,
        Detector::DormantReactivation => config.dormant_reactivation.mode,
        Detector::TokenInUrl => config.token_in_url.mode,
        Detector::InsecureTransport => config.insecure_transport.mode,
        Detector::IpNotAllowed => config.ip_not_allowed.mode,
        Detector::GeofenceViolation => config.geofence_violation.mode,
        Detector::ExpiredTokenUse => config.expired_token_use.mode,
        Detector::RevokedTokenUse => config.revoked_token_use.mode,
        Detector::LongLivedToken => config.long_lived_token.mode,
        Detector::RotationOverdue => config.rotation_overdue.mode,
        Detector::QuotaApproach => config.quota_approach.mode,
        Detector::JwtWeakness => config.jwt_weakness.mode,
        Detector::BindingMismatch => config.binding_mismatch.mode,
        Detector::LeakedToken => config.leaked_token.mode,
    }
}
