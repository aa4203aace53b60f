//! Which of their scopes tokens use: what could be taken from them and nobody would notice.
//!
//! A scope is used if some call that was let in may have needed it: the operation's requirement that the token meets names it,
//! or what the configuration says of it covers the call. Of alternatives that a token all meets, all count as used; so a scope
//! that is told as unused can be taken away without any of these calls failing. Needs operations or scopes in the
//! configuration: otherwise nothing is known of what a scope is for, and nothing is told as unused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use tokenwatch_model::{AccessEvent, Outcome, TokenId};

use crate::settings::DetectorSettings;

/// Tokens that are told apart: at about 1 KB each, 200 MB.
const TOKENS_LIMIT: usize = 200_000;

/// Collects what tokens were granted and what they use.
#[derive(Debug)]
pub struct ScopeAudit {
    settings: Arc<DetectorSettings>,
    tokens: BTreeMap<TokenId, ScopeUse>,
    left_out: u64,
}

/// The scopes of one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScopeUse {
    /// The token.
    pub token: TokenId,
    /// The gateway's name of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// The consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Scopes that it was granted, by its calls or the registry.
    pub granted: BTreeSet<String>,
    /// Those that its calls may have needed.
    pub used: BTreeSet<String>,
    /// Those of which the configuration knows what they are for, and that no call needed.
    pub unused: BTreeSet<String>,
    /// Those of which it does not.
    pub unknown: BTreeSet<String>,
    /// Calls that were let in.
    pub calls: u64,
    /// Those of which it is known what they need.
    pub calls_judged: u64,
}

impl ScopeAudit {
    /// An empty one, which judges by these settings.
    pub fn new(settings: Arc<DetectorSettings>) -> Self {
        Self {
            settings,
            tokens: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// Takes a call into account; one that was refused needed nothing.
    pub fn note(&mut self, event: &AccessEvent<'_>) {
        let Some(used) = &event.token else {
            return;
        };
        if event.outcome == Outcome::Denied {
            return;
        }
        if !self.tokens.contains_key(&used.id) && self.tokens.len() >= TOKENS_LIMIT {
            self.left_out += 1;
            return;
        }
        let known = self.settings.registry.find(used, event.ts);
        let registered = known.map_or(&[][..], |known| &known.entry.scopes);
        let granted = crate::policy::scopes_of(used, registered);
        let name = |text: Option<&std::borrow::Cow<'_, str>>| text.map(ToString::to_string);
        let entry = self.tokens.entry(used.id).or_insert_with(|| ScopeUse {
            token: used.id,
            credential_id: name(used.credential_id.as_ref()),
            consumer: name(used.consumer.as_ref()),
            granted: BTreeSet::new(),
            used: BTreeSet::new(),
            unused: BTreeSet::new(),
            unknown: BTreeSet::new(),
            calls: 0,
            calls_judged: 0,
        });
        entry.calls += 1;
        for scope in &granted {
            if !entry.granted.contains(*scope) {
                entry.granted.insert((*scope).to_owned());
            }
        }
        if let Some(needed) = self.settings.policies.needed(event, &granted) {
            entry.calls_judged += 1;
            for scope in needed {
                if !entry.used.contains(scope) {
                    entry.used.insert(scope.to_owned());
                }
            }
        }
    }

    /// Calls of tokens beyond the limit, which are in no report.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What was found, of tokens with scopes, by their ids.
    pub fn report(mut self) -> Vec<ScopeUse> {
        let policies = &self.settings.policies;
        for entry in self.tokens.values_mut() {
            for scope in entry.granted.difference(&entry.used) {
                if policies.knows_scope(scope) {
                    entry.unused.insert(scope.clone());
                } else {
                    entry.unknown.insert(scope.clone());
                }
            }
        }
        let mut found: Vec<ScopeUse> = self.tokens.into_values().collect();
        found.retain(|entry| !entry.granted.is_empty());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DetectorsConfig;

    const CONFIG: &str = r#"
[[out_of_scope.operations]]
method = "GET"
path = "/v1/orders/{id}"
requires = [["orders:read"], ["orders:admin", "audit"]]
[[out_of_scope.operations]]
method = "DELETE"
path = "/v1/orders/{id}"
requires = [["orders:admin"]]
[[out_of_scope.scopes]]
scope = "invoices"
allow = [{ routes = ["/v1/invoices/{*rest}"] }]
"#;

    fn audit(calls: &[(&str, &str, u16, &[&str])]) -> Vec<ScopeUse> {
        let config: DetectorsConfig = toml::from_str(CONFIG).expect("configuration");
        let settings = config.validate("detectors").expect("valid");
        let mut audit = ScopeAudit::new(Arc::new(settings));
        for (method, path, status, scopes) in calls {
            let outcome = if *status == 403 { "denied" } else { "ok" };
            let scopes = serde_json::to_string(scopes).expect("JSON");
            let event = format!(
                r#"{{"ts":"2026-11-18T10:00:00Z","format":"kong","outcome":"{outcome}","token":{{"id":"tok_00000000000000000000000001","kind":"jwt","scopes":{scopes}}},"http":{{"method":"{method}","path":"{path}"}}}}"#
            );
            audit.note(&serde_json::from_str(&event).expect("an event"));
        }
        audit.report()
    }

    fn listed(scopes: &BTreeSet<String>) -> String {
        scopes
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_no_call_needed_is_unused_and_what_nobody_knows_is_unknown() {
        let all = &["orders:read", "orders:admin", "invoices", "profile"][..];
        let found = audit(&[
            ("GET", "/v1/orders/17", 200, all),
            ("DELETE", "/v1/orders/17", 403, all),
            ("GET", "/v1/elsewhere", 200, all),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(listed(&found[0].used), "orders:read");
        assert_eq!(listed(&found[0].unused), "invoices orders:admin");
        assert_eq!(listed(&found[0].unknown), "profile");
        assert_eq!((found[0].calls, found[0].calls_judged), (2, 1));
    }

    #[test]
    fn of_alternatives_all_count_and_of_rules_those_that_cover_the_call() {
        let all = &["orders:read", "orders:admin", "audit", "invoices"][..];
        let found = audit(&[
            ("GET", "/v1/orders/17", 200, all),
            ("GET", "/v1/invoices/1", 200, all),
        ]);
        assert_eq!(
            listed(&found[0].used),
            "audit invoices orders:admin orders:read"
        );
        assert_eq!(listed(&found[0].unused), "");
    }

    #[test]
    fn tokens_without_scopes_are_not_told() {
        assert_eq!(audit(&[("GET", "/v1/orders/17", 200, &[])]), []);
    }
}
