//! What alerting has to know of responses: the newest lines of its journal, and what people said about them.

use tokenwatch_model::{FindingId, Response, ResponseOrder, Timestamp};

use crate::error::StoreError;
use crate::rows::{ResponseOrderRow, ResponseRow};
use crate::store::Store;

/// Words that are read at once, the oldest first.
const ORDERS_LIMIT: u32 = 10_000;

impl Store {
    /// The newest line of every response to `findings`.
    pub async fn responses_of(&self, findings: &[FindingId]) -> Result<Vec<Response>, StoreError> {
        if findings.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = findings.iter().map(ToString::to_string).collect();
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM responses WHERE finding_id IN ? \
                 ORDER BY id, at DESC, result != 'intended' DESC LIMIT 1 BY id",
            )
            .bind(names)
            .fetch_all::<ResponseRow>()
            .await?;
        rows.into_iter().map(ResponseRow::into_response).collect()
    }

    /// The newest line of every response since `since`, and of every older one about which something is still to be done;
    /// oldest first.
    pub async fn responses_since(&self, since: Timestamp) -> Result<Vec<Response>, StoreError> {
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM (SELECT * FROM responses \
                 ORDER BY id, at DESC, result != 'intended' DESC LIMIT 1 BY id) \
                 WHERE at >= fromUnixTimestamp64Micro(toInt64(?)) OR result = 'intended' OR pending \
                 ORDER BY at, id",
            )
            .bind(since.as_micros())
            .fetch_all::<ResponseRow>()
            .await?;
        rows.into_iter().map(ResponseRow::into_response).collect()
    }

    /// The newest line of a response.
    pub async fn response(&self, id: &str) -> Result<Option<Response>, StoreError> {
        let row = self
            .client()
            .query(
                "SELECT ?fields FROM responses WHERE id = ? \
                 ORDER BY at DESC, result != 'intended' DESC LIMIT 1",
            )
            .bind(id)
            .fetch_optional::<ResponseRow>()
            .await?;
        row.map(ResponseRow::into_response).transpose()
    }

    /// Stores somebody's word on a response.
    pub async fn insert_response_order(&self, order: &ResponseOrder) -> Result<(), StoreError> {
        let rows = [ResponseOrderRow::of(order)];
        self.insert_rows("response_orders", &rows).await
    }

    /// What was said about responses since `since`, oldest first.
    pub async fn response_orders(
        &self,
        since: Timestamp,
    ) -> Result<Vec<ResponseOrder>, StoreError> {
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM response_orders FINAL \
                 WHERE at >= fromUnixTimestamp64Micro(toInt64(?)) ORDER BY at, actor LIMIT ?",
            )
            .bind(since.as_micros())
            .bind(ORDERS_LIMIT)
            .fetch_all::<ResponseOrderRow>()
            .await?;
        rows.into_iter().map(ResponseOrderRow::into_order).collect()
    }

    /// What was said about one response, oldest first.
    pub async fn orders_on(&self, response_id: &str) -> Result<Vec<ResponseOrder>, StoreError> {
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM response_orders FINAL WHERE response_id = ? \
                 ORDER BY at, actor LIMIT ?",
            )
            .bind(response_id)
            .bind(ORDERS_LIMIT)
            .fetch_all::<ResponseOrderRow>()
            .await?;
        rows.into_iter().map(ResponseOrderRow::into_order).collect()
    }
}
