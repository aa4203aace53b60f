//! Who is told what, and when: a state machine over virtual time, without clock or I/O.
//!
//! The desk holds the findings that are news, the ledger's lines about them, silences and acknowledgements. Everything
//! that it decides follows from these, so a desk that was filled from the ledger goes on where the one before it was:
//! there is no other state. `observe` takes versions of findings, `wrote` outcomes, `flush` says what departs at a time
//! and `next_due` when to ask again. What departs has its lines with it; they are to be written before it is sent.

mod decide;
mod departures;
mod heard;
mod notices;
mod resume;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokenwatch_model::{
    Acknowledgement, Finding, FindingId, FindingStatus, Notification, NotificationResult, Silence,
    SubjectKind, Timestamp,
};

use crate::outgoing::Outgoing;
use crate::routing::{Routing, Way};

pub(crate) use heard::DISABLED_REASON;
pub(crate) use notices::{NoticePolicy, ReceiverHealth};

/// Findings that are kept: 2 KB each with their lines, 40 MB.
const FINDINGS_LIMIT: usize = 20_000;
/// When there are more, this many of the oldest go at once.
const EVICTED_AT_ONCE: usize = 1_000;
/// How often groups are looked at again within one flush; each look comes from something that departed.
const ROUNDS_LIMIT: usize = 32;

/// What departs, or is only recorded.
#[derive(Debug)]
pub(crate) struct Departure {
    /// Index of the receiver.
    pub(crate) receiver: usize,
    /// What is sent, unless it is only recorded.
    pub(crate) message: Option<Outgoing>,
    /// The lines of the ledger that are to be written first.
    pub(crate) lines: Vec<Notification>,
    /// How often the message was tried before, by a process that died.
    pub(crate) attempts: u32,
}

/// What is known of one finding.
#[derive(Clone, Debug)]
struct Case {
    finding: Arc<Finding>,
    /// The newest line of every message about it.
    lines: Vec<Notification>,
    /// The groups that it belongs to, and whether a route still leads there.
    groups: Vec<(String, bool)>,
}

/// A message that the ledger calls begun and nobody sends.
#[derive(Clone, Debug, Default)]
struct Stranded {
    about: BTreeSet<FindingId>,
    /// Whether the receiver may have it all the same.
    was_tried: bool,
}

/// Findings that are told together on one way.
#[derive(Clone, Debug)]
struct Group {
    way: Way,
    members: BTreeSet<FindingId>,
}

/// The state; see the module.
pub(crate) struct Desk {
    routing: Arc<Routing>,
    max_age: Duration,
    notices: NoticePolicy,
    cases: HashMap<FindingId, Case>,
    groups: HashMap<String, Group>,
    due: BTreeSet<(Timestamp, String)>,
    due_of: HashMap<String, Timestamp>,
    incidents: HashMap<String, BTreeSet<FindingId>>,
    fleet: BTreeSet<FindingId>,
    inhibited: BTreeSet<FindingId>,
    silences: Vec<Silence>,
    acknowledged: HashMap<String, Acknowledgement>,
    /// Messages that the ledger calls begun and nobody sends, with what they are about.
    stranded: BTreeMap<String, Stranded>,
    in_flight: HashMap<String, HashSet<FindingId>>,
    noticed: HashSet<String>,
    /// When the next silence is to be warned of.
    notice_at: Option<Timestamp>,
}

impl Desk {
    pub(crate) fn new(routing: Arc<Routing>, max_age: Duration, notices: NoticePolicy) -> Self {
        Self {
            routing,
            max_age,
            notices,
            cases: HashMap::new(),
            groups: HashMap::new(),
            due: BTreeSet::new(),
            due_of: HashMap::new(),
            incidents: HashMap::new(),
            fleet: BTreeSet::new(),
            inhibited: BTreeSet::new(),
            silences: Vec::new(),
            acknowledged: HashMap::new(),
            stranded: BTreeMap::new(),
            in_flight: HashMap::new(),
            noticed: HashSet::new(),
            notice_at: None,
        }
    }

    /// Whether the finding is on the desk.
    pub(crate) fn knows(&self, finding: FindingId) -> bool {
        self.cases.contains_key(&finding)
    }

    /// Whether this version of a finding, or a newer one, is on the desk already.
    pub(crate) fn is_known(&self, finding: &Finding) -> bool {
        self.cases
            .get(&finding.id)
            .is_some_and(|case| case.finding.revision >= finding.revision)
    }

    /// How many findings are on the desk.
    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }

    /// Takes a version of a finding; `lines` holds the ledger's newest lines about it if it was not on the desk. Older
    /// versions than the one that is known change nothing.
    pub(crate) fn observe(&mut self, finding: Finding, lines: Vec<Notification>, now: Timestamp) {
        let id = finding.id;
        match self.cases.get_mut(&id) {
            Some(case) if case.finding.revision > finding.revision => return,
            Some(case) => case.finding = Arc::new(finding),
            None => {
                self.make_room();
                for line in &lines {
                    self.strand(line);
                }
                let case = Case {
                    finding: Arc::new(finding),
                    lines,
                    groups: Vec::new(),
                };
                self.cases.insert(id, case);
            }
        }
        self.index(id, now);
        self.assign(id, now);
    }

    /// Takes a line that was written: an outcome, or a failure that is tried again.
    pub(crate) fn wrote(&mut self, line: &Notification, now: Timestamp) {
        if line.result != NotificationResult::Sending {
            self.arrived(&line.id, line.finding_id);
        }
        if let Some(case) = self.cases.get_mut(&line.finding_id) {
            case.take(line.clone());
            self.touch(line.finding_id, now);
        }
    }

    /// A message is on its way to its worker.
    pub(crate) fn departed(&mut self, message: &Outgoing) {
        let about = message.finding_ids().into_iter().collect();
        self.in_flight.insert(message.id.clone(), about);
    }

    /// A queue turned the message away: it stands as begun until the next reconciliation.
    pub(crate) fn turned_away(&mut self, message: &Outgoing) {
        self.in_flight.remove(&message.id);
        let stranded = self.stranded.entry(message.id.clone()).or_default();
        stranded.about.extend(message.finding_ids());
        stranded.was_tried |= message.repeated;
    }

    /// Takes back what departs, because its lines could not be written.
    pub(crate) fn abandon(&mut self, departures: impl IntoIterator<Item = Departure>) {
        for departure in departures {
            if let Some(message) = &departure.message {
                self.in_flight.remove(&message.id);
                self.noticed.remove(&message.id);
            }
            for line in &departure.lines {
                self.remove(line.finding_id);
            }
        }
    }

    /// Forgets everything: another instance goes on.
    pub(crate) fn clear(&mut self) {
        let notices = self.notices.clone();
        *self = Self::new(Arc::clone(&self.routing), self.max_age, notices);
    }

    /// The messages that are on their way.
    pub(crate) fn on_their_way(&self) -> HashSet<String> {
        self.in_flight.keys().cloned().collect()
    }

    /// The silences as they are now.
    pub(crate) fn set_silences(&mut self, silences: Vec<Silence>, now: Timestamp) {
        if self.silences != silences {
            self.silences = silences;
            self.notice_at = self.next_notice();
            let all: Vec<String> = self.groups.keys().cloned().collect();
            for group in all {
                self.schedule(&group, now);
            }
        }
    }

    /// What people acknowledged, as it is now.
    pub(crate) fn set_acknowledgements(&mut self, known: Vec<Acknowledgement>, now: Timestamp) {
        for word in known {
            if self.acknowledged.get(&word.subject) == Some(&word) {
                continue;
            }
            let about: Vec<FindingId> = match word.subject.parse() {
                Ok(finding) => vec![finding],
                Err(_) => self
                    .incidents
                    .get(&word.subject)
                    .map_or_else(Vec::new, |of| of.iter().copied().collect()),
            };
            self.acknowledged.insert(word.subject.clone(), word);
            for finding in about {
                self.touch(finding, now);
            }
        }
    }

    /// What departs at `now`.
    pub(crate) fn flush(&mut self, now: Timestamp) -> Vec<Departure> {
        let mut departures = Vec::new();
        if self.notice_at.is_some_and(|at| at <= now) {
            departures = self.due_notices(now);
            self.notice_at = self.next_notice();
        }
        for _ in 0..ROUNDS_LIMIT {
            let mut ready: Vec<String> = Vec::new();
            while let Some((at, group)) = self.due.first().cloned() {
                if at > now {
                    break;
                }
                self.due.pop_first();
                self.due_of.remove(&group);
                ready.push(group);
            }
            if ready.is_empty() {
                break;
            }
            // Outages first, then what is gravest: what is told first keeps the rest quiet.
            ready.sort_by_cached_key(|group| self.rank(group));
            for group in ready {
                let decision = self.decide(&group, now);
                let has_departed = !decision.departures.is_empty();
                for departure in decision.departures {
                    self.apply(&departure, now);
                    departures.push(departure);
                }
                if has_departed {
                    self.schedule(&group, now);
                } else if let Some(next) = decision.next {
                    self.schedule(&group, next);
                }
            }
        }
        departures
    }

    /// When to flush next, if nothing else happens.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let group = self.due.first().map(|(at, _)| *at);
        group.into_iter().chain(self.notice_at).min()
    }

    /// Takes in the lines of what departs.
    fn apply(&mut self, departure: &Departure, now: Timestamp) {
        for line in &departure.lines {
            if let Some(case) = self.cases.get_mut(&line.finding_id) {
                case.take(line.clone());
            }
            if line.result == NotificationResult::Sending {
                self.touch_escalations(line.finding_id, now);
            }
        }
        if let Some(message) = &departure.message {
            self.departed(message);
        }
    }

    /// Looks again at the groups of `finding` as soon as possible.
    fn touch(&mut self, finding: FindingId, now: Timestamp) {
        let groups = self.cases.get(&finding).map(|case| case.groups.clone());
        for (group, _) in groups.into_iter().flatten() {
            self.schedule(&group, now);
        }
    }

    fn touch_escalations(&mut self, finding: FindingId, now: Timestamp) {
        let groups = self.cases.get(&finding).map(|case| case.groups.clone());
        for (group, _) in groups.into_iter().flatten() {
            if self
                .groups
                .get(&group)
                .is_some_and(|known| known.way.step > 0)
            {
                self.schedule(&group, now);
            }
        }
    }

    /// Has the group looked at, at `at` or earlier.
    fn schedule(&mut self, group: &str, at: Timestamp) {
        match self.due_of.get(group) {
            Some(known) if *known <= at => return,
            Some(known) => {
                self.due.remove(&(*known, group.to_owned()));
            }
            None => {}
        }
        self.due_of.insert(group.to_owned(), at);
        self.due.insert((at, group.to_owned()));
    }

    /// Joins the finding to its groups, and parts it from those that it left.
    fn assign(&mut self, id: FindingId, now: Timestamp) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let mut wanted: Vec<(String, Way, bool)> = Vec::new();
        for way in self.routing.ways(&case.finding, now) {
            wanted.push((self.routing.group_id(way, &case.finding), way, true));
        }
        // Who heard of it hears of its end, whichever way routes lead now.
        for (receiver, group) in case.told_groups(&self.routing) {
            let is_current = wanted.iter().any(|(_, way, _)| way.receiver == receiver);
            if !is_current && let Some(way) = self.routing.way_to(receiver) {
                wanted.push((group, way, false));
            }
        }
        let before = std::mem::take(&mut self.cases.get_mut(&id).expect("it is there").groups);
        for (group, _) in before {
            if !wanted.iter().any(|(known, _, _)| *known == group) {
                self.leave(&group, id);
            }
        }
        let mut groups = Vec::with_capacity(wanted.len());
        for (group, way, is_current) in wanted {
            let known = self.groups.entry(group.clone()).or_insert_with(|| Group {
                way,
                members: BTreeSet::new(),
            });
            known.members.insert(id);
            self.schedule(&group, now);
            groups.push((group, is_current));
        }
        self.cases.get_mut(&id).expect("it is there").groups = groups;
    }

    fn leave(&mut self, group: &str, id: FindingId) {
        if let Some(known) = self.groups.get_mut(group) {
            known.members.remove(&id);
            if known.members.is_empty() {
                self.groups.remove(group);
                if let Some(at) = self.due_of.remove(group) {
                    self.due.remove(&(at, group.to_owned()));
                }
            }
        }
    }

    /// Keeps the indices of incidents and outages; an outage that changed may free what it kept quiet.
    fn index(&mut self, id: FindingId, now: Timestamp) {
        let finding = Arc::clone(&self.cases[&id].finding);
        if let Some(incident) = &finding.incident_id {
            let of = self.incidents.entry(incident.clone()).or_default();
            of.insert(id);
        }
        if finding.subject.kind != SubjectKind::Fleet {
            return;
        }
        if finding.status == FindingStatus::Open {
            self.fleet.insert(id);
        } else if self.fleet.remove(&id) {
            for quiet in std::mem::take(&mut self.inhibited) {
                self.touch(quiet, now);
            }
        }
    }

    fn make_room(&mut self) {
        if self.cases.len() < FINDINGS_LIMIT {
            return;
        }
        let mut oldest: Vec<(bool, Timestamp, FindingId)> = self
            .cases
            .values()
            .map(|case| {
                let is_open = case.finding.status == FindingStatus::Open;
                (is_open, case.finding.last_event_at, case.finding.id)
            })
            .collect();
        oldest.select_nth_unstable(EVICTED_AT_ONCE);
        for (_, _, id) in oldest.into_iter().take(EVICTED_AT_ONCE) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: FindingId) {
        let Some(case) = self.cases.remove(&id) else {
            return;
        };
        for (group, _) in &case.groups {
            self.leave(group, id);
        }
        if let Some(incident) = &case.finding.incident_id
            && let Some(of) = self.incidents.get_mut(incident)
        {
            of.remove(&id);
            if of.is_empty() {
                self.incidents.remove(incident);
            }
        }
        self.fleet.remove(&id);
        self.inhibited.remove(&id);
    }

    fn arrived(&mut self, message: &str, finding: FindingId) {
        if let Some(about) = self.in_flight.get_mut(message) {
            about.remove(&finding);
            if about.is_empty() {
                self.in_flight.remove(message);
            }
        }
    }

    fn is_in_flight(&self, message: &str, finding: FindingId) -> bool {
        self.in_flight
            .get(message)
            .is_some_and(|about| about.contains(&finding))
    }
}

impl Case {
    /// Replaces the line of the same message.
    fn take(&mut self, line: Notification) {
        self.lines.retain(|known| known.id != line.id);
        self.lines.push(line);
    }
}

#[cfg(test)]
mod tests;
