//! What alerting counts.

mod deny_list;

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokenwatch_model::{EffectState, NotificationResult, ResponseResult};

use crate::channel::ChannelName;

use deny_list::DenyListMetrics;

/// The metrics of alerting; clones count together.
#[derive(Clone, Debug, Default)]
pub struct AlertingMetrics {
    notifications: Family<NotificationLabels, Counter>,
    retries: Family<ChannelLabels, Counter>,
    queued: Family<ChannelLabels, Gauge>,
    responses: Family<ResponseLabels, Counter>,
    response_retries: Counter,
    effects: Family<EffectLabels, Counter>,
    time_to_revoke: TimeToRevoke,
    overflows: Counter,
    ledger_errors: Family<LedgerLabels, Counter>,
    reconciliations: Counter,
    endpoints_disabled: Gauge,
    unreachable: Family<ChannelLabels, Gauge>,
    groups: Gauge,
    deny_list: DenyListMetrics,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NotificationLabels {
    channel: ChannelName,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabels {
    channel: ChannelName,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EffectLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LedgerLabels {
    operation: LedgerOperation,
}

/// What was done with the ledger when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
pub(crate) enum LedgerOperation {
    read,
    write,
}

/// From the detection until gateways refuse the token: from what a person cannot do better to what is no help any more.
#[derive(Clone, Debug)]
struct TimeToRevoke(Histogram);

impl Default for TimeToRevoke {
    fn default() -> Self {
        let bounds = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0];
        Self(Histogram::new(bounds))
    }
}

impl AlertingMetrics {
    /// Adds them to `registry`, under `tokenwatch_alerting_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("tokenwatch_alerting");
        registry.register(
            "notifications",
            "Messages by what became of them",
            self.notifications.clone(),
        );
        registry.register(
            "notification_retries",
            "Attempts to deliver a message that failed and are tried again",
            self.retries.clone(),
        );
        registry.register(
            "queue_messages",
            "Messages that wait to be sent",
            self.queued.clone(),
        );
        registry.register(
            "responses",
            "Responses by what became of them",
            self.responses.clone(),
        );
        registry.register(
            "response_retries",
            "Attempts to respond that failed and are tried again",
            self.response_retries.clone(),
        );
        registry.register(
            "response_effects",
            "Revocations and suspensions by what the calls after them say",
            self.effects.clone(),
        );
        registry.register(
            "time_to_revoke_seconds",
            "From the detection until gateways refused the token",
            self.time_to_revoke.0.clone(),
        );
        registry.register(
            "queue_overflows",
            "Findings and messages that a full queue turned away until the next reconciliation",
            self.overflows.clone(),
        );
        registry.register(
            "ledger_errors",
            "Reads and writes of the ledger that failed",
            self.ledger_errors.clone(),
        );
        registry.register(
            "reconciliations",
            "Comparisons of the stored findings with the ledger",
            self.reconciliations.clone(),
        );
        registry.register(
            "endpoints_disabled",
            "Webhooks that answered 410 and are not used until they are configured anew",
            self.endpoints_disabled.clone(),
        );
        registry.register(
            "receivers_unreachable",
            "Receivers that several attempts in a row did not reach",
            self.unreachable.clone(),
        );
        registry.register(
            "findings_held",
            "Findings that may still have something to be told about",
            self.groups.clone(),
        );
        self.deny_list.register(registry);
    }

    pub(crate) fn notified(&self, channel: ChannelName, result: NotificationResult) {
        let result = result.name();
        let labels = NotificationLabels { channel, result };
        self.notifications.get_or_create(&labels).inc();
    }

    pub(crate) fn retried(&self, channel: ChannelName) {
        self.retries.get_or_create(&ChannelLabels { channel }).inc();
    }

    pub(crate) fn queued(&self, channel: ChannelName, change: i64) {
        self.queued
            .get_or_create(&ChannelLabels { channel })
            .inc_by(change);
    }

    pub(crate) fn responded(&self, result: ResponseResult) {
        let result = result.name();
        self.responses
            .get_or_create(&ResponseLabels { result })
            .inc();
    }

    pub(crate) fn response_retried(&self) {
        self.response_retries.inc();
    }

    pub(crate) fn took_effect(&self, state: EffectState) {
        let state = state.name();
        self.effects.get_or_create(&EffectLabels { state }).inc();
    }

    pub(crate) fn time_to_revoke(&self, duration: Duration) {
        self.time_to_revoke.0.observe(duration.as_secs_f64());
    }

    pub(crate) fn overflowed(&self) {
        self.overflows.inc();
    }

    pub(crate) fn ledger_failed(&self, operation: LedgerOperation) {
        self.ledger_errors
            .get_or_create(&LedgerLabels { operation })
            .inc();
    }

    pub(crate) fn reconciled(&self) {
        self.reconciliations.inc();
    }

    pub(crate) fn unreachable(&self, channel: ChannelName, change: i64) {
        self.unreachable
            .get_or_create(&ChannelLabels { channel })
            .inc_by(change);
    }

    pub(crate) fn holds(&self, findings: usize) {
        self.groups.set(i64::try_from(findings).unwrap_or(i64::MAX));
    }

    pub(crate) fn endpoint_disabled(&self) {
        self.endpoints_disabled.inc();
    }
}
