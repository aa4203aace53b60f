//! How detectors did by what people said of their findings.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::{Queries, TimeRange, bind_range};
use crate::error::StoreError;

/// A verdict counts unless what it was about was opened again after it. Duplicates are about another finding.
const RECORDS: &str = "
SELECT toString(detector) AS detector,
       count() AS findings,
       countIf(word = 'true') AS true_positives,
       countIf(word = 'benign') AS benign,
       countIf(word = 'expected_change') AS expected_changes,
       countIf(word = 'duplicate') AS duplicates,
       sum(sent) AS messages,
       sumIf(sent, word IN ('benign', 'expected_change')) AS false_messages
FROM (SELECT id, detector FROM findings FINAL
      WHERE detected_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
        AND detected_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')) AS found
LEFT JOIN (
    SELECT finding_id, argMaxIf(toString(verdict), at, verdict IN ('true', 'benign', 'expected_change', 'duplicate')) AS word
    FROM verdicts GROUP BY finding_id
    HAVING maxIf(at, verdict IN ('true', 'benign', 'expected_change', 'duplicate')) > maxIf(at, verdict = 'reopened')
) AS judged ON judged.finding_id = found.id
LEFT JOIN (
    SELECT finding_id, uniqExact(id) AS sent FROM notifications WHERE result = 'sent'
      AND at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') GROUP BY finding_id
) AS told ON told.finding_id = found.id
GROUP BY detector ORDER BY detector";

/// What became of a detector's findings.
#[derive(Clone, Debug, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct DetectorRecord {
    /// Its name.
    pub detector: String,
    /// All of its findings.
    pub findings: u64,
    /// Of these, what was as they said.
    pub true_positives: u64,
    /// What was legitimate and nobody had to know.
    pub benign: u64,
    /// What was new on purpose.
    pub expected_changes: u64,
    /// What another finding told already.
    pub duplicates: u64,
    /// Messages that receivers took about any of them.
    pub messages: u64,
    /// Of these, about what was benign or expected: what the detector cost people.
    pub false_messages: u64,
}

impl Queries {
    /// What became of the findings that were detected in `range`, per detector that had any.
    pub async fn detector_records(
        &self,
        range: TimeRange,
    ) -> Result<Vec<DetectorRecord>, StoreError> {
        self.rows(bind_range(self.statement(RECORDS), range)).await
    }
}
