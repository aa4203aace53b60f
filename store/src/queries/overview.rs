//! The figures of the overview: totals, findings over time and by detector.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Severity, Timestamp};

use super::{Queries, TimeGrid, TimeRange, bind_range};
use crate::error::StoreError;

const TOTALS: &str = "\
SELECT sum(f.calls) AS calls, sum(f.failures) AS failures, uniqCombinedMerge(14)(tokens) AS tokens_active
FROM fleet_minute AS f
WHERE minute >= toDateTime(intDiv({from:Int64}, 1000000), 'UTC')
  AND minute < toDateTime(intDiv({to:Int64}, 1000000), 'UTC')";

const FINDINGS: &str = "\
SELECT intDiv(toUnixTimestamp64Micro(detected_at), 1000000 * {step:Int64}) * {step:Int64} AS t,
       toInt8(severity) AS level, count() AS findings
FROM findings FINAL
WHERE detected_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
  AND detected_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
GROUP BY t, level ORDER BY t, level LIMIT 10000";

const OPEN: &str = "\
SELECT toInt64(0) AS t, toInt8(severity) AS level, count() AS findings
FROM findings FINAL WHERE status = 'open'
GROUP BY level ORDER BY level LIMIT 5";

const DETECTORS: &str = "\
SELECT toString(detector) AS detector, count() AS findings
FROM findings FINAL
WHERE detected_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
  AND detected_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
GROUP BY detector ORDER BY findings DESC, detector LIMIT 100";

/// What the fleet did in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetTotals {
    /// Calls.
    pub calls: u64,
    /// Those that did not end well.
    pub failures: u64,
    /// Tokens that made a call.
    pub tokens_active: u64,
}

/// A number per severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the severities")]
pub struct SeverityCounts {
    pub info: u64,
    pub low: u64,
    pub medium: u64,
    pub high: u64,
    pub critical: u64,
}

/// Findings detected in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FindingPoint {
    /// The step's start.
    pub t: Timestamp,
    /// How many, by severity.
    #[serde(flatten)]
    pub counts: SeverityCounts,
}

/// Findings of one detector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DetectorCount {
    /// The detector's name.
    pub detector: String,
    /// How many findings.
    pub count: u64,
}

#[derive(Row, Deserialize)]
struct TotalsRow {
    calls: i64,
    failures: i64,
    tokens_active: u64,
}

#[derive(Row, Deserialize)]
struct SeverityRow {
    t: i64,
    level: i8,
    findings: u64,
}

#[derive(Row, Deserialize)]
struct DetectorRow {
    detector: String,
    findings: u64,
}

impl SeverityCounts {
    fn add(&mut self, level: i8, count: u64) {
        let severity = usize::try_from(level)
            .ok()
            .and_then(|level| Severity::ALL.get(level));
        let Some(severity) = severity else {
            return;
        };
        *match severity {
            Severity::Info => &mut self.info,
            Severity::Low => &mut self.low,
            Severity::Medium => &mut self.medium,
            Severity::High => &mut self.high,
            Severity::Critical => &mut self.critical,
        } += count;
    }
}

impl Queries {
    /// What the fleet did in `range`.
    pub async fn totals(&self, range: TimeRange) -> Result<FleetTotals, StoreError> {
        let query = bind_range(self.statement(TOTALS), range);
        let row = self.row::<TotalsRow>(query).await?;
        Ok(row.map_or_else(FleetTotals::default, |row| FleetTotals {
            calls: row.calls.max(0).cast_unsigned(),
            failures: row.failures.max(0).cast_unsigned(),
            tokens_active: row.tokens_active,
        }))
    }

    /// Findings that go on, whenever they began.
    pub async fn open_findings(&self) -> Result<SeverityCounts, StoreError> {
        let mut counts = SeverityCounts::default();
        for row in self.rows::<SeverityRow>(self.statement(OPEN)).await? {
            counts.add(row.level, row.findings);
        }
        Ok(counts)
    }

    /// Findings detected in every step of `grid`, empty steps included.
    pub async fn findings_over_time(
        &self,
        grid: &TimeGrid,
    ) -> Result<Vec<FindingPoint>, StoreError> {
        let query =
            bind_range(self.statement(FINDINGS), grid.range).param("step", grid.step.as_secs());
        let mut points: Vec<_> = grid
            .starts()
            .map(|t| FindingPoint {
                t,
                counts: SeverityCounts::default(),
            })
            .collect();
        for row in self.rows::<SeverityRow>(query).await? {
            let index = grid.index_of(Timestamp::from_secs(row.t));
            if let Some(point) = index.and_then(|index| points.get_mut(index)) {
                point.counts.add(row.level, row.findings);
            }
        }
        Ok(points)
    }

    /// Findings detected in `range`, by detector, most first.
    pub async fn findings_by_detector(
        &self,
        range: TimeRange,
    ) -> Result<Vec<DetectorCount>, StoreError> {
        let query = bind_range(self.statement(DETECTORS), range);
        let rows = self.rows::<DetectorRow>(query).await?;
        let count = |row: DetectorRow| DetectorCount {
            detector: row.detector,
            count: row.findings,
        };
        Ok(rows.into_iter().map(count).collect())
    }
}
