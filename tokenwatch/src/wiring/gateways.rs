//! What gateways and receivers ask of us: the deny list, and the keys that sign security event tokens.

use axum::Router;
use tokenwatch_alerting::Dispatcher;
use tokenwatch_ingest::RequestTokens;

use super::Wiring;
use crate::deny_list::{self, Desk};
use crate::ssf;

impl Wiring {
    /// The deny list, if there is one; starts what keeps it as the journal has it.
    pub(super) fn deny_list(&self, dispatcher: &Dispatcher) -> anyhow::Result<Router> {
        let target = deny_list::target(&self.settings.alerting.response);
        let (Some((name, settings)), Some(list)) = (target, dispatcher.deny_list()) else {
            return Ok(Router::new());
        };
        let following = deny_list::follow(
            list.clone(),
            name.to_owned(),
            self.store.clone(),
            self.metrics.alerting.clone(),
            self.clock.clone(),
        );
        let until = self.stops.http.clone();
        self.stops
            .tasks
            .spawn(async move { until.run_until_cancelled(following).await });
        let decoder = self.settings.ingest.decoder.clone();
        Ok(deny_list::router(Desk {
            list,
            tokens: RequestTokens::new(decoder, self.token_key()?, settings.format),
            settings: settings.clone(),
            metrics: self.metrics.alerting.clone(),
            clock: self.clock.clone(),
        }))
    }

    /// The keys that sign security event tokens, if any are sent.
    pub(super) fn ssf(&self) -> Router {
        let settings = self.settings.alerting.response.ssf.as_deref();
        settings.map(ssf::router).unwrap_or_default()
    }
}
