//! Lists of incidents, one incident, and what belongs to it.

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;
use tokenwatch_model::{
    Detector, Finding, FindingId, FindingStatus, Incident, Notification, Response, Severity,
    TokenId,
};

use super::page::begin;
use super::{Page, PageError, Queries, TimeRange, bind_range_if};
use crate::error::StoreError;
use crate::rows::{NotificationRow, ResponseRow, from_json};

const FILTER: &str = "
FROM incidents FINAL
WHERE detected_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
  AND detected_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
  AND (empty({severities:Array(String)}) OR has({severities:Array(String)}, toString(severity)))
  AND (empty({detectors:Array(String)}) OR hasAny(detectors, {detectors:Array(String)}))
  AND ({status:String} = '' OR toString(status) = {status:String})
  AND ({token:String} = '' OR token_id = {token:String})
  AND ({consumer:String} = '' OR consumer = {consumer:String})
  AND ({q:String} = '' OR positionCaseInsensitiveUTF8(concat(
        summary, ' ', id, ' ', subject_id, ' ', token_id, ' ', credential_id, ' ', consumer, ' ', owner, ' ',
        arrayStringConcat(finding_ids, ' ')), {q:String}) > 0)";

const ONE: &str = "SELECT body FROM incidents FINAL WHERE id = {id:String} LIMIT 1";

/// An incident collects findings for days, not for ever; what is beyond the limit is in the list of findings.
const FINDINGS: &str = "
SELECT body FROM findings FINAL WHERE id IN {ids:Array(String)}
ORDER BY detected_at, id LIMIT 500";

const NOTIFICATIONS: &str = "
SELECT ?fields FROM notifications FINAL WHERE finding_id IN {ids:Array(String)}
ORDER BY at, id, result LIMIT 2000";

const RESPONSES: &str = "
SELECT ?fields FROM responses FINAL WHERE finding_id IN {ids:Array(String)}
ORDER BY at, id, result LIMIT 500";

/// Which incidents; what is absent is not asked.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    /// Any of these severities.
    pub severities: Vec<Severity>,
    /// With a finding of any of these detectors.
    pub detectors: Vec<Detector>,
    /// Whether they go on.
    pub status: Option<FindingStatus>,
    /// The token.
    pub token: Option<TokenId>,
    /// The consumer.
    pub consumer: String,
    /// A text in the summary, a name, or the id of one of its findings, in either case.
    pub q: String,
    /// When their first finding was detected.
    pub range: Option<TimeRange>,
}

/// The order of a list of incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncidentOrder {
    /// Newest first.
    #[default]
    Newest,
    /// Gravest first, then newest.
    Gravest,
    /// The last to have an event first.
    MostRecent,
}

/// Severity where it counts, microseconds, and id of the last incident of a page.
type Key = (i64, i64, String);

#[derive(Row, Deserialize)]
struct BodyRow {
    body: String,
}

#[derive(Row, Deserialize)]
struct CountRow {
    incidents: u64,
}

impl IncidentOrder {
    /// The list's name in cursors.
    const fn list(self) -> &'static str {
        match self {
            Self::Newest => "incidents-detected_at",
            Self::Gravest => "incidents-severity",
            Self::MostRecent => "incidents-last_event_at",
        }
    }

    /// The condition behind a cursor and the order.
    const fn clauses(self) -> &'static str {
        match self {
            Self::Newest => {
                "AND ({first:UInt8} OR (toUnixTimestamp64Micro(detected_at), id) < ({key_at:Int64}, {key_id:String}))
                ORDER BY detected_at DESC, id DESC LIMIT {rows:UInt32}"
            }
            Self::Gravest => {
                "AND ({first:UInt8} OR (toInt64(severity), toUnixTimestamp64Micro(detected_at), id)
                      < ({key_severity:Int64}, {key_at:Int64}, {key_id:String}))
                ORDER BY severity DESC, detected_at DESC, id DESC LIMIT {rows:UInt32}"
            }
            Self::MostRecent => {
                "AND ({first:UInt8} OR (toUnixTimestamp64Micro(last_event_at), id) < ({key_at:Int64}, {key_id:String}))
                ORDER BY last_event_at DESC, id DESC LIMIT {rows:UInt32}"
            }
        }
    }

    fn key(self, incident: &Incident) -> Key {
        let at = match self {
            Self::Newest | Self::Gravest => incident.detected_at,
            Self::MostRecent => incident.last_event_at,
        };
        (
            incident.severity as i64,
            at.as_micros(),
            incident.id.clone(),
        )
    }
}

impl Queries {
    /// A page of at most `limit` incidents behind `cursor`.
    pub async fn incidents(
        &self,
        filter: &IncidentFilter,
        order: IncidentOrder,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Incident>, PageError> {
        let (first, key) = begin::<Key>(order.list(), cursor)?;
        let sql = format!("SELECT body {FILTER} {}", order.clauses());
        let query = bind_filter(self.statement(&sql), filter)
            .param("first", first)
            .param("key_severity", key.0)
            .param("key_at", key.1)
            .param("key_id", key.2)
            .param("rows", limit.saturating_add(1));
        let incidents = self.incident_bodies(query).await?;
        Ok(Page::cut(incidents, limit, order.list(), |incident| {
            order.key(incident)
        }))
    }

    /// How many incidents there are.
    pub async fn count_incidents(&self, filter: &IncidentFilter) -> Result<u64, StoreError> {
        let sql = format!("SELECT count() AS incidents {FILTER}");
        let row = self
            .row::<CountRow>(bind_filter(self.statement(&sql), filter))
            .await?;
        Ok(row.map_or(0, |row| row.incidents))
    }

    /// One incident, in its newest version.
    pub async fn incident(&self, id: &str) -> Result<Option<Incident>, StoreError> {
        let query = self.statement(ONE).param("id", id);
        Ok(self.incident_bodies(query).await?.into_iter().next())
    }

    /// The findings with these ids, the first to be detected first.
    pub async fn findings_by_id(&self, ids: &[FindingId]) -> Result<Vec<Finding>, StoreError> {
        let query = self.statement(FINDINGS).param("ids", texts(ids));
        let rows = self.rows::<BodyRow>(query).await?;
        rows.iter()
            .map(|row| from_json("findings", &row.body))
            .collect()
    }

    /// The ledger's lines about these findings, oldest first.
    pub async fn notifications_of(
        &self,
        ids: &[FindingId],
    ) -> Result<Vec<Notification>, StoreError> {
        let query = self.statement(NOTIFICATIONS).param("ids", texts(ids));
        let rows = self.rows::<NotificationRow>(query).await?;
        rows.into_iter()
            .map(NotificationRow::into_notification)
            .collect()
    }

    /// The journal's lines about these findings, oldest first.
    pub async fn responses_to(&self, ids: &[FindingId]) -> Result<Vec<Response>, StoreError> {
        let query = self.statement(RESPONSES).param("ids", texts(ids));
        let rows = self.rows::<ResponseRow>(query).await?;
        rows.into_iter().map(ResponseRow::into_response).collect()
    }

    async fn incident_bodies(&self, query: Query) -> Result<Vec<Incident>, StoreError> {
        let rows = self.rows::<BodyRow>(query).await?;
        rows.iter()
            .map(|row| from_json("incidents", &row.body))
            .collect()
    }
}

fn texts(ids: &[FindingId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn bind_filter(query: Query, filter: &IncidentFilter) -> Query {
    let severities: Vec<_> = filter.severities.iter().map(|one| one.name()).collect();
    let detectors: Vec<_> = filter.detectors.iter().map(|one| one.name()).collect();
    let token = filter.token.map(|token| token.to_string());
    bind_range_if(query, filter.range)
        .param("severities", severities)
        .param("detectors", detectors)
        .param("status", filter.status.map_or("", FindingStatus::name))
        .param("token", token.unwrap_or_default())
        .param("consumer", &filter.consumer)
        .param("q", &filter.q)
}
