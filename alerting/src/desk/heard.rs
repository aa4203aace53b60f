//! What the ledger says that a receiver heard of a finding, or was meant to.

use std::collections::BTreeMap;

use tokenwatch_model::{Notification, NotificationResult, Severity, Timestamp};

use super::Case;
use crate::occasion::Occasion;
use crate::routing::Routing;

/// The reason in the ledger of a message to an endpoint that met a 410 earlier.
pub(crate) const DISABLED_REASON: &str = "endpoint_disabled";

/// What one receiver heard of one finding.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Heard {
    /// The gravest severity.
    pub severity: Option<Severity>,
    /// When it was last told of something other than the end.
    pub news_at: Option<Timestamp>,
    /// When it was last told of anything.
    pub last_at: Option<Timestamp>,
    /// Whether it was told of the end.
    pub is_closed: bool,
    /// How often it was told again.
    pub repeats: u32,
    /// Whether anything was muted other than for its age.
    pub is_muted: bool,
}

impl Case {
    pub(super) fn lines_of<'c>(
        &'c self,
        receiver: &'c str,
    ) -> impl Iterator<Item = &'c Notification> {
        self.lines
            .iter()
            .filter(move |line| line.receiver == receiver)
    }

    /// What `receiver` heard.
    pub(super) fn heard(&self, receiver: &str) -> Heard {
        let mut heard = Heard::default();
        for line in self.lines_of(receiver) {
            if !is_told(line) {
                heard.is_muted |=
                    line.result == NotificationResult::Muted && line.reason != TOO_OLD;
                continue;
            }
            let at = begun_at(line);
            heard.last_at = heard.last_at.max(Some(at));
            match occasion(line) {
                Some(Occasion::Closed) => heard.is_closed = true,
                told => {
                    heard.severity = heard.severity.max(Some(line.severity));
                    if told == Some(Occasion::Repeated) {
                        heard.repeats = heard.repeats.max(line.step);
                    } else {
                        heard.news_at = heard.news_at.max(Some(at));
                    }
                }
            }
        }
        heard
    }

    /// Since when `receiver` is meant to be told of this, according to the ledger.
    pub(super) fn waiting_since(
        &self,
        receiver: &str,
        wanted: Occasion,
        severity: Severity,
    ) -> Option<Timestamp> {
        self.lines_of(receiver)
            .filter(|line| line.result == NotificationResult::Waiting)
            .filter(|line| occasion(line) == Some(wanted))
            .filter(|line| wanted != Occasion::Escalated || line.severity == severity)
            .map(begun_at)
            .min()
    }

    /// The receivers that heard of it, by index, and with which group they did last.
    pub(super) fn told_groups(&self, routing: &Routing) -> Vec<(usize, String)> {
        let mut told: BTreeMap<usize, (Timestamp, String)> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| is_told(line)) {
            let receiver = routing
                .receivers
                .iter()
                .position(|policy| *policy.name == *line.receiver);
            let Some(receiver) = receiver else { continue };
            // Lines of earlier releases name no group: then each finding was one.
            let group = if line.group.is_empty() {
                crate::occasion::stable_id("grp_", &[&line.receiver, &self.finding.id.to_string()])
            } else {
                line.group.clone()
            };
            let entry = (begun_at(line), group);
            if told.get(&receiver).is_none_or(|known| *known < entry) {
                told.insert(receiver, entry);
            }
        }
        told.into_iter()
            .map(|(receiver, (_, group))| (receiver, group))
            .collect()
    }
}

/// The reason of a finding that is no news any more.
pub(super) const TOO_OLD: &str = "too_old";

/// Whether a line stands for a message that is dealt with or on its way.
pub(super) fn is_told(line: &Notification) -> bool {
    match line.result {
        NotificationResult::Sending | NotificationResult::Sent | NotificationResult::Failed => true,
        NotificationResult::Muted => line.reason == DISABLED_REASON,
        NotificationResult::Waiting => false,
    }
}

/// What a line was about; lines of earlier releases tell by their ids.
pub(super) fn occasion(line: &Notification) -> Option<Occasion> {
    Occasion::named(&line.occasion)
        .or_else(|| Occasion::of_id(&line.id, line.finding_id, &line.receiver, line.severity))
}

/// When the message of a line was decided on; lines of earlier releases tell when they were written.
pub(super) fn begun_at(line: &Notification) -> Timestamp {
    if line.begun_at == Timestamp::default() {
        line.at
    } else {
        line.begun_at
    }
}
