//! Who is told what about a finding: a pure decision over the finding, the routes and the ledger.
//!
//! Not every version of a finding is news. A receiver hears of it when a route first wants it (`opened`), when it
//! became graver than what the receiver heard (`escalated`) and, if it asked for that, when it ended (`closed`).
//! Every answer has a named reason, so that "why was I (not) told?" can be answered.

use std::sync::Arc;
use std::time::Duration;

use tokenwatch_model::{
    Finding, FindingStatus, Notification, NotificationResult, Severity, Timestamp,
};

use crate::config::Matcher;
use crate::occasion::{Occasion, notification_id};

/// Which findings go to whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routing {
    /// The routes; every one that matches applies.
    pub routes: Vec<Matcher>,
    /// The receivers that routes name by index.
    pub receivers: Vec<ReceiverPolicy>,
}

/// What the decision needs to know of a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiverPolicy {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is told when a finding closes.
    pub send_closed: bool,
}

/// What to do for one receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Index of the receiver.
    pub receiver: usize,
    /// What about the finding.
    pub occasion: Occasion,
    /// The severity that is announced.
    pub severity: Severity,
    /// The message's id.
    pub id: String,
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send it.
    Send,
    /// Record that it is not sent.
    Mute,
    /// Nothing: it was dealt with, or nobody asked.
    Skip,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A route wants it and the receiver has not heard of it.
    FirstMatch,
    /// It is graver than what the receiver heard.
    SeverityRose,
    /// Its episode ended.
    EpisodeEnded,
    /// The ledger says that sending began; it did not say how it ended.
    Unfinished,
    /// Its last event is older than what counts as news.
    TooOld,
    /// The receiver heard as much already.
    AlreadyAnnounced,
    /// No route leads to the receiver.
    NoRoute,
}

impl Reason {
    /// The contract name, as in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstMatch => "first_match",
            Self::SeverityRose => "severity_rose",
            Self::EpisodeEnded => "episode_ended",
            Self::Unfinished => "unfinished",
            Self::TooOld => "too_old",
            Self::AlreadyAnnounced => "already_announced",
            Self::NoRoute => "no_route",
        }
    }
}

impl Routing {
    /// Whether any route takes `finding`; cheap, for the many versions that nobody wants.
    pub fn wants(&self, finding: &Finding) -> bool {
        self.routes.iter().any(|route| route.matches(finding))
    }

    /// The mildest severity that any route takes.
    pub fn mildest(&self) -> Option<Severity> {
        self.routes.iter().map(|route| route.severity).min()
    }
}

/// What to do about `finding`, receiver by receiver. `lines` holds the newest ledger line of every message about it.
pub fn decide(
    finding: &Finding,
    lines: &[Notification],
    routing: &Routing,
    now: Timestamp,
    max_age: Duration,
) -> Vec<Decision> {
    let mut wanted = vec![false; routing.receivers.len()];
    for route in routing.routes.iter().filter(|route| route.matches(finding)) {
        for receiver in &route.receivers {
            wanted[*receiver] = true;
        }
    }
    let too_old = now.since(finding.last_event_at) > max_age;
    let mut decisions = Vec::new();
    for (receiver, policy) in routing.receivers.iter().enumerate() {
        let case = Case {
            finding,
            receiver,
            policy,
            lines,
            too_old,
        };
        case.unfinished(&mut decisions);
        if wanted[receiver] {
            case.news(&mut decisions);
        } else {
            decisions.push(case.skip(Reason::NoRoute));
        }
    }
    decisions
}

/// One finding and one receiver.
struct Case<'d> {
    finding: &'d Finding,
    receiver: usize,
    policy: &'d ReceiverPolicy,
    lines: &'d [Notification],
    too_old: bool,
}

impl Case<'_> {
    fn lines(&self) -> impl Iterator<Item = &Notification> {
        self.lines
            .iter()
            .filter(|line| *line.receiver == *self.policy.name)
    }

    /// Messages that a process began to send and did not report on; routes may have changed since.
    fn unfinished(&self, decisions: &mut Vec<Decision>) {
        let open = self
            .lines()
            .filter(|line| line.result == NotificationResult::Sending);
        for line in open {
            let name = &self.policy.name;
            let occasion = Occasion::of_id(&line.id, self.finding.id, name, line.severity);
            if let Some(occasion) = occasion {
                let decision = self.decision(occasion, line.severity, Reason::Unfinished);
                decisions.push(decision);
            }
        }
    }

    fn news(&self, decisions: &mut Vec<Decision>) {
        let heard = self.heard();
        let severity = self.finding.severity;
        let (occasion, reason) = match heard {
            None => (Occasion::Opened, Reason::FirstMatch),
            Some(heard) if severity > heard => (Occasion::Escalated, Reason::SeverityRose),
            Some(_) => (Occasion::Opened, Reason::AlreadyAnnounced),
        };
        if reason == Reason::AlreadyAnnounced {
            decisions.push(self.skip(reason));
        } else {
            decisions.push(self.decision(occasion, severity, reason));
        }
        if self.policy.send_closed && self.finding.status == FindingStatus::Closed {
            let id = self.id(Occasion::Closed, severity);
            if !self.lines().any(|line| line.id == id && is_settled(line)) {
                decisions.push(self.decision(Occasion::Closed, severity, Reason::EpisodeEnded));
            }
        }
    }

    /// The gravest severity that the receiver heard of, or was meant to.
    fn heard(&self) -> Option<Severity> {
        let closed = self.id(Occasion::Closed, self.finding.severity);
        self.lines()
            .filter(|line| is_settled(line) && line.id != closed)
            .map(|line| line.severity)
            .max()
    }

    fn id(&self, occasion: Occasion, severity: Severity) -> String {
        notification_id(self.finding.id, &self.policy.name, occasion, severity)
    }

    /// To send, unless it is no news any more; what was recorded as such is not recorded again.
    fn decision(&self, occasion: Occasion, severity: Severity, reason: Reason) -> Decision {
        let id = self.id(occasion, severity);
        let (action, reason) = if !self.too_old {
            (Action::Send, reason)
        } else if self
            .lines()
            .any(|line| line.id == id && line.result == NotificationResult::Muted)
        {
            (Action::Skip, Reason::TooOld)
        } else {
            (Action::Mute, Reason::TooOld)
        };
        Decision {
            receiver: self.receiver,
            occasion,
            severity,
            id,
            action,
            reason,
        }
    }

    fn skip(&self, reason: Reason) -> Decision {
        Decision {
            receiver: self.receiver,
            occasion: Occasion::Opened,
            severity: self.finding.severity,
            id: self.id(Occasion::Opened, self.finding.severity),
            action: Action::Skip,
            reason,
        }
    }
}

/// Whether a line stands for a message that is dealt with or on its way. One that was muted for its age is not: the
/// episode may go on, and then it is news.
fn is_settled(line: &Notification) -> bool {
    !(line.result == NotificationResult::Muted && line.reason == Reason::TooOld.name())
}

#[cfg(test)]
mod tests;
