//! What detectors saw and what was done: signals, notifications and responses.

use clickhouse::Row;
use serde::Deserialize;
use tokenwatch_model::{FindingId, Notification, Response, Signal, TokenId};

use super::Queries;
use crate::error::StoreError;
use crate::rows::{NotificationRow, ResponseRow, from_json};

const SIGNALS: &str = "\
SELECT body FROM signals FINAL WHERE finding_id = {id:String}
ORDER BY ts DESC LIMIT 200";

const NOTIFICATIONS: &str = "\
SELECT ?fields FROM notifications FINAL WHERE finding_id = {id:String}
ORDER BY at, id, result LIMIT 500";

const RESPONSES_OF_FINDING: &str = "\
SELECT ?fields FROM responses FINAL WHERE finding_id = {id:String}
ORDER BY at, id, result LIMIT 200";

const RESPONSES_OF_TOKEN: &str = "\
SELECT ?fields FROM responses FINAL WHERE token_id = {id:String}
ORDER BY at DESC, id, result LIMIT 200";

#[derive(Row, Deserialize)]
struct BodyRow {
    body: String,
}

impl Queries {
    /// The signals of a finding, newest first.
    pub async fn signals(&self, finding: FindingId) -> Result<Vec<Signal>, StoreError> {
        let query = self.statement(SIGNALS).param("id", finding.to_string());
        let rows = self.rows::<BodyRow>(query).await?;
        rows.iter()
            .map(|row| from_json("signals", &row.body))
            .collect()
    }

    /// The ledger's lines about a finding, oldest first.
    pub async fn notifications(&self, finding: FindingId) -> Result<Vec<Notification>, StoreError> {
        let query = self
            .statement(NOTIFICATIONS)
            .param("id", finding.to_string());
        let rows = self.rows::<NotificationRow>(query).await?;
        rows.into_iter()
            .map(NotificationRow::into_notification)
            .collect()
    }

    /// The journal's lines about a finding, oldest first.
    pub async fn responses_to_finding(
        &self,
        finding: FindingId,
    ) -> Result<Vec<Response>, StoreError> {
        self.responses(RESPONSES_OF_FINDING, &finding.to_string())
            .await
    }

    /// The journal's lines about a token, newest first.
    pub async fn responses_on_token(&self, token: TokenId) -> Result<Vec<Response>, StoreError> {
        self.responses(RESPONSES_OF_TOKEN, &token.to_string()).await
    }

    async fn responses(&self, sql: &str, id: &str) -> Result<Vec<Response>, StoreError> {
        let query = self.statement(sql).param("id", id);
        let rows = self.rows::<ResponseRow>(query).await?;
        rows.into_iter().map(ResponseRow::into_response).collect()
    }
}
