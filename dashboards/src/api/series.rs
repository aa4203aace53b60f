//! A subject's calls over time, on the token's baseline where there is one: what charts are drawn from.

use std::time::Duration;

use serde::Serialize;
use tokenwatch_model::{Subject, Timestamp};
use tokenwatch_store::StoreError;
use tokenwatch_store::queries::{
    BandPoint, CallPoint, EventScope, TimeGrid, TimeRange, baseline_band,
};

use crate::state::DashboardState;

/// What is drawn before an episode: as long again as it lasted, between three hours and three days.
const BEFORE_LEAST: Duration = Duration::from_hours(3);
const BEFORE_MOST: Duration = Duration::from_hours(3 * 24);
/// What is drawn behind it.
const AFTER: Duration = Duration::from_mins(30);
/// The longest part of an episode that is drawn.
const DRAWN_MOST: Duration = Duration::from_hours(14 * 24);

/// Calls in even steps, and what the baseline expects in them.
#[derive(Serialize)]
pub(super) struct Series {
    from: Timestamp,
    to: Timestamp,
    step_s: u64,
    points: Vec<CallPoint>,
    band: Vec<BandPoint>,
}

/// The calls of `subject` around what happened from `first` to `last`.
pub(super) async fn around(
    state: &DashboardState,
    subject: &Subject,
    first: Timestamp,
    last: Timestamp,
) -> Result<Series, StoreError> {
    let scope = EventScope::of_subject(subject);
    within(state, scope.as_ref(), drawn_range(first, last)).await
}

/// The calls of `scope` in `range`; none without a scope.
pub(super) async fn within(
    state: &DashboardState,
    scope: Option<&EventScope>,
    range: TimeRange,
) -> Result<Series, StoreError> {
    let grid = TimeGrid::fitting(range);
    let queries = state.store.queries();
    let points = async {
        match scope {
            Some(scope) => queries.calls(scope, &grid).await,
            None => Ok(Vec::new()),
        }
    };
    let profile = async {
        match scope {
            Some(EventScope::Token(id)) => queries.profile(*id).await,
            _ => Ok(None),
        }
    };
    let (points, profile) = tokio::try_join!(points, profile)?;
    Ok(Series {
        from: grid.range.from,
        to: grid.range.to,
        step_s: grid.step.as_secs(),
        points,
        band: profile.map_or_else(Vec::new, |profile| baseline_band(&profile, &grid)),
    })
}

fn drawn_range(first: Timestamp, last: Timestamp) -> TimeRange {
    let length = last.since(first);
    TimeRange {
        from: first - length.clamp(BEFORE_LEAST, BEFORE_MOST),
        to: first + length.min(DRAWN_MOST) + AFTER,
    }
}
