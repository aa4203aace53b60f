//! Reads the ledger of notifications, for alerting.
//!
//! Every line is kept; what counts is the newest of each message. Two lines of the same moment are told apart by
//! their result: the one that says how it ended is the newer.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Finding, FindingId, Notification, Severity, Timestamp};

use crate::error::StoreError;
use crate::rows::NotificationRow;
use crate::store::Store;

#[derive(Debug, Row, Serialize, Deserialize)]
struct BodyRow {
    body: String,
}

#[derive(Debug, Row, Serialize, Deserialize)]
struct ReceiverReasonRow {
    receiver: String,
    reason: String,
}

impl Store {
    /// The newest line of every message about each of `findings`.
    pub async fn notifications_of(
        &self,
        findings: &[FindingId],
    ) -> Result<Vec<Notification>, StoreError> {
        if findings.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM notifications WHERE finding_id IN ? \
                 ORDER BY finding_id, id, at DESC, result IN ('sent', 'failed', 'muted') DESC \
                 LIMIT 1 BY finding_id, id",
            )
            .bind(names(findings))
            .fetch_all::<NotificationRow>()
            .await?;
        rows.into_iter()
            .map(NotificationRow::into_notification)
            .collect()
    }

    /// Receivers and reasons of all lines of the ledger whose reason starts with `prefix`.
    pub async fn receivers_with_reason(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let rows = self
            .client()
            .query("SELECT DISTINCT ?fields FROM notifications WHERE startsWith(reason, ?)")
            .bind(prefix)
            .fetch_all::<ReceiverReasonRow>()
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.receiver, row.reason))
            .collect())
    }

    /// A page of the findings, in the order of their ids and after `after`, whose last event is not before `since`
    /// and whose severity is at least `severity`. A page that is not full is the last.
    pub async fn findings_page(
        &self,
        since: Timestamp,
        severity: Severity,
        after: Option<FindingId>,
        limit: usize,
    ) -> Result<Vec<Finding>, StoreError> {
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM findings FINAL WHERE id > ? AND toInt8(severity) >= ? \
                 AND last_event_at >= fromUnixTimestamp64Micro(toInt64(?)) ORDER BY id LIMIT ?",
            )
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(severity as i8)
            .bind(since.as_micros())
            .bind(limit)
            .fetch_all::<BodyRow>()
            .await?;
        rows.iter()
            .map(|row| {
                serde_json::from_str(&row.body).map_err(|error| StoreError::Corrupt {
                    table: "findings",
                    detail: error.to_string(),
                })
            })
            .collect()
    }
}

fn names(findings: &[FindingId]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
