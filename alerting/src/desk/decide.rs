//! What happens with one group at one time: told, told later, muted, or nothing. Every answer has a named reason.

use tokenwatch_model::{
    Family, Finding, FindingId, FindingStatus, Severity, SubjectKind, Timestamp,
};

use super::heard::TOO_OLD;
use super::{Case, Departure, Desk, Group};
use crate::occasion::Occasion;
use crate::routing::{Outside, Route};

/// Evidence of one family fades within minutes: an outage explains what began this long before or after it.
const OUTAGE_MARGIN: std::time::Duration = std::time::Duration::from_mins(10);

/// What is decided about a group.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) departures: Vec<Departure>,
    /// When to look again, if nothing else happens.
    pub(super) next: Option<Timestamp>,
}

/// What is new about one finding for one receiver.
enum News {
    /// Nothing; look again at this time.
    Nothing(Option<Timestamp>),
    /// It is not told, for this reason; look again at this time.
    Muted {
        occasion: Occasion,
        reason: String,
        next: Option<Timestamp>,
    },
    /// To be told when it is due.
    Tell(Telling),
}

/// Something to be told.
pub(super) struct Telling {
    pub(super) occasion: Occasion,
    pub(super) step: u32,
    pub(super) due: Timestamp,
    /// Why not earlier.
    pub(super) waits_for: &'static str,
    /// Why at all.
    pub(super) reason: &'static str,
}

/// A group and what its decision needs at hand.
pub(super) struct Scene<'d> {
    pub(super) desk: &'d Desk,
    pub(super) group: &'d Group,
    pub(super) id: &'d str,
    pub(super) route: &'d Route,
    pub(super) receiver: &'d str,
    pub(super) last_told: Option<Timestamp>,
    pub(super) now: Timestamp,
}

impl Desk {
    pub(super) fn decide(&mut self, id: &str, now: Timestamp) -> Decision {
        let Some(group) = self.groups.get(id).cloned() else {
            return Decision::default();
        };
        let (decision, inhibited) = {
            let scene = self.scene(id, &group, now);
            scene.decide()
        };
        self.inhibited.extend(inhibited);
        decision
    }

    /// What is looked at first: outages, then the gravest, then the oldest.
    pub(super) fn rank(
        &self,
        group: &str,
    ) -> (bool, std::cmp::Reverse<Severity>, Timestamp, String) {
        let members = self.groups.get(group).map(|group| &group.members);
        let findings = || {
            let members = members.into_iter().flatten();
            members
                .filter_map(|id| self.cases.get(id))
                .map(|case| &case.finding)
        };
        let is_outage = findings().any(|finding| finding.subject.kind == SubjectKind::Fleet);
        let severity = findings().map(|finding| finding.severity).max();
        let oldest = findings().map(|finding| finding.detected_at).min();
        (
            !is_outage,
            std::cmp::Reverse(severity.unwrap_or(Severity::Info)),
            oldest.unwrap_or_default(),
            group.to_owned(),
        )
    }

    fn scene<'d>(&'d self, id: &'d str, group: &'d Group, now: Timestamp) -> Scene<'d> {
        let receiver = &*self.routing.receivers[group.way.receiver].name;
        let last_told = group
            .members
            .iter()
            .filter_map(|member| self.cases.get(member)?.heard(receiver).last_at)
            .max();
        Scene {
            desk: self,
            group,
            id,
            route: &self.routing.routes[group.way.route],
            receiver,
            last_told,
            now,
        }
    }

    /// The silence that mutes `finding` and ends last.
    pub(super) fn silence_of(
        &self,
        finding: &Finding,
        now: Timestamp,
    ) -> Option<&tokenwatch_model::Silence> {
        self.silences
            .iter()
            .filter(|silence| silence.mutes(finding, now))
            .max_by_key(|silence| silence.ends_at)
    }

    /// Whether somebody said, after it was last news to anybody, that they deal with it.
    fn is_acknowledged(&self, case: &Case) -> bool {
        let news_at = self
            .routing
            .receivers
            .iter()
            .filter_map(|policy| case.heard(&policy.name).news_at)
            .max();
        let id = case.finding.id.to_string();
        let subjects = [Some(&id), case.finding.incident_id.as_ref()];
        subjects
            .into_iter()
            .flatten()
            .filter_map(|subject| self.acknowledged.get(subject))
            .any(|word| !word.is_withdrawn && news_at.is_none_or(|news| word.at >= news))
    }
}

impl Scene<'_> {
    fn decide(&self) -> (Decision, Vec<FindingId>) {
        let mut decision = Decision::default();
        let mut tellings: Vec<(&Case, Telling)> = Vec::new();
        let mut inhibited = Vec::new();
        for member in &self.group.members {
            let Some(case) = self.desk.cases.get(member) else {
                continue;
            };
            match self.news(case) {
                News::Nothing(next) => decision.look_again(next),
                News::Muted {
                    occasion,
                    reason,
                    next,
                } => {
                    if reason.starts_with(INHIBITED) {
                        inhibited.push(*member);
                    }
                    decision.look_again(next);
                    decision
                        .departures
                        .extend(self.mute(case, occasion, reason));
                }
                News::Tell(telling) => tellings.push((case, telling)),
            }
        }
        let due = tellings.iter().map(|(_, telling)| telling.due).min();
        match due {
            Some(due) if due <= self.now => self.tell(tellings, &mut decision),
            Some(due) => {
                decision.look_again(Some(due));
                for (case, telling) in &tellings {
                    decision.departures.extend(self.wait(case, telling));
                }
                self.repeat(&mut decision);
            }
            None => self.repeat(&mut decision),
        }
        (decision, inhibited)
    }

    fn news(&self, case: &Case) -> News {
        let finding = &*case.finding;
        let heard = case.heard(self.receiver);
        let is_current = case
            .groups
            .iter()
            .any(|(group, is_current)| group == self.id && *is_current);
        let is_over = finding.status == FindingStatus::Closed;
        let (occasion, reason) = match heard.severity {
            None if !is_current || (is_over && heard.is_muted) => return News::Nothing(None),
            None if self.group.way.step > 0 => return self.unacknowledged(case),
            None => (Occasion::Opened, "first_match"),
            Some(known) if is_current && finding.severity > known => {
                (Occasion::Escalated, "severity_rose")
            }
            Some(_) if is_over && !heard.is_closed && self.sends_closed() => {
                (Occasion::Closed, "episode_ended")
            }
            Some(_) => return News::Nothing(None),
        };
        let waiting = case.waiting_since(self.receiver, occasion, finding.severity);
        let is_old = self.now.since(finding.last_event_at) > self.desk.max_age;
        let is_late = is_old && waiting.is_none();
        if let Some(muted) = self.muted(case, occasion, is_late) {
            return muted;
        }
        let since = waiting.unwrap_or(self.now);
        let (due, waits_for) = self.due(occasion, since);
        News::Tell(Telling {
            occasion,
            step: 0,
            due,
            waits_for,
            reason,
        })
    }

    /// Why it is not told, if it is not. An end is told even in a silence: it takes back what was told.
    fn muted(&self, case: &Case, occasion: Occasion, is_late: bool) -> Option<News> {
        let (reason, next) = if is_late {
            (TOO_OLD.to_owned(), None)
        } else if occasion == Occasion::Closed {
            return None;
        } else if let Some(silence) = self.desk.silence_of(&case.finding, self.now) {
            let reason = format!(
                "silenced: {} by {} until {}",
                silence.id, silence.created_by, silence.ends_at
            );
            (reason, Some(silence.ends_at))
        } else {
            (self.inhibitor(case)?, None)
        };
        Some(News::Muted {
            occasion,
            reason,
            next,
        })
    }

    /// A step of an escalation: told if those before were told long enough ago and nobody acknowledged.
    fn unacknowledged(&self, case: &Case) -> News {
        let step = self.group.way.step;
        let told_at = self
            .route
            .receivers
            .iter()
            .filter_map(|receiver| {
                let policy = &self.desk.routing.receivers[*receiver];
                case.heard(&policy.name).news_at
            })
            .min();
        let is_over = case.finding.status == FindingStatus::Closed;
        let Some(told_at) = told_at.filter(|_| !is_over && !self.desk.is_acknowledged(case)) else {
            return News::Nothing(None);
        };
        if let Some(silence) = self.desk.silence_of(&case.finding, self.now) {
            return News::Nothing(Some(silence.ends_at));
        }
        News::Tell(Telling {
            occasion: Occasion::Unacknowledged,
            step: u32::try_from(step).unwrap_or(u32::MAX),
            due: told_at + self.route.escalate[step - 1].after,
            waits_for: "acknowledgement",
            reason: "nobody_acknowledged",
        })
    }

    /// When something that is new since `since` is told, and what it waits for.
    fn due(&self, occasion: Occasion, since: Timestamp) -> (Timestamp, &'static str) {
        let routing = &self.desk.routing;
        let (due, waits_for) = match (&self.route.digest, self.last_told) {
            (Some(digest), _) => (digest.next(since), "digest"),
            (None, _) if occasion == Occasion::Escalated => (since, "group_wait"),
            (None, None) => (since + self.route.group.wait, "group_wait"),
            (None, Some(last)) => (
                since.max(last + self.route.group.interval),
                "group_interval",
            ),
        };
        let is_shut = self.route.outside == Outside::Wait
            && due <= self.now
            && !routing.is_open(self.route, self.now);
        if is_shut {
            let opening = routing.next_opening(self.route, self.now);
            (opening, "time_window")
        } else {
            (due, waits_for)
        }
    }

    fn sends_closed(&self) -> bool {
        self.desk.routing.receivers[self.group.way.receiver].send_closed
    }

    /// What was told already and covers this finding, if it is kept quiet by it.
    fn inhibitor(&self, case: &Case) -> Option<String> {
        if !self.desk.routing.inhibits(self.group.way) {
            return None;
        }
        let finding = &*case.finding;
        let groups_by_incident = self
            .route
            .group
            .by
            .contains(&crate::routing::GroupBy::Incident);
        if let Some(incident) = &finding.incident_id
            && !groups_by_incident
        {
            let others = self.desk.incidents.get(incident).into_iter().flatten();
            for other in others.filter(|other| **other != finding.id) {
                let told = self.desk.cases.get(other);
                let told = told.and_then(|case| case.heard(self.receiver).severity);
                if told >= Some(finding.severity) {
                    return Some(format!("{INHIBITED} {incident} was told with {other}"));
                }
            }
        }
        let outage = self
            .desk
            .fleet
            .iter()
            .filter_map(|id| self.desk.cases.get(id))
            .find(|outage| explains(&outage.finding, finding) && self.reaches(outage))?;
        Some(format!("{INHIBITED} outage {}", outage.finding.id))
    }

    /// Whether `outage` is told to this receiver too.
    fn reaches(&self, outage: &Case) -> bool {
        outage.heard(self.receiver).severity.is_some()
    }

    /// What is due, and with it all else that is new. Ends are messages of their own.
    fn tell(&self, tellings: Vec<(&Case, Telling)>, decision: &mut Decision) {
        let (ends, news): (Vec<_>, Vec<_>) = tellings
            .into_iter()
            .partition(|(_, telling)| telling.occasion == Occasion::Closed);
        for part in [news, ends] {
            let step = part.iter().map(|(_, telling)| telling.step).max();
            let reasons: Vec<&str> = part.iter().map(|(_, telling)| telling.reason).collect();
            let items = part
                .iter()
                .map(|(case, telling)| case.item(telling.occasion))
                .collect();
            decision
                .departures
                .extend(self.depart(items, &reasons, step.unwrap_or(0)));
        }
    }

    /// What goes on, was told and nobody acknowledged is told again.
    fn repeat(&self, decision: &mut Decision) {
        let Some(repeat) = self.route.repeat else {
            return;
        };
        let mut open = Vec::new();
        let (mut repeats, mut last) = (0, None);
        for member in &self.group.members {
            let Some(case) = self.desk.cases.get(member) else {
                continue;
            };
            let heard = case.heard(self.receiver);
            let goes_on = case.finding.status == FindingStatus::Open && heard.severity.is_some();
            if !goes_on || self.desk.is_acknowledged(case) {
                continue;
            }
            if let Some(silence) = self.desk.silence_of(&case.finding, self.now) {
                decision.look_again(Some(silence.ends_at));
                continue;
            }
            repeats = repeats.max(heard.repeats);
            last = last.max(heard.last_at);
            open.push(case);
        }
        let Some(last) = last else { return };
        let due = last + repeat.pause(repeats);
        if due > self.now {
            decision.look_again(Some(due));
        } else if self.desk.routing.is_open(self.route, self.now) {
            let items = open
                .iter()
                .map(|case| case.item(Occasion::Repeated))
                .collect();
            let reasons = vec!["goes_on"; open.len()];
            decision
                .departures
                .extend(self.depart(items, &reasons, repeats + 1));
        } else {
            let opening = self.desk.routing.next_opening(self.route, self.now);
            decision.look_again(Some(opening));
        }
    }
}

/// How the reasons of what was kept quiet begin.
const INHIBITED: &str = "inhibited:";

/// Whether an outage is reason enough for `finding`: it is about how much or how often a token is used or fails, came
/// at that time, and nothing about it is so certain that it calls for action.
fn explains(outage: &Finding, finding: &Finding) -> bool {
    let is_soft = matches!(
        finding.detector.family(),
        Family::Volume | Family::Abuse | Family::Tempo
    );
    let is_of_one = matches!(
        finding.subject.kind,
        SubjectKind::Token | SubjectKind::Consumer
    );
    is_soft
        && is_of_one
        && finding.severity < Severity::Critical
        && finding.last_event_at + OUTAGE_MARGIN >= outage.first_event_at
        && finding.first_event_at <= outage.last_event_at + OUTAGE_MARGIN
}

impl Decision {
    fn look_again(&mut self, at: Option<Timestamp>) {
        self.next = self.next.into_iter().chain(at).min();
    }
}
