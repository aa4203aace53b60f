//! `rotation_overdue`: a token that should have been replaced by now, or that is used on beside the one that replaced it.
//!
//! How long it may be used is in its registration, or follows from its class: 90, 60 and 30 days for ordinary, sensitive and
//! privileged ones. Once its successor is there, the old one has `overlap` to fall silent. Told once in `remind_every`, low.
//! Misses tokens that are not registered. Its main false positive is an inventory that was not told of the rotation. It weighs
//! nothing: it is no sign of theft. Keeps no state per token: when it is told follows from the token's times.

use tokenwatch_model::{AccessEvent, Detector, Outcome, Severity};

use super::advice::{Fact, Passed};
use crate::hit::Hit;
use crate::registry::Registered;
use crate::settings::DetectorSettings;
use crate::wording;

/// A hit if the token is overdue and that is due to be told.
pub(crate) fn observe(
    event: &AccessEvent<'_>,
    known: &Registered<'_>,
    passed: Passed,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let entry = known.entry;
    let ended = [entry.expires, known.revoked]
        .into_iter()
        .flatten()
        .any(|end| end <= event.ts);
    if ended || event.outcome == Outcome::Denied {
        return None;
    }
    overlapping(event, known, passed, settings).or_else(|| old(event, known, passed, settings))
}

fn overlapping(
    event: &AccessEvent<'_>,
    known: &Registered<'_>,
    passed: Passed,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let rotation = &settings.rotation;
    let successor = known.successor?;
    let onset = (successor.since + rotation.overlap).max(known.since);
    passed.is_due(onset, rotation.remind_every).then(|| {
        let both = event.ts.since(successor.since);
        let fact = Fact {
            detector: Detector::RotationOverdue,
            severity: Severity::Low,
            text: format!(
                "{{name}} is still used, {} after {} was issued to replace it{{sources}}",
                wording::days(both),
                wording::abbreviated(successor.name),
            ),
            lasted: both,
            allowed: rotation.overlap,
            statistic: "days that it is used beside its successor, and may be",
        };
        fact.hit(event)
    })
}

fn old(
    event: &AccessEvent<'_>,
    known: &Registered<'_>,
    passed: Passed,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let rotation = &settings.rotation;
    let created = known.entry.created?;
    let period = known
        .entry
        .rotation_period
        .unwrap_or_else(|| rotation.period(known.entry.class));
    let onset = (created + period).max(known.since);
    passed.is_due(onset, rotation.remind_every).then(|| {
        let age = event.ts.since(created);
        let fact = Fact {
            detector: Detector::RotationOverdue,
            severity: Severity::Low,
            text: format!(
                "{{name}} is {} old and should have been replaced after {}",
                wording::days(age),
                wording::days(period),
            ),
            lasted: age,
            allowed: period,
            statistic: "days since it was issued, and until it must be replaced",
        };
        fact.hit(event)
    })
}
