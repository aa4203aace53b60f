//! The lines and messages that come of a decision, with ids that are the same however often it is taken.

use std::sync::Arc;

use tokenwatch_model::{FindingStatus, Notification, NotificationResult};

use super::decide::{Scene, Telling};
use super::heard::TOO_OLD;
use super::{Case, Departure};
use crate::occasion::{Occasion, group_message_id, stable_id};
use crate::outgoing::{Item, Outgoing};

impl Scene<'_> {
    /// A line that says why something is not told; none if there is one already.
    pub(super) fn mute(
        &self,
        case: &Case,
        occasion: Occasion,
        reason: String,
    ) -> Option<Departure> {
        let item = case.item(occasion);
        let own = item.id(self.receiver, 0);
        // What is muted for its age may be news again, under its own id; other mutes are lines of their own.
        let id = if reason == TOO_OLD {
            own
        } else {
            let why = reason.split(" until ").next().unwrap_or_default();
            stable_id("ntf_", &["muted", &own, why])
        };
        let known = case.lines.iter().any(|line| {
            line.id == id && line.result == NotificationResult::Muted && line.reason == reason
        });
        (!known).then(|| self.record(&item, id, NotificationResult::Muted, reason, 0))
    }

    /// A line that says that something is told later; none if there is one already.
    pub(super) fn wait(&self, case: &Case, telling: &Telling) -> Option<Departure> {
        // An escalation that may come says nothing about this receiver yet.
        if telling.occasion == Occasion::Unacknowledged {
            return None;
        }
        let item = case.item(telling.occasion);
        let known = case.waiting_since(self.receiver, telling.occasion, item.severity);
        if known.is_some() {
            return None;
        }
        let id = item.id(self.receiver, 0);
        let reason = format!("{} until {}", telling.waits_for, telling.due);
        Some(self.record(&item, id, NotificationResult::Waiting, reason, 0))
    }

    pub(super) fn record(
        &self,
        item: &Item,
        id: String,
        result: NotificationResult,
        reason: String,
        step: u32,
    ) -> Departure {
        Departure {
            receiver: self.group.way.receiver,
            message: None,
            lines: vec![self.line(item, id, result, reason, step)],
            attempts: 0,
        }
    }

    /// One message about `items`, with its lines.
    pub(super) fn depart(
        &self,
        mut items: Vec<Item>,
        reasons: &[&str],
        step: u32,
    ) -> Option<Departure> {
        if items.is_empty() {
            return None;
        }
        let mut each: Vec<(String, &str)> = items
            .iter()
            .zip(reasons)
            .map(|(item, reason)| (item.id(self.receiver, step), *reason))
            .collect();
        let id = if let [(only, _)] = each.as_slice() {
            only.clone()
        } else {
            let mut ids: Vec<String> = each.iter().map(|(id, _)| id.clone()).collect();
            ids.sort_unstable();
            group_message_id(self.receiver, &ids)
        };
        let lines = items
            .iter()
            .zip(each.drain(..))
            .map(|(item, (_, reason))| {
                let result = NotificationResult::Sending;
                self.line(item, id.clone(), result, reason.to_owned(), step)
            })
            .collect();
        items.sort_by_key(|item| (std::cmp::Reverse(item.severity), item.finding.detected_at));
        let message = Outgoing {
            id,
            receiver: Arc::clone(&self.desk.routing.receivers[self.group.way.receiver].name),
            occasion: items.iter().map(|item| item.occasion).max()?,
            severity: items.iter().map(|item| item.severity).max()?,
            is_over: self.is_over(),
            is_digest: self.route.digest.is_some(),
            group: self.id.to_owned(),
            step,
            items,
            repeated: false,
            notice: None,
        };
        Some(Departure {
            receiver: self.group.way.receiver,
            message: Some(message),
            lines,
            attempts: 0,
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.group
            .members
            .iter()
            .filter_map(|member| self.desk.cases.get(member))
            .all(|case| case.finding.status == FindingStatus::Closed)
    }

    pub(super) fn line(
        &self,
        item: &Item,
        id: String,
        result: NotificationResult,
        reason: String,
        step: u32,
    ) -> Notification {
        Notification {
            id,
            finding_id: item.finding.id,
            receiver: self.receiver.to_owned(),
            // Whoever writes the line knows the channel.
            channel: String::new(),
            occasion: item.occasion.name().to_owned(),
            group: self.id.to_owned(),
            step,
            severity: item.severity,
            begun_at: self.now,
            at: self.now,
            attempts: 0,
            result,
            reason,
        }
    }
}

impl Case {
    pub(super) fn item(&self, occasion: Occasion) -> Item {
        Item {
            finding: Arc::clone(&self.finding),
            occasion,
            severity: self.finding.severity,
            response: None,
            links: None,
        }
    }
}
