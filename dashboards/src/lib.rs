//! The HTTP API and the console.
//!
//! Everything that people see comes from here: JSON under `/api/v1`, live updates as server-sent events, the console's
//! files, and the service's health and metrics. The crate reads the store and two watched values that the binary keeps
//! ([`PipelineStatus`], [`Readiness`]); it changes nothing but accounts, sessions and the audit trail;
//! what is known of tokens it hands to the binary ([`Registrar`]).

mod api;
mod assets;
mod auth;
mod config;
mod explainer;
mod headers;
mod limits;
mod live;
mod metrics;
mod problem;
mod registrar;
mod respond;
mod router;
mod routing;
mod service;
mod state;
mod status;

pub use auth::{AccountError, FIRST_ADMIN, Role, create_user, ensure_first_admin, set_password};
pub use config::{DashboardsConfig, DashboardsSettings, SessionLimits};
pub use explainer::Explainer;
pub use live::{LiveEvent, LiveStats};
pub use metrics::DashboardsMetrics;
pub use registrar::{Registrar, RegistrarError};
pub use router::router;
pub use routing::RouteTeller;
pub use state::{DashboardError, DashboardParts, DashboardState};
pub use status::{
    Component, ComponentState, EngineStatus, NotReady, PipelineLatency, PipelineStatus, Readiness,
    StreamLag,
};
