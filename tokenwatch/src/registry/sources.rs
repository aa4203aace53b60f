//! Who sends changes to the pipeline: the file that is looked at, the service that is polled, responses, and people.

use std::time::Duration;

use reqwest::header::HeaderValue;
use tokenwatch_dashboards::{LiveEvent, Registrar, RegistrarError};
use tokenwatch_model::{Registration, RegistryOrigin, Response, ResponseResult, Timestamp};
use tokenwatch_store::{Store, StoreError};
use tokio::sync::{broadcast, oneshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::{Answer, Inventory};
use super::config::RegistrySettings;
use super::file::{FileError, InventoryFile};
use super::metrics::Reading;
use super::{Applied, Change, Refusal, RegistryMetrics, Request, Requests};

/// The inventories of a configuration.
#[derive(Debug)]
pub(crate) struct RegistrySources {
    file: Option<InventoryFile>,
    reload_every: Duration,
    service: Option<Inventory>,
    metrics: RegistryMetrics,
}

/// The pipeline has ended.
#[derive(Debug)]
struct Ended;

impl RegistrySources {
    pub(crate) fn new(
        settings: &RegistrySettings,
        metrics: RegistryMetrics,
    ) -> Result<Self, reqwest::Error> {
        let file = settings.file.clone();
        Ok(Self {
            file: file.map(|(path, notation)| InventoryFile::new(path, notation)),
            reload_every: settings.reload_every,
            service: settings.http.clone().map(Inventory::new).transpose()?,
            metrics,
        })
    }

    /// What the inventories say before the first event is judged. A file that cannot be read is an error of the
    /// configuration; a service that does not answer is asked again later. One that is not configured says nothing.
    pub(crate) async fn first(&mut self) -> Result<Vec<Change>, FileError> {
        let mut changes = Vec::new();
        let all = |origin, entries| Change::All { origin, entries };
        match &mut self.file {
            Some(file) => {
                if let Some((entries, look)) = file.read_if_new()? {
                    file.saw(look);
                    changes.push(all(RegistryOrigin::File, entries));
                }
            }
            None => changes.push(Change::Withdrawn {
                origin: RegistryOrigin::File,
            }),
        }
        match &self.service {
            Some(service) => match service.poll().await {
                Ok(Answer::Entries(entries, _)) => {
                    changes.push(all(RegistryOrigin::Http, entries));
                }
                Ok(Answer::Unchanged) => {}
                Err(error) => {
                    self.metrics.read(RegistryOrigin::Http, Reading::Failed);
                    tracing::warn!(%error, "the inventory service gives no inventory; what it said before goes on");
                }
            },
            None => changes.push(Change::Withdrawn {
                origin: RegistryOrigin::Http,
            }),
        }
        Ok(changes)
    }

    /// Goes on reading until `cancel`.
    pub(crate) fn start(
        self,
        requests: &Requests,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        let (metrics, every) = (self.metrics, self.reload_every);
        if let Some(file) = self.file {
            let task = follow_file(file, every, requests.clone(), metrics.clone());
            tasks.spawn(cancel.clone().run_until_cancelled_owned(task));
        }
        if let Some(service) = self.service {
            let task = follow_service(service, requests.clone(), metrics);
            tasks.spawn(cancel.clone().run_until_cancelled_owned(task));
        }
    }
}

async fn follow_file(
    mut file: InventoryFile,
    every: Duration,
    requests: Requests,
    metrics: RegistryMetrics,
) {
    let mut ticks = ticks(every);
    loop {
        ticks.tick().await;
        match tokio::task::block_in_place(|| file.read_if_new()) {
            Ok(None) => {}
            Ok(Some((entries, look))) => {
                file.saw(look);
                let sent = take_over(RegistryOrigin::File, entries, &requests, &metrics).await;
                if sent.is_err() {
                    return;
                }
            }
            Err(error) => {
                metrics.read(RegistryOrigin::File, Reading::Failed);
                tracing::error!(%error, "the inventory file cannot be read; what it said before goes on");
            }
        }
    }
}

async fn follow_service(mut service: Inventory, requests: Requests, metrics: RegistryMetrics) {
    let mut ticks = ticks(service.poll_every());
    loop {
        ticks.tick().await;
        match service.poll().await {
            Ok(Answer::Unchanged) => metrics.read(RegistryOrigin::Http, Reading::Taken),
            Ok(Answer::Entries(entries, tag)) => {
                let sent = take_over(RegistryOrigin::Http, entries, &requests, &metrics).await;
                match sent {
                    Ok(taken) => remember(&mut service, tag, taken),
                    Err(Ended) => return,
                }
            }
            Err(error) => {
                metrics.read(RegistryOrigin::Http, Reading::Failed);
                tracing::warn!(%error, "the inventory service gives no inventory; what it said before goes on");
            }
        }
    }
}

fn remember(service: &mut Inventory, tag: Option<HeaderValue>, taken: bool) {
    if taken {
        service.accepted(tag);
    }
}

/// Sends all entries of an origin; whether they were taken over.
async fn take_over(
    origin: RegistryOrigin,
    entries: Vec<Registration>,
    requests: &Requests,
    metrics: &RegistryMetrics,
) -> Result<bool, Ended> {
    match send(requests, Change::All { origin, entries }).await? {
        Ok(applied) => {
            metrics.read(origin, Reading::Taken);
            if applied.changed > 0 {
                tracing::info!(
                    registry.origin = origin.name(),
                    registry.changed = applied.changed,
                    registry.entries = applied.entries,
                    "the token registry has changed"
                );
            }
            Ok(true)
        }
        Err(refusal) => {
            metrics.read(origin, Reading::Refused);
            tracing::error!(
                registry.origin = origin.name(),
                %refusal,
                "the inventory is not believed; what it said before goes on"
            );
            Ok(false)
        }
    }
}

async fn send(requests: &Requests, change: Change) -> Result<Result<Applied, Refusal>, Ended> {
    let (reply, answer) = oneshot::channel();
    let request = Request { change, reply };
    requests.send(request).await.map_err(|_| Ended)?;
    answer.await.map_err(|_| Ended)
}

fn ticks(every: Duration) -> tokio::time::Interval {
    // The first reading was before the first event.
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Tells the registry of tokens that a response revoked: those since `since`, and then as they come.
pub(crate) async fn follow_responses(
    store: Store,
    since: Timestamp,
    mut live: broadcast::Receiver<LiveEvent>,
    requests: Requests,
) {
    let catch_up = || async {
        match store.responses_since(since).await {
            Ok(responses) => {
                for response in responses {
                    if revoked(&response, &requests).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "responses could not be read for the token registry");
            }
        }
    };
    catch_up().await;
    loop {
        let sent = match live.recv().await {
            Ok(LiveEvent::Response(response)) => revoked(&response, &requests).await,
            Ok(_) => Ok(()),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                catch_up().await;
                Ok(())
            }
            Err(broadcast::error::RecvError::Closed) => Err(Ended),
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn revoked(response: &Response, requests: &Requests) -> Result<(), Ended> {
    let id = response.token_id;
    let Some(at) = response
        .answered_at()
        .filter(|_| response.action.ends_use())
    else {
        return Ok(());
    };
    let change = match response.result {
        ResponseResult::Delivered => Change::Revoked { id, at },
        ResponseResult::Undone => Change::Restored { id, at },
        _ => return Ok(()),
    };
    // There is nothing to refuse.
    send(requests, change).await.map(|_| ())
}

/// What the API registers with.
pub(crate) fn registrar(requests: Requests) -> Registrar {
    Registrar::new(move |key, entry, actor| {
        let requests = requests.clone();
        async move {
            let change = Change::One { key, entry, actor };
            match send(&requests, change).await {
                Ok(Ok(applied)) => Ok(applied.since),
                Ok(Err(Refusal::Unknown)) => Err(RegistrarError::Unknown),
                Ok(Err(refusal)) => Err(RegistrarError::Refused(refusal.to_string())),
                Err(Ended) => Err(RegistrarError::Store(StoreError::Cancelled)),
            }
        }
    })
}
