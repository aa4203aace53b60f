//! What the operations of an API require, as its OpenAPI documents say: the scopes that a token must have for a call.
//!
//! Of the operations that a call may be, those with the most literal segments count: `/v1/users/me` is not `/v1/users/{id}`. A
//! call that no document describes is not judged here. Lookup goes by method and number of segments, so a call is compared
//! with a few operations, however many there are.

use std::collections::HashMap;

use tokenwatch_model::{AccessEvent, Problems};

use crate::config::OperationConfig;
use crate::route_pattern::{CalledPath, RoutePattern, Segment};

/// All operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operations {
    by_shape: HashMap<(String, usize), Vec<Operation>, foldhash::fast::FixedState>,
}

#[derive(Clone, Debug)]
struct Operation {
    route: RoutePattern,
    literals: usize,
    /// Lower case; every one if empty.
    hosts: Vec<String>,
    /// Sets of scopes, of which one must be had whole. None are needed if empty.
    requires: Vec<Vec<String>>,
}

impl Operations {
    /// Compiles the configuration; what is wrong with it goes to `problems`.
    pub(crate) fn compile(config: &[OperationConfig], problems: &mut Problems) -> Self {
        let mut operations = Self::default();
        for (index, entry) in config.iter().enumerate() {
            let path = format!("out_of_scope.operations[{index}]");
            if entry.method.is_empty() {
                problems.add(format!("{path}.method"), "must not be empty");
            }
            if entry.requires.iter().any(Vec::is_empty) {
                problems.add(
                    format!("{path}.requires"),
                    "a set of scopes must not be empty; leave out `requires` if none are needed",
                );
            }
            let route = match RoutePattern::compile(&entry.path) {
                Ok(route) => route,
                Err(why) => {
                    problems.add(format!("{path}.path"), why);
                    continue;
                }
            };
            let RoutePattern::Path {
                segments,
                open: false,
            } = &route
            else {
                problems.add(
                    format!("{path}.path"),
                    "must be a path such as /v1/orders/{id}",
                );
                continue;
            };
            let is_literal = |segment: &&Segment| matches!(segment, Segment::Literal(_));
            let literals = segments.iter().filter(is_literal).count();
            let shape = (entry.method.to_ascii_uppercase(), segments.len());
            operations
                .by_shape
                .entry(shape)
                .or_default()
                .push(Operation {
                    literals,
                    hosts: entry
                        .hosts
                        .iter()
                        .map(|host| host.to_ascii_lowercase())
                        .collect(),
                    requires: entry.requires.clone(),
                    route,
                });
        }
        operations
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_shape.is_empty()
    }

    /// Whether a token with `scopes` may make this call; `None` if no operation says.
    pub(crate) fn allow(&self, event: &AccessEvent<'_>, scopes: &[&str]) -> Option<bool> {
        let called = self.called(event)?;
        Some(
            called
                .iter()
                .any(|operation| operation.is_satisfied(scopes)),
        )
    }

    /// Which of `scopes` the call may have needed; `None` if no operation says.
    pub(crate) fn needed<'s>(
        &'s self,
        event: &AccessEvent<'_>,
        scopes: &[&str],
    ) -> Option<Vec<&'s str>> {
        let sets = self.called(event)?.into_iter().flat_map(|o| &o.requires);
        let met = sets.filter(|set| is_met(set, scopes));
        Some(met.flatten().map(String::as_str).collect())
    }

    /// Whether any operation requires a scope.
    pub(crate) fn knows_scope(&self, scope: &str) -> bool {
        let mut sets = self.by_shape.values().flatten().flat_map(|o| &o.requires);
        sets.any(|set| set.iter().any(|required| required == scope))
    }

    /// The operations that a call may be; `None` if it is none.
    fn called(&self, event: &AccessEvent<'_>) -> Option<Vec<&Operation>> {
        if self.is_empty() {
            return None;
        }
        let path = CalledPath::new(event.http.path.as_deref()?);
        let method = event.http.method.as_deref()?.to_ascii_uppercase();
        let host = event.http.host.as_deref().map(host_name);
        let candidates = self.by_shape.get(&(method, path.segment_count()))?;
        let matches = |operation: &&Operation| {
            let on_host = operation.hosts.is_empty()
                || host
                    .as_ref()
                    .is_none_or(|host| operation.hosts.contains(host));
            on_host && operation.route.matches(Some(&path), None)
        };
        let mut matching: Vec<&Operation> = candidates.iter().filter(matches).collect();
        let literals = matching.iter().map(|operation| operation.literals).max()?;
        matching.retain(|operation| operation.literals == literals);
        Some(matching)
    }
}

impl Operation {
    fn is_satisfied(&self, scopes: &[&str]) -> bool {
        self.requires.is_empty() || self.requires.iter().any(|set| is_met(set, scopes))
    }
}

/// Whether all of a set are among `scopes`.
fn is_met(set: &[String], scopes: &[&str]) -> bool {
    set.iter().all(|scope| scopes.contains(&scope.as_str()))
}

/// The host without its port, in lower case.
fn host_name(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations() -> Operations {
        let operation = |method: &str, path: &str, requires: &[&[&str]]| OperationConfig {
            method: method.to_owned(),
            path: path.to_owned(),
            hosts: Vec::new(),
            requires: requires
                .iter()
                .map(|set| set.iter().map(|scope| (*scope).to_owned()).collect())
                .collect(),
        };
        let mut other = operation("GET", "/v1/users/{id}", &[]);
        other.hosts = vec!["Open.example.com".to_owned()];
        let mut problems = Problems::default();
        let compiled = Operations::compile(
            &[
                operation("get", "/v1/users/{id}", &[&["users:read"]]),
                operation("GET", "/v1/users/me", &[&["me"], &["users:read", "all"]]),
                operation("GET", "/v1/health", &[]),
                other,
            ],
            &mut problems,
        );
        assert!(problems.is_empty(), "{problems:?}");
        compiled
    }

    #[track_caller]
    fn check(host: &str, method: &str, path: &str, scopes: &[&str], want: Option<bool>) {
        let event = format!(
            r#"{{"ts":"2026-11-18T10:00:00Z","format":"kong","outcome":"ok","http":{{"method":"{method}","host":"{host}","path":"{path}"}}}}"#
        );
        let event: AccessEvent<'_> = serde_json::from_str(&event).expect("an event");
        assert_eq!(
            operations().allow(&event, scopes),
            want,
            "{method} {host}{path} {scopes:?}"
        );
    }

    #[test]
    fn the_most_literal_operation_decides() {
        let host = "api.example.com";
        check(host, "GET", "/v1/users/17", &["users:read"], Some(true));
        check(host, "GET", "/v1/users/17", &["me"], Some(false));
        check(host, "GET", "/v1/users/me", &["me"], Some(true));
        check(host, "GET", "/v1/users/me", &["users:read"], Some(false));
        check(
            host,
            "GET",
            "/v1/users/me",
            &["users:read", "all"],
            Some(true),
        );
        check(host, "GET", "/v1/health", &[], Some(true));
    }

    #[test]
    fn what_no_document_describes_is_not_judged() {
        let host = "api.example.com";
        check(host, "DELETE", "/v1/users/17", &["me"], None);
        check(host, "GET", "/v1/users", &["me"], None);
        check(host, "GET", "/v1/users/17/keys", &["me"], None);
        check(host, "GET", "/v1/x/../users", &["me"], None);
    }

    #[test]
    fn operations_of_a_host_count_there_only() {
        check(
            "open.example.com:443",
            "GET",
            "/v1/users/17",
            &["me"],
            Some(true),
        );
        check(
            "api.example.com",
            "GET",
            "/v1/users/17",
            &["me"],
            Some(false),
        );
    }
}
