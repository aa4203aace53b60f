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
    /// AWS API Gateway's access log.
    AwsApigw,
    /// AWS Application Load Balancer's access log.
    AwsAlb,
    /// Google Cloud Logging: gateways and audit logs.
    Gcp,
    /// Azure API Management's gateway logs.
    AzureApim,
    /// Cloudflare Logpush's HTTP requests.
    Cloudflare,
    /// Kubernetes' audit log.
    K8sAudit,
    /// JSON pointers from the configuration.
    Mapped,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 13] = [
        Self::Kong,
        Self::Envoy,
        Self::Istio,
        Self::Nginx,
        Self::Caddy,
        Self::Cloudtrail,
        Self::AwsApigw,
        Self::AwsAlb,
        Self::Gcp,
        Self::AzureApim,
        Self::Cloudflare,
        Self::K8sAudit,
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
            Self::AwsApigw => "aws-apigw",
            Self::AwsAlb => "aws-alb",
            Self::Gcp => "gcp",
            Self::AzureApim => "azure-apim",
            Self::Cloudflare => "cloudflare",
            Self::K8sAudit => "k8s-audit",
            Self::Mapped => "mapped",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
