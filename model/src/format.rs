//! The log formats that gateways write, under their contract names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The format that an event was decoded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Traefik's access log, JSON or its own text.
    Traefik,
    /// HAProxy's httplog and httpslog, or JSON.
    Haproxy,
    /// Apache APISIX's loggers.
    Apisix,
    /// Tyk Pump's records.
    Tyk,
    /// KrakenD's access log, gin's text or JSON.
    Krakend,
    /// OpenTelemetry logs as JSON.
    Otlp,
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework.
    Ocsf,
    /// JSON pointers from the configuration.
    Mapped,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 21] = [
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
        Self::Traefik,
        Self::Haproxy,
        Self::Apisix,
        Self::Tyk,
        Self::Krakend,
        Self::Otlp,
        Self::Ecs,
        Self::Ocsf,
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
            Self::Traefik => "traefik",
            Self::Haproxy => "haproxy",
            Self::Apisix => "apisix",
            Self::Tyk => "tyk",
            Self::Krakend => "krakend",
            Self::Otlp => "otlp",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::Mapped => "mapped",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
