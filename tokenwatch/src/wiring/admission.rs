//! What is recognised at start as delivered before.

use super::Wiring;
use crate::pipeline::{Admission, DELIVERY_FORMATS, DELIVERY_IDS_LIMIT, Deliveries};

impl Wiring {
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
