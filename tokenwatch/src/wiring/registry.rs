//! The token registry at start: what is stored, and what the inventories have become since.

use std::time::Duration;

use tokenwatch_dashboards::Registrar;
use tokenwatch_model::{RegistryOrigin, Timestamp};
use tokio::sync::mpsc;

use super::{Restored, Wiring};
use crate::leaks::LeakDesk;
use crate::registry::{
    CHANGES_WAITING_LIMIT, Keeper, RegistrySources, Request, Requests, follow_responses, registrar,
};

/// Responses that are older are in the registry already.
const RESPONSES_SINCE: Duration = Duration::from_hours(35 * 24);

/// The registry on its way into the service.
pub(super) struct RegistryParts {
    sources: RegistrySources,
    requests: Requests,
    pub(super) received: mpsc::Receiver<Request>,
}

impl Wiring {
    pub(super) fn registry(&self) -> anyhow::Result<RegistryParts> {
        let sources = RegistrySources::new(&self.settings.registry, self.metrics.registry.clone())?;
        let (requests, received) = mpsc::channel(CHANGES_WAITING_LIMIT);
        Ok(RegistryParts {
            sources,
            requests,
            received,
        })
    }

    /// What is known before the first event is judged. In a new deployment the inventories count for all events, later what
    /// they have become counts from now on: what was judged before stays as it is when it is judged again.
    pub(super) async fn keeper(
        &self,
        parts: &mut RegistryParts,
        restored: &Restored,
    ) -> anyhow::Result<Keeper> {
        let versions = self.store.registrations().await?;
        let key = self.token_key()?;
        let mut keeper = Keeper::new(versions, self.settings.registry.keep_share, Some(key));
        for change in parts.sources.first().await? {
            let origin = change.origin();
            let since = if restored.is_new() && !keeper.knows(origin) {
                Timestamp::default()
            } else {
                keeper.stamp(self.clock.now(), None)
            };
            match keeper.decide(change, since) {
                Ok(versions) => {
                    self.store.insert_registrations(&versions).await?;
                    keeper.apply(versions);
                }
                Err(refusal) => tracing::error!(
                    registry.origin = origin.name(),
                    %refusal,
                    "the inventory is not believed; what it said before goes on"
                ),
            }
        }
        for origin in RegistryOrigin::ALL {
            self.metrics.registry.holds(origin, keeper.count(origin));
        }
        self.known.send_replace(keeper.registry());
        Ok(keeper)
    }
}

impl RegistryParts {
    /// What leaks are reported to.
    pub(super) fn leak_desk(&self, wiring: &Wiring) -> anyhow::Result<LeakDesk> {
        Ok(LeakDesk {
            key: wiring.token_key()?,
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
            requests: self.requests.clone(),
        })
    }

    /// What the API registers with.
    pub(super) fn registrar(&self) -> Registrar {
        registrar(self.requests.clone())
    }

    /// Starts those who send changes; gives what the pipeline receives them from.
    pub(super) fn start(self, wiring: &Wiring) -> mpsc::Receiver<Request> {
        let stops = &wiring.stops;
        let responses = follow_responses(
            wiring.store.clone(),
            wiring.clock.now() - RESPONSES_SINCE,
            wiring.live.subscribe(),
            self.requests.clone(),
        );
        stops
            .tasks
            .spawn(stops.sources.clone().run_until_cancelled_owned(responses));
        self.sources
            .start(&self.requests, &stops.tasks, &stops.sources);
        self.received
    }
}
