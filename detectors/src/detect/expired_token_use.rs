//! `expired_token_use`: a token that is let in after its end, by its registration or by its own `exp` claim.
//!
//! Catches gateways that do not look at the end, and old tokens that somebody kept. Refused calls are a signal only: the
//! gateway did its work, and an owner who has not noticed yet is told by `failure_burst`. A claim counts if the token was
//! seen before that end, for otherwise log and claims disagree about the time; so it misses a token that is never seen
//! before its end. Its main false positive is a registration that was not renewed. Keeps no state per token.

use std::time::Duration;

use tokenwatch_model::{AccessEvent, Detector, Outcome, Severity, Timestamp, TokenUse};

use super::breach::Breach;
use crate::hit::{Hit, Tier};
use crate::registry::Registered;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::wording;

/// Weight of a call that was let in, and of one that was refused.
const ACCEPTED_DB: f64 = 15.0;
const REFUSED_DB: f64 = 3.0;

/// A hit if the token's end is past and the call says whether it still works.
pub(crate) fn observe(
    token: &Token,
    event: &AccessEvent<'_>,
    used: &TokenUse<'_>,
    known: Option<&Registered<'_>>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let grace = settings.expired.grace;
    let registered = known
        .and_then(|known| known.entry.expires)
        .filter(|end| is_over(*end, event.ts, grace));
    let claimed = used
        .expires_at
        .filter(|end| is_over(*end, event.ts, grace) && *end > token.first_seen());
    let (end, says) = match (registered, claimed) {
        (Some(end), _) => (end, "its registration"),
        (None, Some(end)) => (end, "its own exp claim"),
        (None, None) => return None,
    };
    let ago = wording::elapsed(event.ts.since(end).as_secs() as i64);
    let (tier, severity, evidence_db, text) = match event.outcome {
        Outcome::Ok => (
            Tier::Finding,
            Severity::Medium,
            ACCEPTED_DB,
            format!("{{name}} is still let in, {ago} after its end{{outcomes}}{{sources}}"),
        ),
        Outcome::Denied => (
            Tier::Signal,
            Severity::Low,
            REFUSED_DB,
            format!("{{name}} is still tried, {ago} after its end{{outcomes}}{{sources}}"),
        ),
        Outcome::NotFound
        | Outcome::Throttled
        | Outcome::ClientError
        | Outcome::ServerError
        | Outcome::Aborted => return None,
    };
    let breach = Breach {
        detector: Detector::ExpiredTokenUse,
        tier,
        severity,
        evidence_db,
        hard: false,
        rank: u8::from(tier == Tier::Finding),
        text,
        statistic: "a fact of the registry or of the token's claims",
        usual: format!("ended {}, by {says}", wording::moment(end)),
    };
    Some(breach.hit(event))
}

fn is_over(end: Timestamp, at: Timestamp, grace: Duration) -> bool {
    end + grace <= at
}
