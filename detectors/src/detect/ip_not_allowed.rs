//! `ip_not_allowed`: a call from outside the networks that the token is registered for.
//!
//! Deterministic: the first call fires. Misses a thief inside the network, and logs without the caller's address. Its main
//! false positive is an egress address that nobody has registered yet, or a proxy that is not in `trusted_proxies`. Needs no
//! history and keeps no state per token.

use tokenwatch_model::{AccessEvent, Detector, Severity, TokenClass};

use super::breach::{Breach, listed};
use crate::hit::{Hit, Tier};
use crate::registry::Registered;

/// Weight of a call that is ruled out, and of one of a token that administers.
const BREACH_DB: f64 = 30.0;
const PRIVILEGED_DB: f64 = 35.0;

/// A hit if the call comes from elsewhere.
pub(crate) fn observe(event: &AccessEvent<'_>, known: &Registered<'_>) -> Option<Hit> {
    let allowed = &known.entry.allowed_networks;
    let ip = event.client.ip?.to_canonical();
    if allowed.is_empty() || allowed.iter().any(|network| network.contains(&ip)) {
        return None;
    }
    let (severity, evidence_db) = grade(known.entry.class);
    let breach = Breach {
        detector: Detector::IpNotAllowed,
        tier: Tier::Finding,
        severity,
        evidence_db,
        hard: true,
        rank: 0,
        text:
            "{name} was used from outside the networks that it is registered for{outcomes}{sources}"
                .to_owned(),
        statistic: "registry: deterministic",
        usual: format!(
            "registered for {}",
            listed(allowed.iter().map(ToString::to_string))
        ),
    };
    Some(breach.hit(event))
}

/// How grave a breach is by a token of `class`, and what it weighs.
pub(super) fn grade(class: TokenClass) -> (Severity, f64) {
    match class {
        TokenClass::Privileged => (Severity::High, PRIVILEGED_DB),
        TokenClass::Standard | TokenClass::Sensitive => (Severity::Medium, BREACH_DB),
    }
}
