//! Why a finding goes the ways it goes: what `tokenwatch routes test` prints.

use serde::Serialize;
use tokenwatch_model::{Finding, Timestamp};

use super::{Routing, Way};

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoutingAccount {
    /// Every route that was asked, in order, from the top down.
    pub steps: Vec<RouteStep>,
    /// Where the finding goes.
    pub ways: Vec<WayAccount>,
}

/// One route that was asked, or would have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteStep {
    /// The route.
    pub route: String,
    /// How deep in the tree, from 0.
    pub depth: usize,
    /// What it said.
    pub verdict: RouteVerdict,
}

/// What a route said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteVerdict {
    /// It takes the finding.
    Takes,
    /// A route below it takes the finding.
    LeavesItToChild,
    /// This key of its matcher does not hold.
    Mismatch(&'static str),
    /// It is outside of its time windows.
    Shut,
    /// A route before it said `stop`.
    NotAsked,
}

/// One way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WayAccount {
    /// The receiver.
    pub receiver: String,
    /// The route that leads there.
    pub route: String,
    /// When, and with what.
    pub terms: Vec<String>,
}

impl Routing {
    /// Which ways `finding` goes at `now`, and why.
    pub fn explain(&self, finding: &Finding, now: Timestamp) -> RoutingAccount {
        let mut steps = Vec::new();
        self.ask(&self.roots, finding, now, 0, &mut steps);
        let ways = self
            .ways(finding, now)
            .into_iter()
            .map(|way| self.account(way, now))
            .collect();
        RoutingAccount { steps, ways }
    }

    fn ask(
        &self,
        level: &[usize],
        finding: &Finding,
        now: Timestamp,
        depth: usize,
        steps: &mut Vec<RouteStep>,
    ) -> bool {
        let (mut any, mut stopped) = (false, false);
        for index in level {
            let route = &self.routes[*index];
            let mismatch = route.matcher.mismatch(finding);
            let position = steps.len();
            let mut step = |verdict| {
                steps.push(RouteStep {
                    route: route.name.clone(),
                    depth,
                    verdict,
                });
            };
            match mismatch {
                _ if stopped => step(RouteVerdict::NotAsked),
                Some(key) => step(RouteVerdict::Mismatch(key)),
                None if self.is_shut(route, now) => step(RouteVerdict::Shut),
                None => {
                    step(RouteVerdict::Takes);
                    any = true;
                    stopped = route.stop;
                    if self.ask(&route.children, finding, now, depth + 1, steps) {
                        steps[position].verdict = RouteVerdict::LeavesItToChild;
                    }
                }
            }
        }
        any
    }

    fn account(&self, way: Way, now: Timestamp) -> WayAccount {
        let route = &self.routes[way.route];
        let human = |duration| humantime::format_duration(duration).to_string();
        let mut terms = Vec::new();
        match (way.step.checked_sub(1), &route.digest) {
            (Some(step), _) => terms.push(format!(
                "if nobody acknowledges within {}",
                human(route.escalate[step].after)
            )),
            (None, Some(digest)) => terms.push(format!("in the digest of {}", digest.next(now))),
            (None, None) if route.group.wait.is_zero() => terms.push("at once".to_owned()),
            (None, None) => terms.push(format!("after {}", human(route.group.wait))),
        }
        let by: Vec<String> = route
            .group
            .by
            .iter()
            .map(|by| format!("{by:?}").to_lowercase())
            .collect();
        terms.push(format!("grouped by {}", by.join(", ")));
        if !self.is_open(route, now) {
            terms.push(format!(
                "waits for a time window until {}",
                self.next_opening(route, now)
            ));
        }
        if let Some(repeat) = route.repeat {
            terms.push(format!(
                "again after {}, then after twice as long each time, at most {}",
                human(repeat.every),
                human(repeat.at_most)
            ));
        }
        if self.inhibits(way) {
            terms.push("quiet if its incident or an outage was told".to_owned());
        }
        WayAccount {
            receiver: self.receivers[way.receiver].name.to_string(),
            route: route.name.clone(),
            terms,
        }
    }
}
