//! Metrics of the API and the console.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Handles of this crate's metrics.
#[derive(Clone, Debug, Default)]
pub struct DashboardsMetrics {
    /// Answers by route and class of status.
    pub requests: Family<RequestLabels, Counter>,
    /// Logins by what became of them.
    pub logins: Family<LoginLabels, Counter>,
    /// Requests turned away because too many were under way.
    pub shed: Counter,
    /// Live streams open.
    pub live_clients: Gauge,
    /// Times that a live stream was too slow and was told to load afresh.
    pub live_resyncs: Counter,
}

/// Labels of a request; the route is a template of the router, so the set is closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The route's template; `console` for its assets.
    pub route: String,
    /// The class of the status.
    pub class: StatusClass,
}

/// Labels of a login.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LoginLabels {
    /// What became of it.
    pub result: LoginResult,
}

/// The class of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum StatusClass {
    /// 1xx to 3xx.
    Ok,
    /// 4xx.
    ClientError,
    /// 5xx.
    ServerError,
}

/// What became of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum LoginResult {
    /// Name and password were right.
    Accepted,
    /// They were not.
    Refused,
    /// Too many attempts.
    Throttled,
}

impl StatusClass {
    /// The class of `status`.
    pub const fn of(status: u16) -> Self {
        match status {
            500.. => Self::ServerError,
            400..=499 => Self::ClientError,
            _ => Self::Ok,
        }
    }
}

impl DashboardsMetrics {
    /// Puts every metric into `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "tokenwatch_dashboards_requests",
            "Requests answered, by route and class of status",
            self.requests.clone(),
        );
        registry.register(
            "tokenwatch_dashboards_logins",
            "Logins, by what became of them",
            self.logins.clone(),
        );
        registry.register(
            "tokenwatch_dashboards_shed_requests",
            "Requests turned away because too many were under way",
            self.shed.clone(),
        );
        registry.register(
            "tokenwatch_dashboards_live_clients",
            "Live streams open",
            self.live_clients.clone(),
        );
        registry.register(
            "tokenwatch_dashboards_live_resyncs",
            "Live streams that were too slow and were told to load afresh",
            self.live_resyncs.clone(),
        );
    }
}
