//! `GET /overview`: the fleet at a glance.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Finding, Timestamp};
use tokenwatch_store::queries::{
    CallPoint, DetectorCount, EventScope, FindingFilter, FindingOrder, FindingPoint,
    SeverityCounts, TimeGrid, TimeRange,
};

use super::findings::page_error;
use super::input::{Asked, named};
use crate::problem::ApiError;
use crate::state::DashboardState;

/// Findings shown.
const TOP_FINDINGS: u32 = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverviewInput {
    range: Option<String>,
}

/// The ranges on offer, with the step that each is drawn in.
#[derive(Clone, Copy)]
enum Span {
    Hour,
    SixHours,
    Day,
    Week,
    Month,
}

#[derive(Serialize)]
struct Overview {
    from: Timestamp,
    to: Timestamp,
    step_s: u64,
    calls: Vec<CallPoint>,
    totals: Totals,
    findings: Vec<FindingPoint>,
    top_findings: Vec<Finding>,
    detectors: Vec<DetectorCount>,
}

#[derive(Serialize)]
struct Totals {
    calls: u64,
    failures: u64,
    tokens_active: u64,
    findings_open: SeverityCounts,
}

impl Span {
    const ALL: [Self; 5] = [
        Self::Hour,
        Self::SixHours,
        Self::Day,
        Self::Week,
        Self::Month,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// Its length and its step in seconds: 60 to 180 points.
    const fn seconds(self) -> (u64, u64) {
        match self {
            Self::Hour => (3_600, 60),
            Self::SixHours => (6 * 3_600, 300),
            Self::Day => (86_400, 900),
            Self::Week => (7 * 86_400, 3_600),
            Self::Month => (30 * 86_400, 14_400),
        }
    }
}

pub(super) async fn show(
    State(state): State<DashboardState>,
    Asked(asked): Asked<OverviewInput>,
) -> Result<impl IntoResponse, ApiError> {
    let span = named("range", asked.range.as_ref(), &Span::ALL, Span::name)?.unwrap_or(Span::Hour);
    let (length, step) = span.seconds();
    let now = state.clock.now();
    let range = TimeRange {
        from: now - Duration::from_secs(length),
        to: now,
    };
    let grid = TimeGrid::new(range, Duration::from_secs(step));
    // The roll-ups hold whole minutes, so totals and points are of the same whole steps.
    let range = grid.range;
    let filter = FindingFilter {
        range: Some(range),
        ..FindingFilter::default()
    };
    let queries = state.store.queries();
    let fleet = EventScope::Fleet;
    let top = async {
        let page = queries.findings(&filter, FindingOrder::Gravest, TOP_FINDINGS, None);
        page.await.map_err(page_error)
    };
    let rest = async {
        Ok(tokio::try_join!(
            queries.calls(&fleet, &grid),
            queries.totals(range),
            queries.open_findings(),
            queries.findings_over_time(&grid),
            queries.findings_by_detector(range),
        )?)
    };
    let (top, (calls, totals, findings_open, findings, detectors)) = tokio::try_join!(top, rest)?;
    Ok(Json(Overview {
        from: range.from,
        to: range.to,
        step_s: step,
        calls,
        totals: Totals {
            calls: totals.calls,
            failures: totals.failures,
            tokens_active: totals.tokens_active,
            findings_open,
        },
        findings,
        top_findings: top.items,
        detectors,
    }))
}
