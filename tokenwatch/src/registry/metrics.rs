//! What the registry's sources count.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokenwatch_model::RegistryOrigin;

/// Counters and gauges of the registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegistryMetrics {
    entries: Family<OriginLabels, Gauge>,
    readings: Family<ReadingLabels, Counter>,
}

/// What came of reading an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Taken over.
    Taken,
    /// Not believed.
    Refused,
    /// Not to be had, or not to be read.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OriginLabels {
    origin: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadingLabels {
    origin: &'static str,
    result: &'static str,
}

impl RegistryMetrics {
    /// Makes them known to `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "tokenwatch_pipeline_registry_entries",
            "Entries of the token registry",
            self.entries.clone(),
        );
        registry.register(
            "tokenwatch_pipeline_registry_readings",
            "Inventories read",
            self.readings.clone(),
        );
    }

    /// Notes how many entries an origin has.
    pub(crate) fn holds(&self, origin: RegistryOrigin, entries: usize) {
        let labels = OriginLabels {
            origin: origin.name(),
        };
        let entries = i64::try_from(entries).unwrap_or(i64::MAX);
        self.entries.get_or_create(&labels).set(entries);
    }

    /// Counts a reading.
    pub(crate) fn read(&self, origin: RegistryOrigin, reading: Reading) {
        let labels = ReadingLabels {
            origin: origin.name(),
            result: match reading {
                Reading::Taken => "taken",
                Reading::Refused => "refused",
                Reading::Failed => "failed",
            },
        };
        self.readings.get_or_create(&labels).inc();
    }
}
