//! `fleet_failure`: so many tokens fail, or surge, together that no single one is to blame.
//!
//! Says once, of an outage or of a broken release, what would otherwise be one finding for every token; those of single
//! tokens about counts of failures are held back meanwhile, and what failed is taken out of their habits. What needs no
//! count stays live: forbidden calls, new places, two parties at once. What befalls many later, or another group meanwhile,
//! is told by itself (`common_cause.rs`). Misses an outage of fewer tokens than its floors.
//! Its main false positive is an attack with very many tokens at once, which `credential_stuffing` tells apart by its
//! sources. Keeps no state per token beyond the 8 bytes of its newest half-minute.

use std::time::Duration;

use tokenwatch_model::{Detector, Evidence, Severity, Timestamp};

use crate::common_cause::CommonCause;
use crate::commons::{GroupFailure, READ_LAG_S, WINDOW_S};
use crate::hit::{Belonging, Bulk, Hit, QUIET_S, Story, Tier};
use crate::samples::Samples;
use crate::wording;

/// The hit that a failing half-minute amounts to, and when it was decided.
pub(crate) fn hit(failure: GroupFailure) -> (Hit, Timestamp) {
    let start = Timestamp::from_secs(failure.window * WINDOW_S);
    let share = f64::from(failure.failing) / f64::from(failure.active.max(failure.failing).max(1));
    let whose = if failure.group == "fleet" {
        "the fleet".to_owned()
    } else {
        failure.group.clone()
    };
    let text = if failure.surge {
        format!(
            "{} of the {} active tokens of {whose} made far more calls than they usually do within five minutes, since \
             {{first}}: a release, a retry storm or a job of all, no single token's doing; spikes of single tokens are \
             held back meanwhile",
            wording::count(f64::from(failure.failing)),
            wording::count(f64::from(failure.active.max(failure.failing))),
        )
    } else {
        failed_text(&failure, &whose)
    };
    let hit = Hit {
        tier: Tier::Finding,
        severity: if failure.surge {
            Severity::Info
        } else {
            Severity::Low
        },
        evidence_db: 20.0,
        hard: false,
        size: f64::from(failure.failing),
        window_start: start,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::FleetFailure,
            // What fails says more than what surges.
            rank: u8::from(!failure.surge),
            belonging: Belonging::Together(CommonCause {
                group: failure.key,
                surge: failure.surge,
                tokens: failure.failing,
            }),
            text,
            figures: Evidence {
                observed: Some(f64::from(failure.failing)),
                window_s: Some(300),
                statistic: format!(
                    "{} of the active tokens {}",
                    wording::percent(share),
                    if failure.surge { "surge" } else { "fail" }
                ),
                ..Evidence::default()
            },
        },
        bulk: Some(Box::new(Bulk {
            first_event_s: start.as_secs(),
            last_event_s: start.as_secs() + WINDOW_S,
            events: u64::from(failure.failing),
            samples: Samples {
                routes: failure.routes,
                ..Samples::default()
            },
            ..Bulk::default()
        })),
    };
    let decided = Duration::from_secs((WINDOW_S + READ_LAG_S).unsigned_abs());
    (hit, start + decided)
}

fn failed_text(failure: &GroupFailure, whose: &str) -> String {
    format!(
        "{} of the {} active tokens of {whose} failed within five minutes, since {{first}}: an outage or a broken \
         release, no single token's doing; bursts of failures of single tokens are held back meanwhile",
        wording::count(f64::from(failure.failing)),
        wording::count(f64::from(failure.active.max(failure.failing))),
    )
}
