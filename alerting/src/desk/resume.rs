//! Messages that the ledger calls begun and nobody sends: a process died, or a queue was full. They go out again, whole
//! and under the same ids.

use std::sync::Arc;

use tokenwatch_model::{FindingStatus, Notification, NotificationResult, Severity, Timestamp};

use super::heard::{self, TOO_OLD};
use super::{Departure, Desk, Stranded};
use crate::occasion::Occasion;
use crate::outgoing::{Item, Outgoing};

impl Desk {
    /// Notes a line that was read from the ledger, if it is one of a message that nobody sends.
    pub(super) fn strand(&mut self, line: &Notification) {
        if line.result == NotificationResult::Sending
            && !self.is_in_flight(&line.id, line.finding_id)
        {
            let stranded = self.stranded.entry(line.id.clone()).or_default();
            stranded.about.insert(line.finding_id);
            stranded.was_tried = true;
        }
    }

    /// What was begun and is sent by nobody; to be asked once everything that the ledger knows was observed.
    pub(crate) fn resume(&mut self, now: Timestamp) -> Vec<Departure> {
        let mut departures = Vec::new();
        for (id, stranded) in std::mem::take(&mut self.stranded) {
            if !self.in_flight.contains_key(&id) {
                departures.extend(self.resume_one(&id, &stranded, now));
            }
        }
        departures
    }

    fn resume_one(&mut self, id: &str, stranded: &Stranded, now: Timestamp) -> Vec<Departure> {
        let (begun, late) = self.lines_left(id, stranded, now);
        let line = begun.first().map(|(_, line)| line);
        let Some(line) = line.or(late.first()).cloned() else {
            return Vec::new();
        };
        let receivers = &self.routing.receivers;
        let Some(receiver) = receivers.iter().position(|one| *one.name == *line.receiver) else {
            return Vec::new();
        };
        let mut departures = Vec::new();
        if !late.is_empty() {
            departures.push(Departure {
                receiver,
                message: None,
                lines: late,
                attempts: 0,
            });
        }
        if !begun.is_empty() {
            let attempts = begun.iter().map(|(_, line)| line.attempts).max();
            let items = begun.into_iter().map(|(item, _)| item).collect();
            let message = Outgoing {
                repeated: stranded.was_tried,
                ..self.again(id, receiver, items, &line)
            };
            departures.push(Departure {
                receiver,
                message: Some(message),
                // That it was begun is in the ledger already.
                lines: Vec::new(),
                attempts: attempts.unwrap_or(0),
            });
        }
        for departure in &departures {
            self.apply(departure, now);
        }
        departures
    }

    /// What of a message is still to be told, with its line; and the lines that say of the rest that it is too late.
    fn lines_left(
        &self,
        id: &str,
        stranded: &Stranded,
        now: Timestamp,
    ) -> (Vec<(Item, Notification)>, Vec<Notification>) {
        let (mut begun, mut late) = (Vec::new(), Vec::new());
        for case in stranded.about.iter().filter_map(|id| self.cases.get(id)) {
            let is_open =
                |line: &&Notification| line.id == id && line.result == NotificationResult::Sending;
            let Some(line) = case.lines.iter().find(is_open) else {
                continue;
            };
            let is_old = now.since(case.finding.last_event_at) > self.max_age
                && now.since(heard::begun_at(line)) > self.max_age;
            if is_old {
                late.push(Notification {
                    at: now,
                    result: NotificationResult::Muted,
                    reason: TOO_OLD.to_owned(),
                    ..line.clone()
                });
            } else if let Some(occasion) = heard::occasion(line) {
                let item = Item {
                    severity: line.severity,
                    ..case.item(occasion)
                };
                begun.push((item, line.clone()));
            }
        }
        (begun, late)
    }

    fn again(
        &self,
        id: &str,
        receiver: usize,
        mut items: Vec<Item>,
        line: &Notification,
    ) -> Outgoing {
        items.sort_by_key(|item| (std::cmp::Reverse(item.severity), item.finding.detected_at));
        let group = self.groups.get(&line.group);
        let members = group.into_iter().flat_map(|group| &group.members);
        let is_over = members
            .filter_map(|member| self.cases.get(member))
            .all(|case| case.finding.status == FindingStatus::Closed);
        let route = group.map(|group| &self.routing.routes[group.way.route]);
        Outgoing {
            id: id.to_owned(),
            receiver: Arc::clone(&self.routing.receivers[receiver].name),
            occasion: items
                .iter()
                .map(|item| item.occasion)
                .max()
                .unwrap_or(Occasion::Opened),
            severity: items
                .iter()
                .map(|item| item.severity)
                .max()
                .unwrap_or(Severity::Info),
            items,
            group: line.group.clone(),
            step: line.step,
            is_over,
            is_digest: route.is_some_and(|route| route.digest.is_some()),
            repeated: true,
            notice: None,
        }
    }
}
