//! What the console, `/readyz` and live streams are told about the pipeline, once a second.

use std::time::Duration;

use tokenwatch_alerting::Dispatcher;
use tokenwatch_dashboards::{
    Component, ComponentState, EngineStatus, LiveEvent, LiveStats, NotReady, PipelineLatency,
    PipelineStatus, Readiness, StreamLag,
};
use tokenwatch_ingest::{KafkaHandle, KafkaState};
use tokenwatch_model::{Clock, ResponseMode, Timestamp};
use tokenwatch_store::{Store, StoreState};
use tokio::sync::{broadcast, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::pipeline::{Progress, ProgressHandle};

/// How often the status is told anew.
const PERIOD: Duration = Duration::from_secs(1);
/// Latency quantiles cover the last one to two of these periods.
const LATENCY_PERIODS: u64 = 60;

/// What the status is made of, and whom it is told.
pub(crate) struct StatusReporter {
    pub(crate) clock: Clock,
    pub(crate) started_at: Timestamp,
    pub(crate) progress: ProgressHandle,
    pub(crate) store: Store,
    pub(crate) kafka: Option<KafkaHandle>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) geo: Component,
    pub(crate) response_mode: ResponseMode,
    pub(crate) status: watch::Sender<PipelineStatus>,
    pub(crate) readiness: watch::Sender<Readiness>,
    pub(crate) live: broadcast::Sender<LiveEvent>,
}

impl StatusReporter {
    /// Reports until `cancel`.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = (self.clock.now(), self.progress.snapshot());
        let mut periods = 0;
        while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = (self.clock.now(), self.progress.snapshot());
            let secs = now.0.since(before.0).as_secs_f64().max(0.001);
            let events_per_s = now.1.events.saturating_sub(before.1.events) as f64 / secs;
            let failures_per_s = now.1.failures.saturating_sub(before.1.failures) as f64 / secs;
            self.report(&now.1, now.0, events_per_s, failures_per_s);
            before = now;
            periods += 1;
            if periods % LATENCY_PERIODS == 0 {
                self.progress.turn_period();
            }
        }
    }

    fn report(&self, progress: &Progress, now: Timestamp, events_per_s: f64, failures_per_s: f64) {
        let store = store_component(&self.store.state().borrow());
        let kafka = kafka_component(self.kafka.as_ref());
        let readiness = readiness(&store, &kafka);
        let lag = self.lag();
        let lag_s = lag.iter().map(|lag| lag.seconds).fold(0.0, f64::max);
        self.status.send_replace(PipelineStatus {
            ready: readiness.is_ready(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            events_per_s,
            kafka,
            store,
            geo: self.geo.clone(),
            lag,
            last_event_at: progress.last_event_at,
            last_checkpoint_at: progress.last_checkpoint_at,
            latency: PipelineLatency {
                stored: progress.latency.gateway_to_stored.summary(),
                finding: progress.latency.gateway_to_finding.summary(),
                notified: self.dispatcher.latency(),
            },
            rejected: progress
                .rejected
                .iter()
                .map(|(reason, count)| ((*reason).to_owned(), *count))
                .collect(),
            engine: EngineStatus {
                tokens: progress.engine.tokens as u64,
                state_bytes: progress.engine.state_bytes as u64,
            },
            response_mode: self.response_mode,
        });
        self.readiness.send_replace(readiness);
        // Nobody may be looking.
        self.live
            .send(LiveEvent::Stats(LiveStats {
                t: now,
                events_per_s,
                failures_per_s,
                lag_s,
            }))
            .ok();
    }

    fn lag(&self) -> Vec<StreamLag> {
        let lag = self
            .kafka
            .as_ref()
            .map(KafkaHandle::lag)
            .unwrap_or_default();
        lag.into_iter()
            .map(|lag| StreamLag {
                topic: lag.stream.topic,
                partition: lag.stream.partition,
                records: u64::try_from(lag.records).unwrap_or(0),
                seconds: lag.seconds as f64,
            })
            .collect()
    }
}

/// Not ready before the first report.
pub(crate) fn starting() -> Readiness {
    let detail = "the service is starting".to_owned();
    Readiness {
        reasons: vec![NotReady {
            name: "startup".to_owned(),
            detail,
        }],
    }
}

fn readiness(store: &Component, kafka: &Component) -> Readiness {
    let down = |name: &str, component: &Component| {
        (component.state == ComponentState::Down).then(|| NotReady {
            name: name.to_owned(),
            detail: component.detail.clone(),
        })
    };
    Readiness {
        reasons: [down("store", store), down("kafka", kafka)]
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn store_component(state: &StoreState) -> Component {
    match state {
        StoreState::Up { .. } => Component {
            state: ComponentState::Up,
            detail: String::new(),
        },
        StoreState::Down { detail, .. } => Component {
            state: ComponentState::Down,
            detail: detail.clone(),
        },
    }
}

fn kafka_component(kafka: Option<&KafkaHandle>) -> Component {
    let Some(kafka) = kafka else {
        return Component::default();
    };
    match &*kafka.state().borrow() {
        KafkaState::Up => Component {
            state: ComponentState::Up,
            detail: String::new(),
        },
        KafkaState::Starting => Component {
            state: ComponentState::Down,
            detail: "not connected yet".to_owned(),
        },
        KafkaState::Down { detail } => Component {
            state: ComponentState::Down,
            detail: detail.clone(),
        },
    }
}
