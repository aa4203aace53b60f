//! `out_of_scope`: calls that policy does not allow this token to make.
//!
//! Deterministic: the first call fires, each one counts, and whether the gateway let it through is told apart. Misses
//! whatever the policy allows. Its main false positive is a policy that is older than the client. Needs no history and
//! keeps no state per token.

use tokenwatch_model::{AccessEvent, Detector, Evidence, Severity, TokenUse};

use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::policy::Basis;
use crate::registry::Registered;
use crate::samples;
use crate::settings::DetectorSettings;

/// Weight of a forbidden call, and of one to a privileged route.
const FORBIDDEN_DB: f64 = 30.0;
const PRIVILEGED_DB: f64 = 35.0;

/// A hit if policy does not allow the call.
pub(crate) fn observe(
    event: &AccessEvent<'_>,
    token: &TokenUse<'_>,
    known: Option<&Registered<'_>>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    // Logs seldom name scopes; the registry may.
    let granted = known.map_or(&[][..], |known| &known.entry.scopes);
    let violation = settings.policies.violation(event, token, granted)?;
    let grade = if violation.privileged {
        ", a privileged route"
    } else {
        ""
    };
    let basis = match violation.basis {
        Basis::Policy => "its policy does",
        Basis::Scopes => "its scopes do",
    };
    Some(Hit {
        tier: Tier::Finding,
        severity: if violation.privileged {
            Severity::High
        } else {
            Severity::Medium
        },
        evidence_db: if violation.privileged {
            PRIVILEGED_DB
        } else {
            FORBIDDEN_DB
        },
        hard: true,
        size: 1.0,
        window_start: event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::OutOfScope,
            rank: u8::from(violation.privileged),
            belonging: Belonging::OwnHits,
            text: format!(
                "{{name}} called {}{grade}, which {basis} not allow{{outcomes}}{{sources}}",
                samples::call(event)
            ),
            figures: Evidence {
                expected: Some(0.0),
                statistic: "policy: deterministic".to_owned(),
                ..Evidence::default()
            },
        },
        bulk: None,
    })
}
