//! `/detectors`: how often each detector was right by what people said of its findings, and what to write to quieten
//! one that was mostly wrong.

use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Timestamp};
use tokenwatch_store::queries::DetectorRecord;

use super::findings::Items;
use super::input::{Asked, Id, range};
use super::operators::{audit, require_admin};
use crate::auth::CurrentUser;
use crate::problem::ApiError;
use crate::state::DashboardState;

/// What is looked at unless told: a quarter, for verdicts are few.
const SPAN: Duration = Duration::from_hours(90 * 24);
/// Fewer verdicts say nothing.
const JUDGED_LEAST: u64 = 8;
/// A detector whose precision lies below this for certain is noise.
const NOISE: f64 = 0.5;
/// The normal distribution's 97.5th percentile: intervals of 95 %.
const Z: f64 = 1.959_964;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Serialize)]
struct DetectorPage {
    #[serde(flatten)]
    record: DetectorRecord,
    /// Findings that say whether the detector was right: duplicates do not.
    judged: u64,
    /// Of those, the share that was as it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<Precision>,
    /// What to put into the configuration so that it opens no findings of its own; for noise alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    demotion: Option<String>,
}

/// A share, and the interval that holds it with 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Precision {
    share: f64,
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct Demotion {
    at: Timestamp,
    configuration: String,
}

pub(super) async fn list(
    State(state): State<DashboardState>,
    Asked(asked): Asked<ListInput>,
) -> Result<impl IntoResponse, ApiError> {
    let now = state.clock.now();
    let range = range(asked.from.as_ref(), asked.to.as_ref(), SPAN, now)?;
    let records = state.store.queries().detector_records(range).await?;
    let items = records.into_iter().map(page).collect();
    Ok(Json(Items { items }))
}

/// Records that somebody took the lines that demote a detector: the configuration is a file that only the operator
/// writes.
pub(super) async fn demote(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(detector): Id<String>,
) -> Result<impl IntoResponse, ApiError> {
    require_admin(&user)?;
    let detector = Detector::ALL
        .into_iter()
        .find(|known| known.name() == detector)
        .ok_or(ApiError::NotFound)?;
    let (at, configuration) = (state.clock.now(), configuration(detector.name()));
    let subject = detector.name();
    let detail = "configuration taken: mode = \"signal\"".to_owned();
    audit(&state, &user, "detector_demotion", subject, detail, at).await?;
    Ok(Json(Demotion { at, configuration }))
}

fn page(record: DetectorRecord) -> DetectorPage {
    let judged = record.true_positives + record.benign + record.expected_changes;
    let precision = wilson(record.true_positives, judged);
    let is_noise =
        judged >= JUDGED_LEAST && precision.is_some_and(|precision| precision.high < NOISE);
    DetectorPage {
        demotion: is_noise.then(|| configuration(&record.detector)),
        judged,
        precision,
        record,
    }
}

fn configuration(detector: &str) -> String {
    format!("[detectors.{detector}]\nmode = \"signal\"\n")
}

/// Wilson's score interval of a share: honest for few verdicts and for shares near 0 and 1.
/// (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.)
fn wilson(hits: u64, all: u64) -> Option<Precision> {
    if all == 0 {
        return None;
    }
    let (hits, all) = (hits as f64, all as f64);
    let share = hits / all;
    let scale = 1.0 + Z * Z / all;
    let centre = (share + Z * Z / (2.0 * all)) / scale;
    let half = Z / scale * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt();
    Some(Precision {
        share,
        low: (centre - half).max(0.0),
        high: (centre + half).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hits: u64, all: u64, low: f64, high: f64) {
        let interval = wilson(hits, all).expect("there are verdicts");
        let close = |a: f64, b: f64| (a - b).abs() < 5e-4;
        assert!(
            close(interval.low, low) && close(interval.high, high),
            "{hits} of {all}: {interval:?}"
        );
    }

    #[test]
    fn intervals_are_those_of_the_textbook() {
        // As R's `prop.test(…, correct = FALSE)` gives them.
        check(0, 10, 0.0, 0.2775);
        check(10, 10, 0.7225, 1.0);
        check(5, 10, 0.2366, 0.7634);
        check(81, 263, 0.2553, 0.3662);
        assert_eq!(wilson(0, 0), None);
    }

    fn record(true_positives: u64, benign: u64) -> DetectorRecord {
        DetectorRecord {
            detector: "rate_spike".to_owned(),
            findings: 100,
            true_positives,
            benign,
            expected_changes: 0,
            duplicates: 40,
            messages: 0,
            false_messages: 0,
        }
    }

    #[test]
    fn only_what_is_noise_for_certain_is_to_be_demoted() {
        assert!(page(record(0, 8)).demotion.is_some());
        assert!(page(record(0, 7)).demotion.is_none());
        assert!(page(record(4, 6)).demotion.is_none());
        assert!(page(record(0, 0)).precision.is_none());
    }
}
