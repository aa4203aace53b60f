//! The catalogue of detectors: their contract names and the family of evidence that each belongs to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A detector, under the name it has in findings, configuration, metrics and documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// More calls than this token makes at its busiest.
    RateSpike,
    /// More bytes sent to this token than on its heaviest days.
    DataVolumeSpike,
    /// More failed calls than this token has at its worst.
    FailureBurst,
    /// More distinct endpoints or objects than this token ever walks through.
    EndpointEnumeration,
    /// Calls at an hour of the week at which this token sleeps.
    OffHoursUse,
    /// A volume that creeps up day after day.
    SlowDrift,
    /// Calls from a country or network that this token does not come from.
    NewGeography,
    /// Two calls further apart than anyone travels in between.
    ImpossibleTravel,
    /// Two parties that use the token at the same time.
    ConcurrentUse,
    /// A client program that this token does not come with.
    NewClient,
    /// More networks within an hour than one party has.
    TokenSharing,
    /// Calls that policy does not allow this token to make.
    OutOfScope,
    /// An endpoint that this token never called.
    NewEndpoint,
    /// A privileged operation that this token never did.
    PrivilegeUse,
    /// A source that tries many tokens, most of which are refused.
    CredentialStuffing,
    /// A source that guesses for a token that is accepted.
    TokenGuessing,
    /// A token that comes back after a long silence.
    DormantReactivation,
    /// A call that crossed the network without TLS.
    InsecureTransport,
    /// A token in a URL, where proxies and browsers keep it.
    TokenInUrl,
    /// So many tokens that fail, or surge, together that no single one is to blame.
    FleetFailure,
    /// A call from a network that the token may not be used from.
    IpNotAllowed,
    /// A call from a country that the token may not be used from.
    GeofenceViolation,
    /// A token that is let in after its end.
    ExpiredTokenUse,
    /// A token that is let in after it was revoked.
    RevokedTokenUse,
    /// A token that lives longer than any should.
    LongLivedToken,
    /// A token that should have been replaced by now.
    RotationOverdue,
    /// A token that will have used up its quota before it is renewed.
    QuotaApproach,
    /// A time in which part of the traffic, or all of it, was not seen.
    BlindWindow,
    /// A JWT that should not have been issued so, or let in.
    JwtWeakness,
    /// A token that is used by somebody without the key it is bound to, or with another TLS client.
    BindingMismatch,
    /// A token that was found where everybody can read it.
    LeakedToken,
}

/// A family of evidence: within one, only the strongest counts; across families, evidence adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Where the token is used from.
    Location,
    /// Which program uses it.
    Client,
    /// How much it is used.
    Volume,
    /// How often it fails.
    Abuse,
    /// What it is used for.
    Scope,
    /// When it is used.
    Tempo,
    /// What its source does to other tokens.
    Source,
    /// How it is handled.
    Hygiene,
    /// What happens to everybody.
    Fleet,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 9] = [
        Self::Location,
        Self::Client,
        Self::Volume,
        Self::Abuse,
        Self::Scope,
        Self::Tempo,
        Self::Source,
        Self::Hygiene,
        Self::Fleet,
    ];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Location => "location",
            Self::Client => "client",
            Self::Volume => "volume",
            Self::Abuse => "abuse",
            Self::Scope => "scope",
            Self::Tempo => "tempo",
            Self::Source => "source",
            Self::Hygiene => "hygiene",
            Self::Fleet => "fleet",
        }
    }
}

impl Detector {
    /// Every detector, in the order of the documentation.
    pub const ALL: [Self; 31] = [
        Self::RateSpike,
        Self::DataVolumeSpike,
        Self::FailureBurst,
        Self::EndpointEnumeration,
        Self::OffHoursUse,
        Self::SlowDrift,
        Self::NewGeography,
        Self::ImpossibleTravel,
        Self::ConcurrentUse,
        Self::NewClient,
        Self::TokenSharing,
        Self::OutOfScope,
        Self::NewEndpoint,
        Self::PrivilegeUse,
        Self::CredentialStuffing,
        Self::TokenGuessing,
        Self::DormantReactivation,
        Self::InsecureTransport,
        Self::TokenInUrl,
        Self::FleetFailure,
        Self::IpNotAllowed,
        Self::GeofenceViolation,
        Self::ExpiredTokenUse,
        Self::RevokedTokenUse,
        Self::LongLivedToken,
        Self::RotationOverdue,
        Self::QuotaApproach,
        Self::BlindWindow,
        Self::JwtWeakness,
        Self::BindingMismatch,
        Self::LeakedToken,
    ];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateSpike => "rate_spike",
            Self::DataVolumeSpike => "data_volume_spike",
            Self::FailureBurst => "failure_burst",
            Self::EndpointEnumeration => "endpoint_enumeration",
            Self::OffHoursUse => "off_hours_use",
            Self::SlowDrift => "slow_drift",
            Self::NewGeography => "new_geography",
            Self::ImpossibleTravel => "impossible_travel",
            Self::ConcurrentUse => "concurrent_use",
            Self::NewClient => "new_client",
            Self::TokenSharing => "token_sharing",
            Self::OutOfScope => "out_of_scope",
            Self::NewEndpoint => "new_endpoint",
            Self::PrivilegeUse => "privilege_use",
            Self::CredentialStuffing => "credential_stuffing",
            Self::TokenGuessing => "token_guessing",
            Self::DormantReactivation => "dormant_reactivation",
            Self::InsecureTransport => "insecure_transport",
            Self::TokenInUrl => "token_in_url",
            Self::FleetFailure => "fleet_failure",
            Self::IpNotAllowed => "ip_not_allowed",
            Self::GeofenceViolation => "geofence_violation",
            Self::ExpiredTokenUse => "expired_token_use",
            Self::RevokedTokenUse => "revoked_token_use",
            Self::LongLivedToken => "long_lived_token",
            Self::RotationOverdue => "rotation_overdue",
            Self::QuotaApproach => "quota_approach",
            Self::BlindWindow => "blind_window",
            Self::JwtWeakness => "jwt_weakness",
            Self::BindingMismatch => "binding_mismatch",
            Self::LeakedToken => "leaked_token",
        }
    }

    /// The family of its evidence.
    pub const fn family(self) -> Family {
        match self {
            Self::RateSpike | Self::DataVolumeSpike | Self::SlowDrift | Self::QuotaApproach => {
                Family::Volume
            }
            Self::FailureBurst => Family::Abuse,
            Self::NewGeography
            | Self::ImpossibleTravel
            | Self::ConcurrentUse
            | Self::TokenSharing
            | Self::IpNotAllowed
            | Self::GeofenceViolation => Family::Location,
            Self::NewClient | Self::BindingMismatch => Family::Client,
            Self::OutOfScope
            | Self::NewEndpoint
            | Self::PrivilegeUse
            | Self::EndpointEnumeration => Family::Scope,
            Self::OffHoursUse
            | Self::DormantReactivation
            | Self::ExpiredTokenUse
            | Self::RevokedTokenUse => Family::Tempo,
            Self::CredentialStuffing | Self::TokenGuessing => Family::Source,
            Self::InsecureTransport
            | Self::TokenInUrl
            | Self::JwtWeakness
            | Self::LeakedToken
            | Self::LongLivedToken
            | Self::RotationOverdue => Family::Hygiene,
            Self::FleetFailure | Self::BlindWindow => Family::Fleet,
        }
    }

    /// Whether it tells a fact that somebody should see to, and nothing about who uses the token: it weighs nothing, and
    /// what else speaks against the token never makes it graver.
    pub const fn is_advice(self) -> bool {
        matches!(
            self,
            Self::LongLivedToken | Self::RotationOverdue | Self::QuotaApproach
        )
    }

    /// What it sees, as part of a sentence: `with calls from a new place`.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::RateSpike => "more calls than ever",
            Self::DataVolumeSpike => "more data than ever",
            Self::FailureBurst => "a failure burst",
            Self::EndpointEnumeration => "enumeration",
            Self::OffHoursUse => "use at an unusual hour",
            Self::SlowDrift => "a slowly growing volume",
            Self::NewGeography => "calls from a new place",
            Self::ImpossibleTravel => "impossible travel",
            Self::ConcurrentUse => "use by two parties at once",
            Self::NewClient => "a new client",
            Self::TokenSharing => "use from many networks",
            Self::OutOfScope => "out-of-scope calls",
            Self::NewEndpoint => "calls to new endpoints",
            Self::PrivilegeUse => "privileged calls",
            Self::CredentialStuffing => "credential stuffing from the same source",
            Self::TokenGuessing => "token guessing from the same source",
            Self::DormantReactivation => "use after a long silence",
            Self::InsecureTransport => "calls without TLS",
            Self::TokenInUrl => "the token in URLs",
            Self::FleetFailure => "a failure of the fleet",
            Self::IpNotAllowed => "use from a network that is not allowed",
            Self::GeofenceViolation => "use from a country that is not allowed",
            Self::ExpiredTokenUse => "use after its end",
            Self::RevokedTokenUse => "use after its revocation",
            Self::LongLivedToken => "a very long life",
            Self::RotationOverdue => "an overdue rotation",
            Self::QuotaApproach => "a quota that runs out",
            Self::BlindWindow => "a blind window",
            Self::JwtWeakness => "a weak JWT",
            Self::BindingMismatch => "use without the key it is bound to",
            Self::LeakedToken => "a leak",
        }
    }

    /// MITRE ATT&CK techniques that its findings point at.
    pub const fn attack(self) -> &'static [&'static str] {
        match self {
            Self::RateSpike => &["T1550.001", "T1530"],
            Self::DataVolumeSpike | Self::SlowDrift => &["T1530", "T1567"],
            Self::NewGeography
            | Self::ImpossibleTravel
            | Self::ConcurrentUse
            | Self::NewClient
            | Self::TokenSharing
            | Self::OutOfScope
            | Self::NewEndpoint
            | Self::OffHoursUse
            | Self::DormantReactivation
            | Self::IpNotAllowed
            | Self::GeofenceViolation
            | Self::ExpiredTokenUse
            | Self::RevokedTokenUse
            | Self::BindingMismatch => &["T1550.001", "T1078.004"],
            Self::PrivilegeUse => &["T1078.004", "T1098.001"],
            Self::FailureBurst => &["T1110", "T1595.003"],
            Self::EndpointEnumeration => &["T1087.004", "T1580"],
            Self::CredentialStuffing => &["T1110.004"],
            Self::TokenGuessing => &["T1110.001"],
            Self::InsecureTransport => &["T1040"],
            Self::TokenInUrl => &["T1552"],
            Self::JwtWeakness => &["T1606"],
            Self::LeakedToken => &["T1552.001", "T1528"],
            Self::FleetFailure
            | Self::BlindWindow
            | Self::LongLivedToken
            | Self::RotationOverdue
            | Self::QuotaApproach => &[],
        }
    }

    /// OWASP API Security Top 10 (2023) risks that its findings point at.
    pub const fn owasp(self) -> &'static [&'static str] {
        match self {
            Self::RateSpike => &["API4:2023", "API2:2023"],
            Self::DataVolumeSpike | Self::SlowDrift => &["API4:2023", "API6:2023"],
            Self::NewGeography
            | Self::ImpossibleTravel
            | Self::ConcurrentUse
            | Self::NewClient
            | Self::TokenSharing
            | Self::OffHoursUse
            | Self::DormantReactivation
            | Self::CredentialStuffing
            | Self::TokenGuessing
            | Self::IpNotAllowed
            | Self::GeofenceViolation
            | Self::ExpiredTokenUse
            | Self::RevokedTokenUse
            | Self::LongLivedToken
            | Self::RotationOverdue
            | Self::JwtWeakness
            | Self::BindingMismatch
            | Self::LeakedToken => &["API2:2023"],
            Self::FailureBurst => &["API2:2023", "API1:2023"],
            Self::OutOfScope | Self::PrivilegeUse | Self::NewEndpoint => &["API5:2023"],
            Self::EndpointEnumeration => &["API1:2023", "API9:2023"],
            Self::InsecureTransport | Self::TokenInUrl => &["API8:2023"],
            Self::QuotaApproach => &["API4:2023"],
            Self::FleetFailure | Self::BlindWindow => &[],
        }
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Detector {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|detector| detector.name() == name)
            .ok_or_else(|| format!("no detector is called {name:?}"))
    }
}
