//! What decoding and admission go on from at start: keys of JWT issuers, and records delivered before.

use super::Wiring;
use crate::jwks;
use crate::pipeline::{Admission, DELIVERY_FORMATS, DELIVERY_IDS_LIMIT, Deliveries};

impl Wiring {
    /// Goes on reading the keys of JWT issuers.
    pub(super) fn follow_key_files(&self) {
        let following = jwks::follow(self.settings.ingest.decoder.clone());
        let stop = self.stops.sources.clone();
        self.stops
            .tasks
            .spawn(stop.run_until_cancelled_owned(following));
    }

    /// Lets events in that were not stored before under the same id.
    pub(super) async fn admission(&self) -> anyhow::Result<Admission> {
        let horizon = self.settings.pipeline.redelivery_horizon;
        let mut deliveries = Deliveries::new(horizon);
        if !horizon.is_zero() {
            self.store
                .deliveries(
                    &DELIVERY_FORMATS,
                    horizon,
                    DELIVERY_IDS_LIMIT as u64,
                    &mut |delivery| deliveries.restore(&delivery),
                )
                .await?;
        }
        Ok(Admission::new(deliveries))
    }
}
