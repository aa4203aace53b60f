//! `credential_stuffing`: one source tries many credentials that are somebody's, and most of them are refused.
//!
//! Catches a list of leaked or bought credentials that is tried out, from one address or from thousands: at least ten
//! different ones within ten minutes, four fifths of them refused, five times what is usual for that source. Misses
//! fewer than one a minute, and lists tried through a network whose other customers make most of the calls. Its main
//! false positive is a customer whose many keys are all refused from a network that they never came from. No bytes per
//! token; 16,384 sources are remembered (see [`crate::sources`]). Rule and figures: research note 3.6.

use tokenwatch_model::Severity;

use crate::hit::Story;
use crate::sources::{Attempt, story};
use crate::wording::count;

/// The story of an attack.
pub(crate) fn tell(attempt: &Attempt) -> Story {
    let picture = &attempt.picture;
    let text = story::tried(attempt, "different credentials");
    let named = libm::round(picture.named);
    let whose = if named >= libm::round(picture.credentials) {
        ", all of them somebody's".to_owned()
    } else if named >= 1.0 {
        format!(", {} of them somebody's", count(named))
    } else {
        String::new()
    };
    story::finish(attempt, &format!("{text}{whose}"))
}

/// How grave it is alone.
pub(crate) fn severity(attempt: &Attempt) -> Severity {
    if attempt.helped.is_empty() {
        Severity::Medium
    } else {
        Severity::High
    }
}
