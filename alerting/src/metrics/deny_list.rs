//! What is counted of the deny list.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::AlertingMetrics;

#[derive(Clone, Debug, Default)]
pub(super) struct DenyListMetrics {
    checks: Family<CheckLabels, Counter>,
    entries: Gauge,
    lost: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CheckLabels {
    verdict: &'static str,
}

impl DenyListMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "deny_list_checks",
            "Requests that gateways have asked about, by the answer",
            self.checks.clone(),
        );
        registry.register(
            "deny_list_entries",
            "Responses on the deny list",
            self.entries.clone(),
        );
        registry.register(
            "deny_list_lost",
            "Responses that a full deny list did not take",
            self.lost.clone(),
        );
    }
}

impl AlertingMetrics {
    /// A gateway has asked about a request and was told `verdict`.
    pub fn checked(&self, verdict: &'static str) {
        let labels = CheckLabels { verdict };
        self.deny_list.checks.get_or_create(&labels).inc();
    }

    /// The deny list has so many entries.
    pub fn deny_list_holds(&self, entries: usize) {
        let entries = i64::try_from(entries).unwrap_or(i64::MAX);
        self.deny_list.entries.set(entries);
    }

    /// So many did not fit.
    pub fn deny_list_lost(&self, count: usize) {
        self.deny_list.lost.inc_by(count as u64);
    }
}
