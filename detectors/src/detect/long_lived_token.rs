//! `long_lived_token`: a token that lives, or is meant to live, longer than any should.
//!
//! A registered one by its span, or by its age where it has no end; one that says its span itself (`iat`, `exp`) by that.
//! Told once in `remind_every`, as information. Misses tokens that nobody registered and that say nothing. It weighs nothing:
//! it is no sign of theft. Keeps no state per token: when it is told follows from the token's times.

use std::time::Duration;

use tokenwatch_model::{AccessEvent, Detector, Severity, Timestamp, TokenUse};

use super::advice::{Fact, Passed};
use crate::hit::Hit;
use crate::registry::Registered;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::wording;

/// A hit if it lives too long and that is due to be told.
pub(crate) fn observe(
    token: &Token,
    event: &AccessEvent<'_>,
    used: &TokenUse<'_>,
    known: Option<&Registered<'_>>,
    passed: Passed,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let every = settings.long_lived.remind_every;
    let registered = known.and_then(|known| registered(known, event.ts, settings));
    let long = registered.or_else(|| claimed(token, used, settings))?;
    passed.is_due(long.since, every).then(|| {
        let fact = Fact {
            detector: Detector::LongLivedToken,
            severity: Severity::Info,
            text: long.text,
            lasted: long.lasts,
            allowed: long.allowed,
            statistic: "days that it lives, and may live",
        };
        fact.hit(event)
    })
}

/// A life that is too long.
struct LongLife {
    lasts: Duration,
    allowed: Duration,
    since: Timestamp,
    text: String,
}

fn registered(
    known: &Registered<'_>,
    at: Timestamp,
    settings: &DetectorSettings,
) -> Option<LongLife> {
    let allowed = settings.long_lived.lifetime;
    let created = known.entry.created?;
    let (lasts, since, text) = if let Some(end) = known.entry.expires {
        let lasts = end.since(created);
        let text = format!("{{name}} was issued for {}", wording::days(lasts));
        (lasts, created, text)
    } else {
        let age = at.since(created);
        let text = format!(
            "{{name}} is {} old and is registered without an end",
            wording::days(age)
        );
        (age, created + allowed, text)
    };
    (lasts > allowed).then(|| LongLife {
        lasts,
        allowed,
        since: since.max(known.since),
        text,
    })
}

fn claimed(token: &Token, used: &TokenUse<'_>, settings: &DetectorSettings) -> Option<LongLife> {
    let allowed = settings.long_lived.claimed_lifetime;
    let lasts = used.expires_at?.since(used.issued_at?);
    (lasts > allowed).then(|| LongLife {
        lasts,
        allowed,
        since: token.first_seen(),
        text: format!(
            "{{name}} was issued for {}, by its own claims",
            wording::days(lasts)
        ),
    })
}
