//! `[[alerting.routes]]`: which findings go to whom.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Finding, Problems, Severity};

use super::ReceiverConfig;

/// One route. Every route that matches applies; a receiver that several name gets a finding once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// The mildest severity that it takes.
    pub severity: Severity,
    /// The detectors that it takes; empty takes all.
    pub detectors: Vec<Detector>,
    /// The consumers that it takes; empty takes all.
    pub consumers: Vec<String>,
    /// Ids or credential ids of the tokens that it takes; empty takes all.
    pub tokens: Vec<String>,
    /// The names of the receivers that it leads to.
    pub receivers: Vec<String>,
}

impl Default for RouteConfig {
    fn default() -> Self {
        Self {
            severity: Severity::Medium,
            detectors: Vec::new(),
            consumers: Vec::new(),
            tokens: Vec::new(),
            receivers: Vec::new(),
        }
    }
}

/// A route, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Matcher {
    /// The mildest severity that it takes.
    pub severity: Severity,
    /// The detectors that it takes; empty takes all.
    pub detectors: Vec<Detector>,
    /// The consumers that it takes; empty takes all.
    pub consumers: Vec<String>,
    /// Ids or credential ids of the tokens that it takes; empty takes all.
    pub tokens: Vec<String>,
    /// Indices of the receivers that it leads to.
    pub receivers: Vec<usize>,
}

impl Matcher {
    /// Whether the route takes `finding`. A finding without a token matches no route that asks for one.
    pub fn matches(&self, finding: &Finding) -> bool {
        let consumer = finding
            .token
            .as_ref()
            .and_then(|token| token.consumer.as_ref());
        finding.severity >= self.severity
            && (self.detectors.is_empty() || self.detectors.contains(&finding.detector))
            && (self.consumers.is_empty()
                || consumer.is_some_and(|name| self.consumers.contains(name)))
            && (self.tokens.is_empty() || self.names_token(finding))
    }

    fn names_token(&self, finding: &Finding) -> bool {
        finding.token.as_ref().is_some_and(|token| {
            let id = token.id.to_string();
            self.tokens
                .iter()
                .any(|name| *name == id || Some(name) == token.credential_id.as_ref())
        })
    }
}

pub(super) fn validate(
    routes: &[RouteConfig],
    receivers: &[ReceiverConfig],
    problems: &mut Problems,
) -> Vec<Matcher> {
    let mut matchers = Vec::with_capacity(routes.len());
    for (index, route) in routes.iter().enumerate() {
        if route.receivers.is_empty() {
            let key = format!("routes[{index}].receivers");
            problems.add(key, "names no receiver");
        }
        let mut targets = Vec::new();
        for (position, name) in route.receivers.iter().enumerate() {
            match receivers
                .iter()
                .position(|receiver| receiver.name() == name)
            {
                Some(receiver) if !targets.contains(&receiver) => targets.push(receiver),
                Some(_) => {}
                None => problems.add(
                    format!("routes[{index}].receivers[{position}]"),
                    format!("no receiver is called {name:?}"),
                ),
            }
        }
        matchers.push(Matcher {
            severity: route.severity,
            detectors: route.detectors.clone(),
            consumers: route.consumers.clone(),
            tokens: route.tokens.clone(),
            receivers: targets,
        });
    }
    matchers
}
