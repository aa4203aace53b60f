//! `token_guessing`: one source tries credentials that nobody has, or none that the log recognises, and is refused.
//!
//! Catches guessing for a valid token and trying variants of one: ten different credentials within ten minutes of which
//! none was ever accepted and none has a name, or a hundred refused calls without any. Once one of the credentials
//! is somebody's it is `credential_stuffing`. Misses slower guessing, and guessing without recognisable credentials from
//! many addresses at once. Its main false positive is a client that lost its credential and calls on in a
//! loop, once: the day after that is usual. No bytes per token (see [`crate::sources`]). Rule: research note 3.6.

use tokenwatch_model::Severity;

use crate::hit::Story;
use crate::sources::{Attempt, SourceKey, story};
use crate::wording::count;

/// The story of an attack.
pub(crate) fn tell(attempt: &Attempt) -> Story {
    let picture = &attempt.picture;
    let text = if picture.credentials >= picture.strength {
        story::tried(attempt, "credentials that nobody has")
    } else {
        let calls = count(f64::from(picture.anonymous));
        let who = match attempt.key {
            SourceKey::Address(_) => "Address {name}",
            _ => "Network {name}",
        };
        format!(
            "{who} was refused {calls} times since {{since}} without any credential that is known"
        )
    };
    story::finish(attempt, &text)
}

/// How grave it is alone.
pub(crate) fn severity(attempt: &Attempt) -> Severity {
    if attempt.helped.is_empty() {
        Severity::Medium
    } else {
        Severity::High
    }
}
