//! What every handler is handed.

use std::ops::Deref;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokenwatch_model::{Clock, ResponseLinkKey};
use tokenwatch_store::Store;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::config::DashboardsSettings;
use crate::explainer::Explainer;
use crate::live::LiveEvent;
use crate::metrics::DashboardsMetrics;
use crate::registrar::Registrar;
use crate::routing::RouteTeller;
use crate::status::{PipelineStatus, Readiness};

/// What the API and the console need of the rest of the process.
#[derive(Debug)]
pub struct DashboardParts {
    /// The settings.
    pub settings: DashboardsSettings,
    /// The store.
    pub store: Store,
    /// The time of day.
    pub clock: Clock,
    /// This crate's metrics, registered already.
    pub metrics: DashboardsMetrics,
    /// Every metric of the process, for `/metrics`.
    pub registry: Arc<Registry>,
    /// Whether the service can do its work, for `/readyz`.
    pub readiness: watch::Receiver<Readiness>,
    /// The state of the pipeline.
    pub pipeline: watch::Receiver<PipelineStatus>,
    /// What live streams tell.
    pub live: broadcast::Sender<LiveEvent>,
    /// Answers why a token has, or has not, a finding.
    pub explainer: Explainer,
    /// Tells which way findings go to people.
    pub routing: RouteTeller,
    /// Writes what is known of tokens.
    pub registrar: Registrar,
    /// What signs links by which responses are decided on, if there are any.
    pub link_key: Option<ResponseLinkKey>,
    /// Ends live streams at shutdown.
    pub shutdown: CancellationToken,
}

/// The shared state of the handlers.
#[derive(Clone, Debug)]
pub struct DashboardState(Arc<Shared>);

/// See [`DashboardParts`].
#[derive(Debug)]
pub struct Shared {
    pub(crate) settings: DashboardsSettings,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) metrics: DashboardsMetrics,
    pub(crate) registry: Arc<Registry>,
    pub(crate) readiness: watch::Receiver<Readiness>,
    pub(crate) pipeline: watch::Receiver<PipelineStatus>,
    pub(crate) live: broadcast::Sender<LiveEvent>,
    pub(crate) explainer: Explainer,
    pub(crate) routing: RouteTeller,
    pub(crate) registrar: Registrar,
    pub(crate) link_key: Option<ResponseLinkKey>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) auth: Auth,
    pub(crate) request_turns: Arc<Semaphore>,
    pub(crate) live_turns: Arc<Semaphore>,
}

/// The state could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the console cannot start: {0}")]
pub struct DashboardError(String);

impl DashboardState {
    /// The state of handlers over `parts`.
    pub fn new(parts: DashboardParts) -> Result<Self, DashboardError> {
        let auth =
            Auth::new(parts.settings.session).map_err(|error| DashboardError(error.to_string()))?;
        let turns = |limit| Arc::new(Semaphore::new(limit));
        Ok(Self(Arc::new(Shared {
            request_turns: turns(parts.settings.request_concurrency_limit),
            live_turns: turns(parts.settings.live_connections_limit),
            auth,
            settings: parts.settings,
            store: parts.store,
            clock: parts.clock,
            metrics: parts.metrics,
            registry: parts.registry,
            readiness: parts.readiness,
            pipeline: parts.pipeline,
            live: parts.live,
            explainer: parts.explainer,
            routing: parts.routing,
            registrar: parts.registrar,
            link_key: parts.link_key,
            shutdown: parts.shutdown,
        })))
    }
}

impl Deref for DashboardState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
