//! The figures of a whole deployment, for summaries: what is stored, found, announced and asked for.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::Queries;
use crate::error::StoreError;

const EVENTS: &str = "SELECT '' AS name, count() AS items FROM events";

const FINDINGS: &str = "\
SELECT toString(detector) AS name, count() AS items
FROM findings FINAL GROUP BY name ORDER BY name LIMIT 100";

// A message has one line when it is about to be sent and one that says how that ended.
const NOTIFICATIONS: &str = "\
SELECT toString(channel) AS name, uniqExact(id) AS items
FROM notifications WHERE result = 'sent' GROUP BY name ORDER BY name LIMIT 100";

const RESPONSES: &str = "\
SELECT toString(outcome) AS name, count() AS items
FROM (SELECT id, argMax(result, (at, result)) AS outcome FROM responses GROUP BY id)
GROUP BY name ORDER BY name LIMIT 100";

/// What a deployment has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeploymentTotals {
    /// Access events stored.
    pub events: u64,
    /// Findings by detector.
    pub findings: BTreeMap<String, u64>,
    /// Messages sent, by channel.
    pub notifications: BTreeMap<String, u64>,
    /// Responses by what became of them.
    pub responses: BTreeMap<String, u64>,
}

#[derive(Row, Deserialize)]
struct CountRow {
    name: String,
    items: u64,
}

impl Queries {
    /// What the deployment has done so far.
    pub async fn deployment_totals(&self) -> Result<DeploymentTotals, StoreError> {
        Ok(DeploymentTotals {
            events: self.counts(EVENTS).await?.into_values().sum(),
            findings: self.counts(FINDINGS).await?,
            notifications: self.counts(NOTIFICATIONS).await?,
            responses: self.counts(RESPONSES).await?,
        })
    }

    async fn counts(&self, sql: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = self.rows::<CountRow>(self.statement(sql)).await?;
        Ok(rows.into_iter().map(|row| (row.name, row.items)).collect())
    }
}
