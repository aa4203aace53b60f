//! `GET /live`: server-sent events, as long as the session lasts and the process runs.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior};

use crate::auth::{Touch, client_address, session_cookie};
use crate::live::LiveEvent;
use crate::problem::ApiError;
use crate::state::DashboardState;

/// How often a stream asks whether its session still lasts.
const SESSION_CHECK_EVERY: Duration = Duration::from_secs(30);
/// A comment this often keeps proxies from closing a quiet stream.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RECONNECT_AFTER: Duration = Duration::from_secs(2);

/// One open stream.
struct Client {
    state: DashboardState,
    session_id: String,
    address: IpAddr,
    events: broadcast::Receiver<LiveEvent>,
    session_check: Interval,
    logouts: watch::Receiver<u64>,
    greeted: bool,
    _turn: OwnedSemaphorePermit,
    _count: Counted,
}

/// Counts an open stream for as long as it lives.
struct Counted(Gauge);

pub(super) async fn stream(
    State(state): State<DashboardState>,
    request: Request,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let (parts, _) = request.into_parts();
    let session_id = session_cookie(&parts.headers)
        .ok_or(ApiError::Unauthenticated)?
        .to_owned();
    let turn = Arc::clone(&state.live_turns)
        .try_acquire_owned()
        .map_err(|_| {
            state.metrics.shed.inc();
            ApiError::Busy
        })?;
    let mut session_check = tokio::time::interval(SESSION_CHECK_EVERY);
    session_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let client = Client {
        session_id,
        address: client_address(&parts, &state.settings.trusted_proxies),
        events: state.live.subscribe(),
        session_check,
        logouts: state.auth.logouts(),
        greeted: false,
        _turn: turn,
        _count: Counted::new(&state.metrics.live_clients),
        state,
    };
    let events = futures::stream::unfold(client, |mut client| async move {
        let event = client.next().await?;
        Some((Ok(event), client))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_EVERY)))
}

impl Client {
    /// The next event, or none once the stream is over.
    async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            return Some(Event::default().retry(RECONNECT_AFTER).comment("connected"));
        }
        loop {
            tokio::select! {
                () = self.state.shutdown.cancelled() => return None,
                _ = self.session_check.tick() => {
                    if !self.session_lasts().await {
                        return None;
                    }
                }
                Ok(()) = self.logouts.changed() => {
                    if !self.session_lasts().await {
                        return None;
                    }
                }
                event = self.events.recv() => match event {
                    Ok(event) => match event.data() {
                        Ok(data) => return Some(Event::default().event(event.name()).data(data)),
                        Err(error) => tracing::error!(%error, "a live event is not JSON"),
                    },
                    Err(RecvError::Lagged(missed)) => {
                        self.state.metrics.live_resyncs.inc();
                        let data = format!("{{\"missed\":{missed}}}");
                        return Some(Event::default().event("resync").data(data));
                    }
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    /// Looking on is not using: an idle session ends, and its stream with it. Without the store, memory decides.
    async fn session_lasts(&self) -> bool {
        let now = self.state.clock.now();
        let found = self.state.auth.user(
            &self.state.store,
            self.address,
            &self.session_id,
            Touch::Look,
            now,
        );
        match found.await {
            Ok(_) => true,
            Err(ApiError::Store(error)) => error.is_retryable(),
            Err(_) => false,
        }
    }
}

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
