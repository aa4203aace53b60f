//! `revoked_token_use`: a token that is let in after it was revoked, so that the revocation did not work.
//!
//! Deterministic: the registry, or a response that its target confirmed, says when it was revoked; gateways have `grace` to
//! hear of it. Refused calls are a signal: somebody still tries. Misses a gateway that lets it in to nothing but errors. Its
//! main false positive is a token that was given back and not registered anew. Keeps no state per token.

use tokenwatch_model::{AccessEvent, Detector, Outcome, Severity};

use super::breach::Breach;
use crate::hit::{Hit, Tier};
use crate::registry::Registered;
use crate::settings::DetectorSettings;
use crate::wording;

/// Weight of a call that was let in, and of one that was refused.
const ACCEPTED_DB: f64 = 30.0;
const REFUSED_DB: f64 = 10.0;

/// A hit if the token was revoked before, and the call says whether that worked.
pub(crate) fn observe(
    event: &AccessEvent<'_>,
    known: &Registered<'_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let revoked = known.revoked?;
    if event.ts < revoked + settings.revoked.grace {
        return None;
    }
    let ago = wording::elapsed(event.ts.since(revoked).as_secs() as i64);
    let (tier, severity, evidence_db, text) = match event.outcome {
        Outcome::Ok => (
            Tier::Finding,
            Severity::High,
            ACCEPTED_DB,
            format!(
                "{{name}} is STILL LET IN{}, {ago} after it was revoked: revocation ineffective{{outcomes}}{{sources}}",
                by_node(event)
            ),
        ),
        Outcome::Denied => (
            Tier::Signal,
            Severity::Low,
            REFUSED_DB,
            format!("{{name}} is still tried, {ago} after it was revoked{{outcomes}}{{sources}}"),
        ),
        Outcome::NotFound
        | Outcome::Throttled
        | Outcome::ClientError
        | Outcome::ServerError
        | Outcome::Aborted => return None,
    };
    let breach = Breach {
        detector: Detector::RevokedTokenUse,
        tier,
        severity,
        evidence_db,
        hard: tier == Tier::Finding,
        rank: u8::from(tier == Tier::Finding),
        text,
        statistic: "registry: deterministic",
        usual: format!("revoked {}", wording::moment(revoked)),
    };
    Some(breach.hit(event))
}

/// The gateway node that let it in, where the log names nodes: a name cannot stand for a place in the text.
fn by_node(event: &AccessEvent<'_>) -> String {
    let node = event.origin.gateway.as_deref();
    let node = node.filter(|node| !node.contains(['{', '}']));
    node.map_or_else(String::new, |node| format!(" by {node}"))
}
