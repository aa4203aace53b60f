//! One file per format; [`crate::format`] is the registry.

pub(crate) mod apisix;
pub(crate) mod auto;
pub(crate) mod aws_alb;
pub(crate) mod aws_apigw;
mod aws_principal;
pub(crate) mod azure_apim;
pub(crate) mod caddy;
pub(crate) mod cloudflare;
pub(crate) mod cloudtrail;
pub(crate) mod ecs;
pub(crate) mod envoy;
pub(crate) mod gcp;
pub(crate) mod haproxy;
mod headers;
pub(crate) mod istio;
pub(crate) mod k8s_audit;
pub(crate) mod kong;
pub(crate) mod krakend;
pub(crate) mod mapped;
pub(crate) mod nginx;
pub(crate) mod ocsf;
pub(crate) mod otlp;
pub(crate) mod traefik;
pub(crate) mod tyk;
mod url;
