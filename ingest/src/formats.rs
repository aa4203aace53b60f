//! One file per format; [`crate::format`] is the registry.

pub(crate) mod auto;
mod aws_principal;
pub(crate) mod caddy;
pub(crate) mod cloudtrail;
pub(crate) mod envoy;
mod headers;
pub(crate) mod istio;
pub(crate) mod kong;
pub(crate) mod mapped;
pub(crate) mod nginx;
