//! What ingest counts.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokenwatch_model::{AccessEvent, Format};

use crate::geo::GeoState;
use crate::reject::{Reject, RejectReason};
use crate::source_metrics::SourceMetrics;

/// Counters of decoding, and those of the sources.
#[derive(Clone, Debug, Default)]
pub struct IngestMetrics {
    /// What the sources and the dead letters count.
    pub sources: SourceMetrics,
    records: Counter,
    events: Family<FormatLabel, Counter>,
    rejected: Family<ReasonLabel, Counter>,
    geo_degraded: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FormatLabel {
    format: FormatValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: ReasonValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FormatValue(Format);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ReasonValue(RejectReason);

impl IngestMetrics {
    /// Makes the metrics readable in `registry`. Every format and reason is there from the start, at zero, so that an
    /// alert on an increase sees the first one.
    pub fn register(&self, registry: &mut Registry) {
        self.sources.register(registry);
        let registry = registry.sub_registry_with_prefix("tokenwatch_ingest");
        registry.register("records", "Records decoded", self.records.clone());
        registry.register(
            "events",
            "Access events decoded, by format",
            self.events.clone(),
        );
        registry.register(
            "rejected",
            "Records and events rejected, by reason",
            self.rejected.clone(),
        );
        registry.register(
            "geo_degraded",
            "1 while a configured geo database is missing or broken",
            self.geo_degraded.clone(),
        );
        for format in Format::ALL {
            drop(self.events.get_or_create(&FormatLabel {
                format: FormatValue(format),
            }));
        }
        for reason in RejectReason::ALL {
            drop(self.rejected.get_or_create(&ReasonLabel {
                reason: ReasonValue(reason),
            }));
        }
    }

    /// How many records and events were rejected so far, by reason; reasons that did not occur are left out.
    pub fn rejected(&self) -> Vec<(RejectReason, u64)> {
        let count = |reason| {
            self.rejected
                .get_or_create(&ReasonLabel {
                    reason: ReasonValue(reason),
                })
                .get()
        };
        RejectReason::ALL
            .into_iter()
            .map(|reason| (reason, count(reason)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Counts a batch of `records` that gave `events` and `rejects`.
    pub(crate) fn count_batch(
        &self,
        records: usize,
        events: &[AccessEvent<'_>],
        rejects: &[Reject],
    ) {
        self.records.inc_by(records as u64);
        for format in Format::ALL {
            let count = events.iter().filter(|event| event.format == format).count();
            if count > 0 {
                self.events
                    .get_or_create(&FormatLabel {
                        format: FormatValue(format),
                    })
                    .inc_by(count as u64);
            }
        }
        for reject in rejects {
            self.rejected
                .get_or_create(&ReasonLabel {
                    reason: ReasonValue(reject.reason),
                })
                .inc();
        }
    }

    /// Says whether the geo databases are all there.
    pub(crate) fn set_geo(&self, state: GeoState) {
        self.geo_degraded
            .set(i64::from(state == GeoState::Degraded));
    }
}

impl EncodeLabelValue for FormatValue {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.0.name(), encoder)
    }
}

impl EncodeLabelValue for ReasonValue {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.0.name(), encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_there_before_it_occurs() {
        let metrics = IngestMetrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for reason in RejectReason::ALL {
            let line = format!(
                "tokenwatch_ingest_rejected_total{{reason=\"{}\"}} 0",
                reason.name()
            );
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        assert!(text.contains("tokenwatch_ingest_events_total{format=\"kong\"} 0"));
        assert!(metrics.rejected().is_empty());
    }
}
