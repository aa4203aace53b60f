//! The log formats that gateways write, under their contract names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The format that an event was decoded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Kong's file-log, http-log and kafka-log.
    Kong,
    /// Envoy's text or JSON access log.
    Envoy,
    /// Istio's JSON access log.
    Istio,
    /// nginx, combined or JSON.
    Nginx,
    /// Caddy's structured log.
    Caddy,
    /// AWS CloudTrail's records.
    Cloudtrail,
    /// JSON pointers from the configuration.
    Mapped,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::Kong,
        Self::Envoy,
        Self::Istio,
        Self::Nginx,
        Self::Caddy,
        Self::Cloudtrail,
        Self::Mapped,
    ];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kong => "kong",
            Self::Envoy => "envoy",
            Self::Istio => "istio",
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Cloudtrail => "cloudtrail",
            Self::Mapped => "mapped",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
