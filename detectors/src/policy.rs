//! What tokens may call: compiled from `[detectors.out_of_scope]`, asked once per call.
//!
//! A policy that names the token or its consumer decides. Without one the token's OAuth scopes do: by the operation that is
//! called, if an OpenAPI document describes it, else by what the configuration says of any of them. Otherwise there is no
//! policy, and every call is allowed.

use std::collections::HashMap;

use tokenwatch_model::{AccessEvent, Problems, TokenId, TokenUse};

use crate::config::{AllowConfig, OutOfScopeConfig};
use crate::operations::Operations;
use crate::route_pattern::{CalledPath, RoutePattern};

/// All policies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies {
    by_consumer: HashMap<String, Vec<Rule>, foldhash::fast::FixedState>,
    by_credential: HashMap<String, Vec<Rule>, foldhash::fast::FixedState>,
    by_token: HashMap<TokenId, Vec<Rule>, foldhash::fast::FixedState>,
    by_scope: HashMap<String, Vec<Rule>, foldhash::fast::FixedState>,
    operations: Operations,
    privileged: Vec<RoutePattern>,
}

/// A call that no rule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// It went to a route that is marked as privileged.
    pub(crate) privileged: bool,
    /// What it violates.
    pub(crate) basis: Basis,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// A policy for the token or its consumer.
    Policy,
    /// The scopes that the token carries.
    Scopes,
}

/// Methods and routes that are allowed together.
#[derive(Clone, Debug)]
struct Rule {
    methods: Vec<String>,
    routes: Vec<RoutePattern>,
}

impl Policies {
    /// Compiles the configuration; what is wrong with it goes to `problems`.
    pub(crate) fn compile(config: &OutOfScopeConfig, problems: &mut Problems) -> Self {
        let mut policies = Self::default();
        for (index, policy) in config.policies.iter().enumerate() {
            let path = format!("out_of_scope.policies[{index}]");
            if policy.consumers.is_empty() && policy.tokens.is_empty() {
                problems.add(&path, "name at least one consumer or token");
            }
            let rules = compile_rules(&policy.allow, &path, problems);
            for consumer in &policy.consumers {
                policies
                    .by_consumer
                    .entry(consumer.clone())
                    .or_default()
                    .extend(rules.clone());
            }
            for token in &policy.tokens {
                match token.parse::<TokenId>() {
                    Ok(id) => policies
                        .by_token
                        .entry(id)
                        .or_default()
                        .extend(rules.clone()),
                    Err(_) => policies
                        .by_credential
                        .entry(token.clone())
                        .or_default()
                        .extend(rules.clone()),
                }
            }
        }
        for (index, entry) in config.scopes.iter().enumerate() {
            let path = format!("out_of_scope.scopes[{index}]");
            if entry.scope.is_empty() {
                problems.add(format!("{path}.scope"), "must not be empty");
            }
            let rules = compile_rules(&entry.allow, &path, problems);
            policies
                .by_scope
                .entry(entry.scope.clone())
                .or_default()
                .extend(rules);
        }
        policies.operations = Operations::compile(&config.operations, problems);
        for (index, pattern) in config.privileged.iter().enumerate() {
            match RoutePattern::compile(pattern) {
                Ok(pattern) => policies.privileged.push(pattern),
                Err(why) => problems.add(format!("out_of_scope.privileged[{index}]"), why),
            }
        }
        policies
    }

    /// Whether nothing at all is said about what may be called.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_consumer.is_empty()
            && self.by_credential.is_empty()
            && self.by_token.is_empty()
            && self.by_scope.is_empty()
            && self.operations.is_empty()
    }

    /// Whether the call breaks a policy; `None` if it is allowed or nothing is said about it. `granted` are the scopes that
    /// count if the call names none.
    pub(crate) fn violation(
        &self,
        event: &AccessEvent<'_>,
        token: &TokenUse<'_>,
        granted: &[String],
    ) -> Option<Violation> {
        if self.is_empty() {
            return None;
        }
        let named = self.rules_named(token);
        let scopes = scopes_of(token, granted);
        if named.is_none() && !scopes.is_empty() && !self.operations.is_empty() {
            match self.operations.allow(event, &scopes) {
                Some(true) => return None,
                Some(false) => return Some(self.violated(event, Basis::Scopes)),
                None => {}
            }
        }
        let (rules, basis) = match named {
            Some(rules) => (rules, Basis::Policy),
            None => (self.rules_of(&scopes)?, Basis::Scopes),
        };
        if event.http.path.is_none() && event.http.route.is_none() {
            return None;
        }
        let allowed = rules.into_iter().flatten().any(|rule| rule.allows(event));
        (!allowed).then(|| self.violated(event, basis))
    }

    /// Which of `scopes` the call may have needed; `None` if nothing is known of what it needs.
    pub(crate) fn needed<'s>(
        &'s self,
        event: &AccessEvent<'_>,
        scopes: &[&'s str],
    ) -> Option<Vec<&'s str>> {
        if let Some(needed) = self.operations.needed(event, scopes) {
            return Some(needed);
        }
        let covers = |scope: &&&str| {
            let rules = self.by_scope.get(**scope);
            rules.is_some_and(|rules| rules.iter().any(|rule| rule.allows(event)))
        };
        let covering: Vec<&str> = scopes.iter().filter(covers).copied().collect();
        (!covering.is_empty()).then_some(covering)
    }

    /// Whether it is known what a scope is for.
    pub(crate) fn knows_scope(&self, scope: &str) -> bool {
        self.by_scope.contains_key(scope) || self.operations.knows_scope(scope)
    }

    fn violated(&self, event: &AccessEvent<'_>, basis: Basis) -> Violation {
        let (path, route) = called(event);
        Violation {
            privileged: self
                .privileged
                .iter()
                .any(|p| p.matches(path.as_ref(), route)),
            basis,
        }
    }

    /// The rules of policies that name the token or its consumer; `None` if there are none.
    fn rules_named(&self, token: &TokenUse<'_>) -> Option<Vec<&Vec<Rule>>> {
        let mut rules = Vec::new();
        if !self.by_consumer.is_empty() {
            rules.extend(
                token
                    .consumer
                    .as_deref()
                    .and_then(|name| self.by_consumer.get(name)),
            );
        }
        if !self.by_credential.is_empty() {
            let credential = token.credential_id.as_deref();
            rules.extend(credential.and_then(|name| self.by_credential.get(name)));
        }
        if !self.by_token.is_empty() {
            rules.extend(self.by_token.get(&token.id));
        }
        (!rules.is_empty()).then_some(rules)
    }

    /// The rules of the scopes that the configuration knows; `None` if there are none.
    fn rules_of(&self, scopes: &[&str]) -> Option<Vec<&Vec<Rule>>> {
        let known = scopes.iter().filter_map(|scope| self.by_scope.get(*scope));
        let rules: Vec<_> = known.collect();
        (!rules.is_empty()).then_some(rules)
    }
}

impl Rule {
    fn allows(&self, event: &AccessEvent<'_>) -> bool {
        let method = event.http.method.as_deref().unwrap_or("");
        let (path, route) = called(event);
        let method_allowed = self.methods.is_empty()
            || self
                .methods
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(method));
        method_allowed && self.routes.iter().any(|r| r.matches(path.as_ref(), route))
    }
}

/// What was called: the path and the gateway's route.
fn called<'e>(event: &'e AccessEvent<'_>) -> (Option<CalledPath<'e>>, Option<&'e str>) {
    let route = event.http.route.as_deref();
    let path = event.http.path.as_deref();
    // A log that names only the template still has a path to compare.
    let path = path.or_else(|| route.filter(|route| route.starts_with('/')));
    (path.map(CalledPath::new), route)
}

/// The scopes that the call names, else those that are `granted`.
pub(crate) fn scopes_of<'s>(token: &'s TokenUse<'_>, granted: &'s [String]) -> Vec<&'s str> {
    if token.scopes.is_empty() {
        granted.iter().map(String::as_str).collect()
    } else {
        token.scopes.iter().map(AsRef::as_ref).collect()
    }
}

fn compile_rules(allow: &[AllowConfig], path: &str, problems: &mut Problems) -> Vec<Rule> {
    let mut rules = Vec::with_capacity(allow.len());
    for (index, entry) in allow.iter().enumerate() {
        let mut routes = Vec::with_capacity(entry.routes.len());
        if entry.routes.is_empty() {
            problems.add(
                format!("{path}.allow[{index}].routes"),
                "name at least one route",
            );
        }
        for (place, pattern) in entry.routes.iter().enumerate() {
            match RoutePattern::compile(pattern) {
                Ok(compiled) => routes.push(compiled),
                Err(why) => problems.add(format!("{path}.allow[{index}].routes[{place}]"), why),
            }
        }
        rules.push(Rule {
            methods: entry.methods.clone(),
            routes,
        });
    }
    rules
}
