//! What Tokenwatch says of itself: a silence that is about to end, a receiver that is dead or back.

use std::time::Duration;

use tokenwatch_model::{
    FindingId, FindingStatus, Notification, NotificationResult, Severity, Silence, Timestamp,
};

use super::{Departure, Desk};
use crate::occasion::{Occasion, stable_id};
use crate::outgoing::{Notice, Outgoing};

/// Notices that are remembered; each is a few dozen bytes.
const NOTICED_LIMIT: usize = 100_000;

/// To whom notices go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NoticePolicy {
    /// Indices of the receivers.
    pub(crate) receivers: Vec<usize>,
    /// How long before its end a silence is told of.
    pub(crate) silence_warning: Duration,
}

/// How a receiver does, when that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReceiverHealth {
    /// Index of the receiver.
    pub(crate) receiver: usize,
    /// Since when nothing reaches it.
    pub(crate) since: Timestamp,
    /// Whether it does again.
    pub(crate) is_back: bool,
    /// What went wrong last.
    pub(crate) reason: String,
}

impl Desk {
    /// Takes in the ledger's lines of notices.
    pub(crate) fn learn_notices(&mut self, lines: &[Notification]) {
        for line in lines {
            // One that was begun and has no outcome is told again, under the same id.
            if line.result != NotificationResult::Sending {
                self.remember_notice(line.id.clone());
            }
        }
        self.notice_at = self.next_notice();
    }

    /// What departs because of a receiver's health: others are told.
    pub(crate) fn receiver_changed(
        &mut self,
        health: &ReceiverHealth,
        now: Timestamp,
    ) -> Vec<Departure> {
        let name = self.routing.receivers[health.receiver].name.to_string();
        let (title, text) = if health.is_back {
            (
                format!("Receiver {name} is reached again"),
                format!(
                    "Nothing reached it since {}. What waited is being sent.",
                    health.since
                ),
            )
        } else {
            (
                format!("Receiver {name} cannot be reached"),
                "Alerts for it wait and are tried again until they are given up; somebody should look after it."
                    .to_owned(),
            )
        };
        let notice = Notice {
            title,
            text,
            facts: vec![
                ("Receiver", name.clone()),
                ("Since", health.since.to_string()),
                ("Last failure", health.reason.clone()),
            ],
        };
        let kind = if health.is_back { "back" } else { "dead" };
        let since = health.since.to_string();
        let others: Vec<usize> = self.notices.receivers.clone();
        others
            .into_iter()
            .filter(|receiver| *receiver != health.receiver)
            .filter_map(|receiver| {
                self.notify(
                    receiver,
                    &["receiver", kind, &name, &since],
                    notice.clone(),
                    now,
                )
            })
            .collect()
    }

    /// Warnings of silences that end soon.
    pub(super) fn due_notices(&mut self, now: Timestamp) -> Vec<Departure> {
        // What has ended needs no warning any more.
        self.silences.retain(|silence| silence.ends_at > now);
        let ending: Vec<Silence> = self
            .silences
            .iter()
            .filter(|silence| silence.is_active(now))
            .filter(|silence| self.warns_at(silence).is_some_and(|at| at <= now))
            .cloned()
            .collect();
        let mut departures = Vec::new();
        for silence in ending {
            let muted = self
                .cases
                .values()
                .filter(|case| case.finding.status == FindingStatus::Open)
                .filter(|case| silence.matcher.matches(&case.finding))
                .count();
            let notice = Notice {
                title: format!("A silence ends at {}", silence.ends_at),
                text: format!(
                    "{muted} open findings that it mutes will then be announced. Extend it if its reason still holds."
                ),
                facts: vec![
                    ("Silence", silence.id.clone()),
                    ("By", silence.created_by.clone()),
                    ("Reason", silence.reason.clone()),
                ],
            };
            let ends_at = silence.ends_at.to_string();
            for receiver in self.notices.receivers.clone() {
                let about = ["silence", &silence.id, &ends_at];
                departures.extend(self.notify(receiver, &about, notice.clone(), now));
            }
        }
        departures
    }

    /// When the next silence is to be warned of.
    pub(super) fn next_notice(&self) -> Option<Timestamp> {
        if self.notices.receivers.is_empty() {
            return None;
        }
        self.silences
            .iter()
            .filter(|silence| !self.is_warned(silence))
            .filter_map(|silence| self.warns_at(silence))
            .min()
    }

    /// None for silences so short that who made them still knows.
    fn warns_at(&self, silence: &Silence) -> Option<Timestamp> {
        let warning = self.notices.silence_warning;
        let is_long = silence.ends_at.since(silence.starts_at) > warning * 2;
        (is_long && !warning.is_zero()).then(|| silence.ends_at - warning)
    }

    fn is_warned(&self, silence: &Silence) -> bool {
        let ends_at = silence.ends_at.to_string();
        self.notices.receivers.iter().all(|receiver| {
            let about = ["silence", &silence.id, &ends_at];
            self.noticed.contains(&self.notice_id(*receiver, &about))
        })
    }

    fn notice_id(&self, receiver: usize, about: &[&str]) -> String {
        let mut parts = vec!["notice", &*self.routing.receivers[receiver].name];
        parts.extend(about);
        stable_id("ntf_", &parts)
    }

    fn notify(
        &mut self,
        receiver: usize,
        about: &[&str],
        notice: Notice,
        now: Timestamp,
    ) -> Option<Departure> {
        let id = self.notice_id(receiver, about);
        if self.noticed.contains(&id) {
            return None;
        }
        self.remember_notice(id.clone());
        let name = &self.routing.receivers[receiver].name;
        let line = Notification {
            id: id.clone(),
            finding_id: FindingId::NIL,
            receiver: name.to_string(),
            channel: String::new(),
            occasion: Occasion::Notice.name().to_owned(),
            group: String::new(),
            step: 0,
            severity: Severity::Medium,
            begun_at: now,
            at: now,
            attempts: 0,
            result: NotificationResult::Sending,
            reason: about[0].to_owned(),
        };
        let message = Outgoing {
            id,
            receiver: name.clone(),
            occasion: Occasion::Notice,
            severity: Severity::Medium,
            items: Vec::new(),
            group: String::new(),
            step: 0,
            is_over: false,
            is_digest: false,
            repeated: false,
            notice: Some(notice),
        };
        self.departed(&message);
        Some(Departure {
            receiver,
            message: Some(message),
            lines: vec![line],
            attempts: 0,
        })
    }

    fn remember_notice(&mut self, id: String) {
        if self.noticed.len() >= NOTICED_LIMIT {
            // They are months apart by then; a silence that is warned of twice does no harm.
            self.noticed.clear();
        }
        self.noticed.insert(id);
    }
}
