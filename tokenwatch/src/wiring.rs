//! Joins the parts as ARCHITECTURE.md draws them, and takes them apart in the order of the data.

mod admission;
mod gateways;
mod registry;
mod shutdown;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use prometheus_client::registry::Registry;
use secrecy::{ExposeSecret as _, SecretString};
use tokenwatch_alerting::{AlertingEvent, AlertingMetrics, Dispatcher};
use tokenwatch_dashboards::{
    Component, ComponentState, DashboardParts, DashboardState, DashboardsMetrics, Explainer,
    LiveEvent, PipelineStatus, Registrar, RouteTeller,
};
use tokenwatch_detectors::{DetectorSettings, Engine, Registry as KnownTokens};
use tokenwatch_ingest::{DeadLetters, Decoder, Geo, IngestMetrics, TokenKey};
use tokenwatch_model::{Clock, Timestamp};
use tokenwatch_store::{Store, StoreError, StoreMetrics, StoredSet};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::RunArgs;
use crate::config::{self, Settings};
use crate::explanation;
use crate::leaks::{self, LeakDesk, PartnerKeys, Reporters};
use crate::pipeline::{
    LatencyCollector, Pipeline, PipelineMetrics, Positions, ProgressHandle, Writer, WriterParts,
    decode_all,
};
use crate::registry::RegistryMetrics;
use crate::secrets::SystemSecrets;
use crate::sources::Sources;
use crate::status::{self, StatusReporter};
use crate::{clock, logging};

use registry::RegistryParts;
pub(crate) use shutdown::{Stops, signal};

/// Batches between the sources and the decoder: enough that reading and decoding overlap, few enough to bound memory.
const BATCHES_WAITING_LIMIT: usize = 2;
/// Decoded batches between the decoder and the pipeline: with the one that waits for its place, decoding and writing
/// overlap.
const DECODED_WAITING_LIMIT: usize = 1;
/// Live events that a slow console may be behind before it is told to load anew.
const LIVE_EVENTS_LIMIT: usize = 1_024;

/// A running service.
pub(crate) struct Service {
    /// Where the console listens.
    pub(crate) address: SocketAddr,
    /// The store, for those who ask it directly.
    pub(crate) store: Store,
    /// The password of the first administrator, if this start created one.
    pub(crate) first_admin: Option<SecretString>,
    pipeline: JoinHandle<Result<(), StoreError>>,
    stops: Stops,
    shutdown_timeout: std::time::Duration,
}

/// What the parts are joined from.
struct Wiring {
    settings: Settings,
    clock: Clock,
    started_at: Timestamp,
    stops: Stops,
    metrics: Metrics,
    store: Store,
    live: broadcast::Sender<LiveEvent>,
    progress: ProgressHandle,
    /// What is known of tokens, for those who look at them beside the pipeline.
    known: watch::Sender<Arc<KnownTokens>>,
}

/// Metrics of every part, and where `/metrics` finds them.
#[derive(Default)]
struct Metrics {
    ingest: IngestMetrics,
    store: StoreMetrics,
    alerting: AlertingMetrics,
    dashboards: DashboardsMetrics,
    pipeline: PipelineMetrics,
    registry: RegistryMetrics,
}

/// `tokenwatch run`: the service, until a signal ends it.
pub(crate) async fn run(args: RunArgs) -> anyhow::Result<()> {
    let settings = config::load(&args.config.config, &SystemSecrets)?;
    logging::init(&settings.log)?;
    let service = Box::pin(Service::start(settings)).await?;
    if let Some(password) = &service.first_admin {
        eprintln!(
            "\n  The console's first user is {} with the password {}\n  It is shown this once.\n",
            tokenwatch_dashboards::FIRST_ADMIN,
            password.expose_secret()
        );
    }
    eprintln!("  Console: http://{}\n", service.address);
    service.until_ended(signal()).await
}

/// The store alone, its schema up to date, for commands that work on it.
pub(crate) async fn open_store(settings: &Settings) -> anyhow::Result<(Store, Stops)> {
    let stops = Stops::default();
    let store = store(settings, &clock::system(), StoreMetrics::default(), &stops).await?;
    Ok((store, stops))
}

impl Service {
    /// Starts everything, from the end of the flow to its beginning, so that nothing comes before there is a taker.
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Self> {
        // The address is taken first: a second process on it fails before it touches anything.
        let listen = settings.dashboards.listen;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let shutdown_timeout = settings.pipeline.shutdown_timeout;

        let wiring = Wiring::open(settings).await?;
        let store = wiring.store.clone();
        let first_admin = tokenwatch_dashboards::ensure_first_admin(&store, &wiring.clock).await?;
        let dispatcher = wiring.dispatcher()?;
        let sources = wiring.sources()?;
        let mut registry = wiring.registry()?;
        let pipeline = wiring
            .pipeline(dispatcher.clone(), &sources, &mut registry)
            .await?;
        let decoder = wiring.decoder()?;
        let geo = geo_component(decoder.geo());
        let deny_list = wiring.deny_list(&dispatcher)?;
        let app = wiring.console(dispatcher, &sources, geo, registry.registrar())?;
        let app = app.merge(wiring.leaks(registry.leak_desk(&wiring)?)?);
        let app = app.merge(deny_list).merge(wiring.ssf());
        let changes = registry.start(&wiring);
        wiring.follow_key_files();
        let stops = wiring.stops;

        let (batches, received) = mpsc::channel(BATCHES_WAITING_LIMIT);
        let (judge_tx, judge_rx) = mpsc::channel(DECODED_WAITING_LIMIT);
        let pipeline = stops
            .tasks
            .spawn(pipeline.run(judge_rx, changes, stops.pipeline.clone()));
        stops
            .tasks
            .spawn(decode_all(Arc::new(decoder), received, judge_tx));
        sources.start(&batches, &stops.tasks, &stops.sources);
        stops.tasks.spawn(serve(listener, app, stops.http.clone()));
        tracing::info!(console.address = %address, "tokenwatch runs");
        Ok(Self {
            address,
            store,
            first_admin,
            pipeline,
            stops,
            shutdown_timeout,
        })
    }

    /// Serves until `end` or until the pipeline fails, then stops in the order of the data.
    pub(crate) async fn until_ended(mut self, end: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::select! {
            () = end => {}
            result = &mut self.pipeline => {
                self.stops.all_at_once();
                result?.context("the pipeline failed")?;
                anyhow::bail!("the pipeline ended by itself");
            }
        }
        tracing::info!("stopping: sources first, then what they sent");
        self.stops
            .in_order(self.pipeline, self.shutdown_timeout)
            .await
    }
}

impl Wiring {
    /// Opens the store; everything else hangs on it.
    async fn open(settings: Settings) -> anyhow::Result<Self> {
        let clock = clock::system();
        let stops = Stops::default();
        let metrics = Metrics::default();
        let store = store(&settings, &clock, metrics.store.clone(), &stops).await?;
        let (live, _) = broadcast::channel(LIVE_EVENTS_LIMIT);
        let progress = ProgressHandle::new(metrics.pipeline.clone(), live.clone());
        let started_at = clock.now();
        Ok(Self {
            settings,
            clock,
            started_at,
            stops,
            metrics,
            store,
            live,
            progress,
            known: watch::Sender::default(),
        })
    }

    /// Alerting, which also tells open consoles of its responses.
    fn dispatcher(&self) -> anyhow::Result<Dispatcher> {
        let (events, seen) = broadcast::channel(LIVE_EVENTS_LIMIT);
        self.stops.tasks.spawn(forward(seen, self.live.clone()));
        let runtime = tokenwatch_alerting::Runtime {
            clock: self.clock.clone(),
            metrics: self.metrics.alerting.clone(),
            events: Some(events),
            tracker: self.stops.alerts.clone(),
            cancel: self.stops.alerting.clone(),
        };
        let settings = Arc::new(self.settings.alerting.clone());
        Ok(Dispatcher::start(settings, self.store.clone(), runtime)?)
    }

    fn sources(&self) -> anyhow::Result<Sources> {
        Ok(Sources::new(
            &self.settings.ingest,
            &self.clock,
            &self.metrics.ingest,
        )?)
    }

    fn token_key(&self) -> anyhow::Result<TokenKey> {
        let path = &self.settings.ingest.key_file;
        TokenKey::load_or_create(path)
            .with_context(|| format!("the deployment key {}", path.display()))
    }

    /// Where leaks are reported.
    fn leaks(&self, desk: LeakDesk) -> anyhow::Result<Router> {
        let settings = &self.settings.leaks;
        let keys = settings.github_keys_url.clone().map(PartnerKeys::new);
        Ok(leaks::router(Reporters {
            desk,
            bearer: settings.bearer.clone(),
            github: keys.transpose()?,
        }))
    }

    fn decoder(&self) -> anyhow::Result<Decoder> {
        let ingest = &self.settings.ingest;
        let metrics = &self.metrics.ingest;
        let key = self.token_key()?;
        let geo = Geo::open(&ingest.geo, metrics);
        let decoder = ingest.decoder.clone();
        Ok(Decoder::new(decoder, key, geo, metrics.clone()))
    }

    /// The pipeline, going on from the newest checkpoint.
    async fn pipeline(
        &self,
        dispatcher: Dispatcher,
        sources: &Sources,
        registry: &mut RegistryParts,
    ) -> anyhow::Result<Pipeline> {
        let ingest = &self.settings.ingest;
        let letters = self.metrics.ingest.sources.dead_letters.clone();
        let mut restored = restore(&self.store, self.settings.detectors.clone()).await?;
        let keeper = self.keeper(registry, &restored).await?;
        restored.engine.set_registry(keeper.registry());
        let parts = WriterParts {
            store: self.store.clone(),
            dispatcher,
            commits: sources.commit_handles(),
            progress: self.progress.clone(),
            clock: self.clock.clone(),
        };
        Ok(Pipeline {
            engine: restored.engine,
            store: self.store.clone(),
            writer: Writer::start(parts, &self.stops.tasks),
            dead_letters: DeadLetters::open(&ingest.dead_letters, self.clock.clone(), letters)?,
            progress: self.progress.clone(),
            clock: self.clock.clone(),
            stored: StoredSet::default(),
            admission: self.admission().await?,
            positions: Positions::restore(restored.positions),
            next_checkpoint: restored.next_checkpoint,
            checkpoint_interval: self.settings.pipeline.checkpoint_interval,
            checkpoint_under_way: None,
            keeper,
            known: self.known.clone(),
            registry_metrics: self.metrics.registry.clone(),
            judged_until: None,
        })
    }

    /// The API, the console, the metrics and the HTTP source; starts the task that tells them how things are.
    fn console(
        &self,
        dispatcher: Dispatcher,
        sources: &Sources,
        geo: Component,
        registrar: Registrar,
    ) -> anyhow::Result<Router> {
        let (status, pipeline) = watch::channel(PipelineStatus::default());
        let (readiness, readiness_seen) = watch::channel(status::starting());
        let reporter = StatusReporter {
            clock: self.clock.clone(),
            started_at: self.started_at,
            progress: self.progress.clone(),
            store: self.store.clone(),
            kafka: sources.kafka_handle(),
            dispatcher,
            geo,
            response_mode: self.settings.alerting.response.mode,
            status,
            readiness,
            live: self.live.clone(),
        };
        self.stops
            .tasks
            .spawn(reporter.run(self.stops.http.clone()));
        let console = DashboardState::new(DashboardParts {
            settings: self.settings.dashboards.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.dashboards.clone(),
            registry: Arc::new(self.metrics.registry(&self.progress)),
            readiness: readiness_seen,
            pipeline,
            live: self.live.clone(),
            explainer: self.explainer(),
            routing: self.route_teller(),
            registrar,
            link_key: self
                .settings
                .alerting
                .response
                .links
                .clone()
                .map(|links| links.key),
            shutdown: self.stops.http.clone(),
        })?;
        Ok(tokenwatch_dashboards::router(console).merge(sources.push_router()))
    }
}

impl Wiring {
    /// Runs a token's stored events through an engine of its own, beside the pipeline.
    fn explainer(&self) -> Explainer {
        let store = self.store.clone();
        let (detectors, known) = (self.settings.detectors.clone(), self.known.subscribe());
        Explainer::new(move |token, at| {
            let registry = Arc::clone(&known.borrow());
            let detectors = Arc::new(detectors.clone().with_registry(registry));
            let store = store.clone();
            async move {
                let account =
                    explanation::explain(&store, detectors, token, at, &mut |_, _| {}).await?;
                Ok(serde_json::to_value(account).expect("an account has texts for keys"))
            }
        })
    }
}

impl Wiring {
    /// What `tokenwatch routes test` tells, of stored findings.
    fn route_teller(&self) -> RouteTeller {
        let settings = self.settings.alerting.clone();
        RouteTeller::new(move |finding, at| {
            let account = settings.routing.explain(finding, at);
            serde_json::to_value(account).expect("an account has texts for keys")
        })
    }
}

impl Metrics {
    fn registry(&self, progress: &ProgressHandle) -> Registry {
        let mut registry = Registry::default();
        self.ingest.register(&mut registry);
        self.store.register(&mut registry);
        self.alerting.register(&mut registry);
        self.dashboards.register(&mut registry);
        self.pipeline.register(&mut registry);
        self.registry.register(&mut registry);
        registry.register_collector(Box::new(LatencyCollector(progress.clone())));
        registry
    }
}

/// What the newest checkpoint holds.
struct Restored {
    engine: Engine,
    positions: Vec<tokenwatch_model::Position>,
    next_checkpoint: u64,
}

impl Restored {
    /// Whether nothing was judged before.
    fn is_new(&self) -> bool {
        self.next_checkpoint == 1
    }
}

async fn restore(store: &Store, settings: DetectorSettings) -> anyhow::Result<Restored> {
    let settings = Arc::new(settings);
    let Some(checkpoint) = store.load_checkpoint().await? else {
        tracing::info!("no checkpoint: starting afresh");
        return Ok(Restored {
            engine: Engine::new(settings),
            positions: Vec::new(),
            next_checkpoint: 1,
        });
    };
    let token_count = checkpoint.tokens.len();
    // Each state is dropped as soon as its token is back.
    let tokens = checkpoint.tokens.into_iter();
    let engine = Engine::restore(settings, Some(&checkpoint.engine_state), tokens)
        .context("the newest checkpoint cannot be restored")?;
    tracing::info!(
        checkpoint.id = checkpoint.id,
        tokens.count = token_count,
        streams.count = checkpoint.positions.len(),
        "going on from the newest checkpoint"
    );
    Ok(Restored {
        engine,
        positions: checkpoint.positions,
        next_checkpoint: checkpoint.id + 1,
    })
}

async fn store(
    settings: &Settings,
    clock: &Clock,
    metrics: StoreMetrics,
    stops: &Stops,
) -> anyhow::Result<Store> {
    let store = Store::open(
        &settings.store,
        clock.clone(),
        metrics,
        &stops.tasks,
        stops.store.clone(),
    )
    .await
    .context("the store cannot be opened")?;
    store
        .migrate()
        .await
        .context("the store's schema cannot be brought up to date")?;
    Ok(store)
}

/// Shows responses on open consoles.
async fn forward(
    mut events: broadcast::Receiver<AlertingEvent>,
    live: broadcast::Sender<LiveEvent>,
) {
    loop {
        match events.recv().await {
            Ok(AlertingEvent::Response(response)) => {
                // Nobody may be looking.
                live.send(LiveEvent::Response(Arc::new(response))).ok();
            }
            Ok(AlertingEvent::Notification(_)) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

fn geo_component(geo: &Geo) -> Component {
    match geo.degraded() {
        None => Component {
            state: ComponentState::Up,
            detail: String::new(),
        },
        Some(detail) => Component {
            state: ComponentState::Down,
            detail,
        },
    }
}

async fn serve(listener: TcpListener, app: Router, cancel: CancellationToken) {
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let result = axum::serve(listener, app)
        .with_graceful_shutdown(cancel.cancelled_owned())
        .await;
    if let Err(error) = result {
        tracing::error!(%error, "the HTTP server ended");
    }
}
