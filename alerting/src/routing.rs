//! The tree of routes: which ways a finding goes, to whom, and under which rules.
//!
//! At every level each route that matches takes the finding, unless one before it said `stop`. Of a route that took
//! it, the children decide if any of them takes it too; else the route itself sends it to its receivers. A receiver to
//! which several routes lead gets it once: at once rather than in a digest, else by the first route.

mod explain;

use std::sync::Arc;
use std::time::Duration;

use tokenwatch_model::{Finding, FindingMatcher, Severity, Timestamp, token_facts};

use crate::calendar::{self, Digest, Window};
use crate::occasion::stable_id;

pub use explain::{RouteStep, RouteVerdict, RoutingAccount, WayAccount};

/// Which findings go to whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routing {
    /// Every route; children by their index.
    pub routes: Vec<Route>,
    /// The routes at the top.
    pub roots: Vec<usize>,
    /// The receivers that routes name by index.
    pub receivers: Vec<ReceiverPolicy>,
    /// The windows that routes name by index.
    pub windows: Vec<Window>,
}

/// One route, with what it inherits from those above it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its name: as written, or its place (`routes[0].routes[1]`).
    pub name: String,
    /// What it takes of what came so far.
    pub matcher: FindingMatcher,
    /// Whether routes beside it that come later are not asked once it took a finding.
    pub stop: bool,
    /// Routes below it.
    pub children: Vec<usize>,
    /// Receivers that it leads to.
    pub receivers: Vec<usize>,
    /// What is told together.
    pub group: Grouping,
    /// When it tells again what goes on and nobody acknowledged.
    pub repeat: Option<Repeat>,
    /// Windows of which one has to be open; none: always.
    pub active: Vec<usize>,
    /// Windows of which none may be open.
    pub inactive: Vec<usize>,
    /// What happens outside of them.
    pub outside: Outside,
    /// When it tells at all: at certain times of day.
    pub digest: Option<Digest>,
    /// Who else is told if nobody acknowledges.
    pub escalate: Vec<Escalation>,
    /// Whether an incident or an outage that was told keeps what belongs to it quiet; none: for people alone.
    pub inhibit: Option<bool>,
}

/// What is told together, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Findings that have all of these in common are one group.
    pub by: Vec<GroupBy>,
    /// How long a new group waits for more.
    pub wait: Duration,
    /// How long a group that was told waits before it tells what is new.
    pub interval: Duration,
}

/// What findings of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// Each finding by itself.
    Finding,
    /// The incident; a finding outside of incidents is by itself.
    Incident,
    /// What they are about.
    Subject,
    /// The token's consumer.
    Consumer,
    /// The token's owner.
    Owner,
    /// The token's team.
    Team,
    /// The token's environment.
    Environment,
    /// The detector.
    Detector,
    /// The severity.
    Severity,
    /// Nothing: all that the route takes is one group.
    All,
}

/// When what goes on is told again: each time after twice as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The first pause.
    pub every: Duration,
    /// The longest.
    pub at_most: Duration,
}

/// What a route does outside of its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outside {
    /// Findings wait until a window opens.
    #[default]
    Wait,
    /// The route does not take findings.
    Skip,
}

/// Who else is told if nobody acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the route's receivers were told.
    pub after: Duration,
    /// Whom.
    pub receivers: Vec<usize>,
}

/// What routing needs to know of a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiverPolicy {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is told when a finding closes.
    pub send_closed: bool,
    /// Whether people read it, rather than programs.
    pub is_for_people: bool,
}

/// One way that a finding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// By which route.
    pub route: usize,
    /// To which receiver.
    pub receiver: usize,
    /// Which step of the route's escalation, counted from 1; 0: at once.
    pub step: usize,
}

impl Repeat {
    /// How long to wait before repetition number `count`, counted from 0.
    pub fn pause(self, count: u32) -> Duration {
        let doubled = self.every.saturating_mul(1 << count.min(20));
        doubled.min(self.at_most.max(self.every))
    }
}

impl Routing {
    /// Whether any route at the top takes `finding` at any time; cheap, for the many versions that nobody wants.
    pub fn wants(&self, finding: &Finding) -> bool {
        self.roots
            .iter()
            .any(|root| self.routes[*root].matcher.matches(finding))
    }

    /// The mildest severity that any route takes.
    pub fn mildest(&self) -> Option<Severity> {
        self.roots
            .iter()
            .map(|root| {
                self.routes[*root]
                    .matcher
                    .severity
                    .unwrap_or(Severity::Info)
            })
            .min()
    }

    /// Whether anything may wait longer than it is news: for a window or a digest.
    pub fn waits_long(&self) -> bool {
        self.routes.iter().any(|route| {
            route.digest.is_some() || !route.active.is_empty() || !route.inactive.is_empty()
        })
    }

    /// The ways that `finding` goes at `now`.
    pub fn ways(&self, finding: &Finding, now: Timestamp) -> Vec<Way> {
        let mut taken = Vec::new();
        self.descend(&self.roots, finding, now, &mut taken);
        let mut ways: Vec<Way> = Vec::new();
        let mut offer = |way: Way| {
            let known = ways.iter_mut().find(|one| one.receiver == way.receiver);
            match known {
                None => ways.push(way),
                Some(known) => {
                    let waits = |way: &Way| (way.step, self.routes[way.route].digest.is_some());
                    if waits(&way) < waits(known) {
                        *known = way;
                    }
                }
            }
        };
        for route in taken {
            for receiver in &self.routes[route].receivers {
                offer(Way {
                    route,
                    receiver: *receiver,
                    step: 0,
                });
            }
            for (index, escalation) in self.routes[route].escalate.iter().enumerate() {
                for receiver in &escalation.receivers {
                    offer(Way {
                        route,
                        receiver: *receiver,
                        step: index + 1,
                    });
                }
            }
        }
        ways
    }

    /// A way to `receiver` by the first route that leads there, for what was begun before routes changed.
    pub fn way_to(&self, receiver: usize) -> Option<Way> {
        let leads = |route: &Route| {
            let steps = route.escalate.iter();
            route.receivers.contains(&receiver)
                || steps
                    .into_iter()
                    .any(|step| step.receivers.contains(&receiver))
        };
        let route = self.routes.iter().position(leads)?;
        Some(Way {
            route,
            receiver,
            step: 0,
        })
    }

    fn descend(
        &self,
        level: &[usize],
        finding: &Finding,
        now: Timestamp,
        taken: &mut Vec<usize>,
    ) -> bool {
        let mut any = false;
        for index in level {
            let route = &self.routes[*index];
            if !route.matcher.matches(finding) || self.is_shut(route, now) {
                continue;
            }
            any = true;
            if !self.descend(&route.children, finding, now, taken) {
                taken.push(*index);
            }
            if route.stop {
                break;
            }
        }
        any
    }

    /// Whether `route` takes nothing at `now`.
    fn is_shut(&self, route: &Route, now: Timestamp) -> bool {
        route.outside == Outside::Skip && !self.is_open(route, now)
    }

    /// Whether the windows of `route` are open at `now`.
    pub fn is_open(&self, route: &Route, now: Timestamp) -> bool {
        let (active, inactive) = self.windows_of(route);
        calendar::is_open(&active, &inactive, now)
    }

    /// When the windows of `route` open next.
    pub fn next_opening(&self, route: &Route, now: Timestamp) -> Timestamp {
        let (active, inactive) = self.windows_of(route);
        calendar::next_opening(&active, &inactive, now)
    }

    /// The group that `finding` belongs to on this way.
    pub fn group_id(&self, way: Way, finding: &Finding) -> String {
        let route = &self.routes[way.route];
        let receiver = &*self.receivers[way.receiver].name;
        let mut parts = vec![
            receiver.to_owned(),
            route.name.clone(),
            way.step.to_string(),
        ];
        parts.extend(route.group.by.iter().map(|by| by.value(finding)));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        stable_id("grp_", &parts)
    }

    /// Whether an announced incident or outage keeps quiet what belongs to it on this way.
    pub fn inhibits(&self, way: Way) -> bool {
        self.routes[way.route]
            .inhibit
            .unwrap_or(self.receivers[way.receiver].is_for_people)
    }

    fn windows_of(&self, route: &Route) -> (Vec<&Window>, Vec<&Window>) {
        let named = |indices: &[usize]| indices.iter().map(|index| &self.windows[*index]).collect();
        (named(&route.active), named(&route.inactive))
    }
}

impl GroupBy {
    fn value(self, finding: &Finding) -> String {
        let token = finding.token.as_ref();
        let fact = |key| token_facts(finding, key).join(",");
        match self {
            Self::Finding => finding.id.to_string(),
            Self::Incident => finding
                .incident_id
                .clone()
                .unwrap_or_else(|| finding.id.to_string()),
            Self::Subject => format!("{} {}", finding.subject.kind.name(), finding.subject.id),
            Self::Consumer => token
                .and_then(|token| token.consumer.clone())
                .unwrap_or_default(),
            Self::Owner => token
                .and_then(|token| token.owner.clone())
                .unwrap_or_default(),
            Self::Team => fact("team"),
            Self::Environment => fact("environment"),
            Self::Detector => finding.detector.name().to_owned(),
            Self::Severity => finding.severity.name().to_owned(),
            Self::All => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
