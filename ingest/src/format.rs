//! The registry of formats: which one a record is in, and who reads it.
//!
//! A format is one file under `formats/`, one variant of `model::Format`, one arm here, one folder of fixtures and one
//! section of `docs/formats.md`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tokenwatch_model::Format;

use crate::call::Call;
use crate::decoder_config::DecoderSettings;
use crate::envelope;
use crate::flat::Flat;
use crate::formats::apisix::Apisix;
use crate::formats::aws_alb;
use crate::formats::aws_apigw::{self, AwsApigw};
use crate::formats::azure_apim::{self, AzureApim};
use crate::formats::cloudflare::Cloudflare;
use crate::formats::cloudtrail::{self, CloudTrail};
use crate::formats::ecs::Ecs;
use crate::formats::gcp::Gcp;
use crate::formats::haproxy::{self, Haproxy};
use crate::formats::k8s_audit::{self, K8sAudit};
use crate::formats::krakend::{self, Krakend};
use crate::formats::ocsf::Ocsf;
use crate::formats::traefik::{self, Traefik};
use crate::formats::tyk::Tyk;
use crate::formats::{caddy::Caddy, envoy, istio::Istio, kong::Kong, mapped, nginx, otlp};
use crate::json::{self, Fields};
use crate::reject::RejectReason;

/// The format that the operator says records are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FormatChoice {
    /// Each record is looked at.
    #[default]
    Auto,
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

impl FormatChoice {
    /// Every choice.
    pub const ALL: [Self; 22] = [
        Self::Auto,
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

    /// The format, unless it is to be recognised.
    pub const fn format(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Kong => Some(Format::Kong),
            Self::Envoy => Some(Format::Envoy),
            Self::Istio => Some(Format::Istio),
            Self::Nginx => Some(Format::Nginx),
            Self::Caddy => Some(Format::Caddy),
            Self::Cloudtrail => Some(Format::Cloudtrail),
            Self::AwsApigw => Some(Format::AwsApigw),
            Self::AwsAlb => Some(Format::AwsAlb),
            Self::Gcp => Some(Format::Gcp),
            Self::AzureApim => Some(Format::AzureApim),
            Self::Cloudflare => Some(Format::Cloudflare),
            Self::K8sAudit => Some(Format::K8sAudit),
            Self::Traefik => Some(Format::Traefik),
            Self::Haproxy => Some(Format::Haproxy),
            Self::Apisix => Some(Format::Apisix),
            Self::Tyk => Some(Format::Tyk),
            Self::Krakend => Some(Format::Krakend),
            Self::Otlp => Some(Format::Otlp),
            Self::Ecs => Some(Format::Ecs),
            Self::Ocsf => Some(Format::Ocsf),
            Self::Mapped => Some(Format::Mapped),
        }
    }

    /// The name on the command line and in the configuration.
    pub const fn name(self) -> &'static str {
        match self.format() {
            None => "auto",
            Some(format) => format.name(),
        }
    }
}

impl fmt::Display for FormatChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FormatChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|choice| choice.name()).collect();
                format!(
                    "no format is called {name:?}; there are {}",
                    names.join(", ")
                )
            })
    }
}

/// Takes the calls of a document one by one; says whether it takes more.
pub(crate) trait CallSink<'a> {
    /// Takes a call, or why there is none.
    fn take(&mut self, call: Result<Call<'a>, RejectReason>) -> bool;
}

/// Hands the calls of `document`, which is in `format`, to `sink`. An error says that the document broke off.
pub(crate) fn read<'a>(
    format: Format,
    document: &'a str,
    settings: &'a DecoderSettings,
    sink: &mut impl CallSink<'a>,
) -> Result<(), RejectReason> {
    let names = &settings.names;
    let is_json = document.starts_with(['{', '[']);
    match format {
        Format::Kong => read_json(document, || Kong::new(names), sink),
        Format::Caddy => read_json(document, || Caddy::new(names), sink),
        Format::Istio => read_json(document, || Istio::new(names), sink),
        Format::Envoy if is_json && !envoy::is_text(document) => {
            read_json(document, || envoy::Envoy::new(names), sink)
        }
        Format::Envoy => read_text(envoy::read_text(document), sink),
        Format::Nginx if is_json => read_json(document, || nginx::Nginx::new(names), sink),
        Format::Nginx => read_text(nginx::read_combined(document), sink),
        Format::Cloudtrail => {
            read_enveloped(document, &cloudtrail::ENVELOPES, CloudTrail::default, sink)
        }
        Format::AwsApigw => read_json(document, || AwsApigw::new(names), sink),
        Format::AwsAlb => read_text(aws_alb::read(document), sink),
        Format::Gcp => read_json(document, Gcp::default, sink),
        Format::AzureApim => {
            let new = || AzureApim::new(names);
            read_enveloped(document, &azure_apim::ENVELOPES, new, sink)
        }
        Format::Cloudflare => read_json(document, || Cloudflare::new(names), sink),
        Format::K8sAudit => {
            read_enveloped(document, &k8s_audit::ENVELOPES, K8sAudit::default, sink)
        }
        Format::Traefik if is_json => read_json(document, || Traefik::new(names), sink),
        Format::Traefik => read_text(traefik::read_text(document), sink),
        Format::Haproxy if is_json => read_json(document, || Flat::new(Haproxy::new(names)), sink),
        Format::Haproxy => read_text(haproxy::read_text(document, names), sink),
        Format::Apisix => read_json(document, || Apisix::new(names), sink),
        Format::Tyk => read_json(document, Tyk::default, sink),
        Format::Krakend if document.starts_with('{') => {
            read_json(document, || Krakend::new(names), sink)
        }
        Format::Krakend => read_text(krakend::read_text(document), sink),
        Format::Otlp => otlp::read(document, names, sink),
        Format::Ecs => read_json(document, || Flat::new(Ecs::new(names)), sink),
        Format::Ocsf => read_json(document, || Flat::new(Ocsf::new(names)), sink),
        Format::Mapped => match &settings.mapped {
            Some(plan) => mapped::read(document, plan, names, sink),
            None => Err(RejectReason::UnknownFormat),
        },
    }
}

fn read_json<'a, F: Fields<'a> + Into<Call<'a>>>(
    document: &'a str,
    new: impl FnMut() -> F,
    sink: &mut impl CallSink<'a>,
) -> Result<(), RejectReason> {
    json::read_document(document, new, |fields| {
        sink.take(
            fields
                .map(Into::into)
                .ok_or(RejectReason::MissingRequiredField),
        )
    })
    .map_err(|_| RejectReason::InvalidJson)
}

fn read_enveloped<'a, F: Fields<'a> + Into<Call<'a>>>(
    document: &'a str,
    keys: &[&str],
    new: impl FnMut() -> F,
    sink: &mut impl CallSink<'a>,
) -> Result<(), RejectReason> {
    envelope::read_document(document, keys, new, |fields| {
        sink.take(
            fields
                .map(Into::into)
                .ok_or(RejectReason::MissingRequiredField),
        )
    })
    .map_err(|_| RejectReason::InvalidJson)
}

/// What a document that is no JSON was meant to be, if its format is known to be written wrongly.
pub(crate) fn repaired(format: Format, document: &str) -> Option<String> {
    match format {
        Format::Nginx => nginx::repair_json(document),
        Format::AwsApigw => aws_apigw::repair_json(document),
        _ => None,
    }
}

fn read_text<'a>(call: Option<Call<'a>>, sink: &mut impl CallSink<'a>) -> Result<(), RejectReason> {
    sink.take(Ok(call.ok_or(RejectReason::InvalidLine)?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_found_by_its_name() {
        for choice in FormatChoice::ALL {
            assert_eq!(choice.name().parse(), Ok(choice));
            assert_eq!(serde_json::to_value(choice).unwrap(), choice.name());
        }
        assert!(
            "kongo"
                .parse::<FormatChoice>()
                .unwrap_err()
                .contains("auto, kong")
        );
    }

    #[test]
    fn every_format_can_be_chosen() {
        for format in Format::ALL {
            assert!(
                FormatChoice::ALL
                    .iter()
                    .any(|choice| choice.format() == Some(format)),
                "{format}"
            );
        }
    }
}
