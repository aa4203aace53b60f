//! What alerting has to know of people and of its own kind: silences, acknowledgements, and who holds a lease.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Acknowledgement, Silence, Timestamp, Word};

use crate::error::StoreError;
use crate::rows::{SilenceRow, from_json, to_json};
use crate::store::Store;

/// Silences that are read at once; more than anybody can oversee.
pub const SILENCES_LIMIT: usize = 1_000;
/// Acknowledgements that are read at once, newest first.
const ACKNOWLEDGEMENTS_LIMIT: u32 = 50_000;

/// An instance's claim to be the one that acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which instance.
    pub holder: String,
    /// Since when it claims without a break.
    pub claimed_at: Timestamp,
    /// Until when its claim holds unless it is renewed.
    pub held_until: Timestamp,
}

/// One row of `leases`.
#[derive(Debug, Row, Serialize, Deserialize)]
struct LeaseRow {
    name: String,
    holder: String,
    version: u64,
    claimed_at: i64,
    held_until: i64,
}

#[derive(Debug, Row, Deserialize)]
struct AcknowledgementRow {
    finding_id: String,
    at: i64,
    actor: String,
    verdict: String,
}

impl SilenceRow {
    /// The row that stores `silence`, as changed at `now`.
    pub fn of(silence: &Silence, now: Timestamp) -> Self {
        Self {
            id: silence.id.clone(),
            version: now.as_micros().unsigned_abs(),
            starts_at: silence.starts_at.as_micros(),
            ends_at: silence.ends_at.as_micros(),
            created_by: silence.created_by.clone(),
            reason: silence.reason.clone(),
            matchers: to_json(&silence.matcher),
        }
    }

    /// The silence that the row stores.
    pub fn into_silence(self) -> Result<Silence, StoreError> {
        Ok(Silence {
            matcher: from_json("silences", &self.matchers)?,
            id: self.id,
            starts_at: Timestamp::from_micros(self.starts_at),
            ends_at: Timestamp::from_micros(self.ends_at),
            created_by: self.created_by,
            reason: self.reason,
        })
    }
}

impl Store {
    /// The silences that end after `since`, the first to end first.
    pub async fn silences(&self, since: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM silences FINAL \
                 WHERE ends_at > fromUnixTimestamp64Micro(toInt64(?)) ORDER BY ends_at, id LIMIT ?",
            )
            .bind(since.as_micros())
            .bind(SILENCES_LIMIT)
            .fetch_all::<SilenceRow>()
            .await?;
        rows.into_iter().map(SilenceRow::into_silence).collect()
    }

    /// The newest word on every finding and incident that somebody deals with, or gave a verdict on, since `since`.
    pub async fn acknowledgements(
        &self,
        since: Timestamp,
    ) -> Result<Vec<Acknowledgement>, StoreError> {
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM verdicts \
                 WHERE at >= fromUnixTimestamp64Micro(toInt64(?)) \
                 ORDER BY at DESC, actor LIMIT 1 BY finding_id LIMIT ?",
            )
            .bind(since.as_micros())
            .bind(ACKNOWLEDGEMENTS_LIMIT)
            .fetch_all::<AcknowledgementRow>()
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| Acknowledgement {
                subject: row.finding_id,
                at: Timestamp::from_micros(row.at),
                actor: row.actor,
                // Any verdict is a word of somebody who looked; only taking it back is not.
                is_withdrawn: Word::named(&row.verdict).is_some_and(Word::is_withdrawal),
            })
            .collect())
    }

    /// Every instance's newest claim to `name`.
    pub async fn leases(&self, name: &str) -> Result<Vec<Lease>, StoreError> {
        let rows = self
            .client()
            .query("SELECT ?fields FROM leases FINAL WHERE name = ? ORDER BY holder")
            .bind(name)
            .fetch_all::<LeaseRow>()
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| Lease {
                holder: row.holder,
                claimed_at: Timestamp::from_micros(row.claimed_at),
                held_until: Timestamp::from_micros(row.held_until),
            })
            .collect())
    }

    /// Writes an instance's claim to `name`; replaces its earlier ones. Tried once: a claim that is late is worth
    /// nothing.
    pub async fn claim_lease(
        &self,
        name: &str,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = LeaseRow {
            name: name.to_owned(),
            holder: lease.holder.clone(),
            version: now.as_micros().unsigned_abs(),
            claimed_at: lease.claimed_at.as_micros(),
            held_until: lease.held_until.as_micros(),
        };
        let mut insert = self.insert_client().insert::<LeaseRow>("leases").await?;
        insert.write(&row).await?;
        Ok(insert.end().await?)
    }
}
