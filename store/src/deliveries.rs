//! Which records were stored lately, by the ids that their providers gave them: a source that delivers one again after a
//! restart is recognised by what is stored.

use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;
use tokenwatch_model::{Format, Timestamp};

use crate::error::StoreError;
use crate::store::Store;

/// Weeks are partitions, so this reads the last one or two.
const NEWEST: &str = "SELECT max(ts) FROM events WHERE format IN {formats:Array(String)}";

const SINCE: &str = "\
SELECT ?fields FROM events
WHERE ts > fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND format IN {formats:Array(String)} AND request_id != ''
ORDER BY ts DESC LIMIT {limit:UInt64}";

/// A stored event that may be delivered again: what it was, and where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct Delivery<'a> {
    pub format: &'a str,
    /// Microseconds since 1970.
    pub ts: i64,
    pub request_id: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub record_index: u32,
}

impl Store {
    /// Hands the newest stored events of `formats` to `take`: those no older than `within` before the newest, at most
    /// `limit`.
    pub async fn deliveries(
        &self,
        formats: &[Format],
        within: Duration,
        limit: u64,
        take: &mut (dyn FnMut(Delivery<'_>) + Send),
    ) -> Result<(), StoreError> {
        let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
        let newest = self.client().query(NEWEST).param("formats", &names);
        let newest = Timestamp::from_micros(newest.fetch_one::<i64>().await?);
        let query = self.client().query(SINCE);
        let mut cursor = query
            .param("from", (newest - within).as_micros())
            .param("formats", &names)
            .param("limit", limit)
            .fetch::<Delivery<'_>>()?;
        while let Some(delivery) = cursor.next().await? {
            take(delivery);
        }
        Ok(())
    }
}
