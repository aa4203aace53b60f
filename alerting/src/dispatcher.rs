//! Takes findings, decides, records and hands to the workers; reconciles the store's findings with the ledger.
//!
//! `offer` never blocks the pipeline and may forget: the truth is what the store holds minus what the ledger says.
//! That is compared at start, after anything was turned away, and now and then. Lines are written before messages
//! depart, so that whatever moment a process dies in, the next one knows what was begun.

mod intake;
mod people;
mod reconcile;
mod responses;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokenwatch_model::{
    Clock, Finding, LatencyRecorder, LatencySummary, Notification, Response, ResponseMode,
};
use tokenwatch_store::Store;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channel::Channel;
use crate::circuit::Circuit;
use crate::config::AlertingSettings;
use crate::deny_list::DenyList;
use crate::desk::{Desk, NoticePolicy};
use crate::error::AlertingError;
use crate::lease::{Candidate, Mandate};
use crate::ledger::{self, Ledger, LedgerWriter, WriterParts};
use crate::metrics::AlertingMetrics;
use crate::receiver::{self, Worker, WorkerParts, WorkerState};
use crate::response::{Agenda, Responder, ResponseHistory, Target};

use intake::{Inputs, Intake, Outlet};

/// Findings that wait to be decided on: 2 KB each, 8 MB.
const OFFERS_LIMIT: usize = 4_096;
/// Outcomes of responses on their way back; the rate limit keeps them few.
const OUTCOMES_LIMIT: usize = 64;
/// Changes of receivers' health on their way; there are 64 receivers at most.
const HEALTH_LIMIT: usize = 256;

/// People's words on responses that are known to be carried out: 100 bytes each.
const ORDERS_LIMIT: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// What is handed down from the binary.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: AlertingMetrics,
    /// Where the console listens.
    pub events: Option<broadcast::Sender<AlertingEvent>>,
    /// What tasks are spawned on.
    pub tracker: TaskTracker,
    /// Ends everything: what is due is still sent, within the drain timeout.
    pub cancel: CancellationToken,
}

/// What the console hears as it happens.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "responses are few, and the channel is short"
)]
pub enum AlertingEvent {
    /// A line was added to the journal of responses.
    Response(Response),
    /// A line was added to the ledger of notifications.
    Notification(Notification),
}

/// How a receiver is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverStatus {
    /// Its name.
    pub name: String,
    /// Its channel.
    pub channel: &'static str,
    /// Whether it answered 410 and is not used until it is configured anew.
    pub is_disabled: bool,
    /// Whether several attempts in a row did not reach it.
    pub is_unreachable: bool,
    /// Messages that wait before its worker.
    pub queued: usize,
}

/// Announces findings; clones are handles to one.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

struct Inner {
    settings: Arc<AlertingSettings>,
    offers: mpsc::Sender<Finding>,
    behind: Arc<Behind>,
    metrics: AlertingMetrics,
    latency: Arc<Mutex<LatencyRecorder>>,
    outlets: Vec<Outlet>,
    desk: SharedDesk,
    deny_list: Option<DenyList>,
}

/// The desk, shared by the dispatcher, which decides, and the writer, which learns the outcomes.
#[derive(Clone)]
pub(crate) struct SharedDesk {
    desk: Arc<Mutex<Desk>>,
    changed: Arc<Notify>,
}

/// Says that something was turned away and the ledger has to be compared.
#[derive(Default)]
pub(crate) struct Behind {
    flag: AtomicBool,
    wake: Notify,
}

impl Dispatcher {
    /// Sets up the receivers and starts their workers on the tracker.
    pub fn start(
        settings: Arc<AlertingSettings>,
        store: Store,
        runtime: Runtime,
    ) -> Result<Self, AlertingError> {
        let channels = settings
            .receivers
            .iter()
            .zip(&settings.layouts)
            .map(|(receiver, layout)| Channel::new(receiver, layout))
            .collect::<Result<Vec<_>, _>>()?;
        let targets = settings.response.targets.iter().map(Target::new);
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let ledger = Ledger::Store(store);
        Ok(Self::start_with(
            settings, ledger, channels, targets, runtime,
        ))
    }

    pub(crate) fn start_with(
        settings: Arc<AlertingSettings>,
        ledger: Ledger,
        channels: Vec<Channel>,
        targets: Vec<Target>,
        runtime: Runtime,
    ) -> Self {
        let (offers, offered) = mpsc::channel(OFFERS_LIMIT);
        let (outcomes, heard) = mpsc::channel(OUTCOMES_LIMIT);
        let (health_tx, health) = mpsc::channel(HEALTH_LIMIT);
        let (writer, lines) = LedgerWriter::new();
        let desk = SharedDesk::new(&settings);
        let latency = Arc::new(Mutex::new(LatencyRecorder::new()));
        let candidate = candidate(&settings, &ledger, &runtime);
        let mandate = candidate.as_ref().map(|one| one.mandate.clone());
        let mandate = mandate.unwrap_or_else(Mandate::unlimited);
        // Workers stop after the intake, so that what it hands over last is still sent.
        let workers_cancel = CancellationToken::new();
        let parts = WorkerParts {
            clock: runtime.clock.clone(),
            metrics: runtime.metrics.clone(),
            writer: writer.clone(),
            latency: Arc::clone(&latency),
            retry_delays: settings.retry_delays.clone().into(),
            drain_timeout: settings.drain_timeout,
            health: health_tx,
            mandate: mandate.clone(),
            cancel: workers_cancel.clone(),
        };
        let outlets = start_workers(&settings, channels, &parts, &runtime.tracker);
        let deny_list = targets.iter().find_map(Target::deny_list).cloned();
        let responder = Responder {
            targets: targets.into(),
            clock: runtime.clock.clone(),
            metrics: runtime.metrics.clone(),
            writer,
            outcomes,
            cancel: runtime.cancel.clone(),
        };
        let writer_parts = WriterParts::new(&ledger, &desk, &runtime);
        let behind = Arc::new(Behind::default());
        let intake = Intake {
            settings: Arc::clone(&settings),
            ledger,
            desk: desk.clone(),
            history: ResponseHistory::new(),
            agenda: Agenda::default(),
            heard_orders: LruCache::new(ORDERS_LIMIT),
            responder,
            outlets: outlets.clone(),
            behind: Arc::clone(&behind),
            candidate,
            mandate,
            runtime: runtime.clone(),
        };
        runtime
            .tracker
            .spawn(ledger::run_writer(writer_parts, lines));
        let inputs = Inputs {
            offered,
            outcomes: heard,
            health,
        };
        runtime.tracker.spawn(async move {
            intake.run(inputs).await;
            workers_cancel.cancel();
        });
        Self(Arc::new(Inner {
            settings,
            offers,
            behind,
            metrics: runtime.metrics,
            latency,
            outlets,
            desk,
            deny_list,
        }))
    }

    /// Offers versions of findings that are stored already. Never blocks; what does not fit is found again in the
    /// store.
    pub fn offer(&self, findings: &[Finding]) {
        let inner = &*self.0;
        for finding in findings {
            if !is_relevant(finding, &inner.settings)
                && !inner.desk.with(|desk| desk.knows(finding.id))
            {
                continue;
            }
            if inner.offers.try_send(finding.clone()).is_err() {
                inner.metrics.overflowed();
                inner.behind.report();
            }
        }
    }

    /// The deny list, if one is a target of responses. It is empty until somebody tells it what the journal has.
    pub fn deny_list(&self) -> Option<DenyList> {
        self.0.deny_list.clone()
    }

    /// How long it took from detection to the receiver's yes.
    pub fn latency(&self) -> LatencySummary {
        self.0
            .latency
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .summary()
    }

    /// Whether responses are carried out.
    pub fn response_mode(&self) -> ResponseMode {
        self.0.settings.response.mode
    }

    /// How each receiver is doing.
    pub fn receivers(&self) -> Vec<ReceiverStatus> {
        let receivers = self.0.settings.receivers.iter();
        receivers
            .zip(&self.0.outlets)
            .map(|(receiver, outlet)| ReceiverStatus {
                name: receiver.name.to_string(),
                channel: outlet.channel.as_str(),
                is_disabled: outlet.state.disabled.load(Ordering::Acquire),
                is_unreachable: outlet.state.unreachable.load(Ordering::Acquire),
                queued: outlet.queued(),
            })
            .collect()
    }
}

impl SharedDesk {
    fn new(settings: &AlertingSettings) -> Self {
        let notices = NoticePolicy {
            receivers: settings.notices_to.clone(),
            silence_warning: settings.silence_warning,
        };
        let desk = Desk::new(Arc::clone(&settings.routing), settings.max_age, notices);
        Self {
            desk: Arc::new(Mutex::new(desk)),
            changed: Arc::new(Notify::new()),
        }
    }

    /// Works on the desk; whoever waits for what is due looks again.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Desk) -> T) -> T {
        // Nothing in there panics half way through a change.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let before = desk.next_due();
        let result = work(&mut desk);
        if desk.next_due() != before {
            self.changed.notify_one();
        }
        result
    }

    /// Until what is due has changed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Behind {
    pub(crate) fn report(&self) {
        self.flag.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub(crate) fn take(&self) {
        self.flag.store(false, Ordering::Release);
    }

    pub(crate) fn is_reported(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    pub(crate) async fn reported(&self) {
        self.wake.notified().await;
    }
}

/// Whether anybody may want to hear of `finding`, or it may call for a response. A finding that a route wants less
/// than it did, because it became milder, has been offered before.
fn is_relevant(finding: &Finding, settings: &AlertingSettings) -> bool {
    settings.routing.wants(finding) || settings.response.concerns(finding)
}

/// This instance's part among several, if there are several.
fn candidate(settings: &AlertingSettings, ledger: &Ledger, runtime: &Runtime) -> Option<Candidate> {
    let name = settings.instance.clone()?;
    Some(Candidate {
        name,
        lasts: settings.takeover_after,
        ledger: ledger.clone(),
        clock: runtime.clock.clone(),
        mandate: Mandate::none(),
        claimed_at: None,
    })
}

fn start_workers(
    settings: &AlertingSettings,
    channels: Vec<Channel>,
    parts: &WorkerParts,
    tracker: &TaskTracker,
) -> Vec<Outlet> {
    let mut outlets = Vec::with_capacity(channels.len());
    for (index, (receiver, channel)) in settings.receivers.iter().zip(channels).enumerate() {
        let (sender, jobs) = mpsc::channel(receiver::QUEUE_LIMIT);
        let state = Arc::new(WorkerState::default());
        outlets.push(Outlet {
            name: Arc::clone(&receiver.name),
            channel: channel.name(),
            digest: channel.digest(),
            state: Arc::clone(&state),
            jobs: sender,
        });
        let worker = Worker {
            index,
            name: Arc::clone(&receiver.name),
            channel,
            state,
            jobs,
            circuit: Circuit::default(),
            parts: parts.clone(),
        };
        tracker.spawn(worker.run());
    }
    outlets
}

#[cfg(test)]
mod tests;
