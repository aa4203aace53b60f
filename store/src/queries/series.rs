//! Calls over time: of the fleet, of a token, of whatever a finding is about.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use super::{EventScope, Queries, TimeGrid, bind_range};
use crate::error::StoreError;

/// The roll-ups' own step.
const MINUTE_SECS: u64 = 60;

/// Of everybody; roll-ups of a minute are enough for every step of the overview.
const FLEET: &str = "\
SELECT toInt64(intDiv(toUnixTimestamp(minute), {step:UInt32}) * {step:UInt32}) AS t,
       sum(f.calls) AS calls, sum(f.failures) AS failures, sum(f.denied) AS denied
FROM fleet_minute AS f
WHERE minute >= toDateTime(intDiv({from:Int64}, 1000000), 'UTC')
  AND minute < toDateTime(intDiv({to:Int64}, 1000000), 'UTC')
GROUP BY t ORDER BY t LIMIT 2000";

const TOKEN: &str = "\
SELECT toInt64(intDiv(toUnixTimestamp(minute), {step:UInt32}) * {step:UInt32}) AS t,
       sum(r.calls) AS calls, sum(r.failures) AS failures, sum(r.denied) AS denied
FROM rollup_minute AS r
WHERE token_id = {scope:String}
  AND minute >= toDateTime(intDiv({from:Int64}, 1000000), 'UTC')
  AND minute < toDateTime(intDiv({to:Int64}, 1000000), 'UTC')
GROUP BY t ORDER BY t LIMIT 2000";

/// Of any scope and step, from the events themselves; the condition of the scope stands between the halves.
const EVENTS: [&str; 2] = [
    "\
SELECT intDiv(toUnixTimestamp64Micro(ts), 1000000 * {step:Int64}) * {step:Int64} AS t,
       toInt64(count()) AS calls, toInt64(countIf(outcome != 'ok')) AS failures,
       toInt64(countIf(outcome = 'denied')) AS denied
FROM events WHERE ",
    "
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
GROUP BY t ORDER BY t LIMIT 2000",
];

/// Calls in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CallPoint {
    /// The step's start.
    pub t: Timestamp,
    /// Calls.
    pub calls: u64,
    /// Those that did not end well.
    pub failures: u64,
    /// Those whose credential was refused.
    pub denied: u64,
}

#[derive(Row, Deserialize)]
struct StepRow {
    t: i64,
    calls: i64,
    failures: i64,
    denied: i64,
}

impl Queries {
    /// Calls in every step of `grid`, empty steps included.
    pub async fn calls(
        &self,
        scope: &EventScope,
        grid: &TimeGrid,
    ) -> Result<Vec<CallPoint>, StoreError> {
        let step = grid.step.as_secs();
        let by_minute = step.is_multiple_of(MINUTE_SECS);
        let query = match scope {
            EventScope::Fleet if by_minute => self.statement(FLEET),
            EventScope::Token(_) if by_minute => self.statement(TOKEN),
            _ => self.statement(&EVENTS.join(scope.condition())),
        };
        let query = bind_range(scope.bind(query), grid.range).param("step", step);
        let rows = self.rows::<StepRow>(query).await?;
        Ok(fill(rows, grid))
    }
}

/// One point per step.
fn fill(rows: Vec<StepRow>, grid: &TimeGrid) -> Vec<CallPoint> {
    let mut points: Vec<_> = grid
        .starts()
        .map(|t| CallPoint {
            t,
            calls: 0,
            failures: 0,
            denied: 0,
        })
        .collect();
    for row in rows {
        let index = grid.index_of(Timestamp::from_secs(row.t));
        if let Some(point) = index.and_then(|index| points.get_mut(index)) {
            point.calls = row.calls.max(0).cast_unsigned();
            point.failures = row.failures.max(0).cast_unsigned();
            point.denied = row.denied.max(0).cast_unsigned();
        }
    }
    points
}
