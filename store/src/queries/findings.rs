//! Lists of findings, and one finding.

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;
use tokenwatch_model::{
    Detector, Finding, FindingId, FindingStatus, HandlingState, Severity, TokenId,
};

use super::page::begin;
use super::{Page, PageError, Queries, TimeRange, bind_range_if};
use crate::error::StoreError;
use crate::rows::from_json;

/// Related findings shown with one.
const RELATED_LIMIT: u32 = 20;

const FILTER: &str = "
FROM findings FINAL
WHERE detected_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
  AND detected_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
  AND (empty({severities:Array(String)}) OR has({severities:Array(String)}, toString(severity)))
  AND (empty({detectors:Array(String)}) OR has({detectors:Array(String)}, toString(detector)))
  AND ({status:String} = '' OR toString(status) = {status:String})
  AND ({token:String} = '' OR token_id = {token:String})
  AND ({consumer:String} = '' OR consumer = {consumer:String})
  AND ({handling:String} = '' OR ({handling:String} = 'new') != (id IN (
        SELECT finding_id FROM (
            SELECT finding_id,
                   maxIf(at, verdict = 'closed') AS closed_at,
                   maxIf(at, verdict IN ('acknowledgement_withdrawn', 'reopened')) AS withdrawn_at,
                   max(at) > withdrawn_at AS is_handled,
                   closed_at > withdrawn_at AS is_closed
            FROM verdicts GROUP BY finding_id)
        WHERE is_handled AND ({handling:String} = 'new' OR is_closed = ({handling:String} = 'closed')))))
  AND ({q:String} = '' OR positionCaseInsensitiveUTF8(concat(
        summary, ' ', id, ' ', subject_id, ' ', token_id, ' ', credential_id, ' ', consumer, ' ', owner, ' ',
        arrayStringConcat(JSONExtract(body, 'evidence', 'source_ips', 'Array(String)'), ' '), ' ',
        arrayStringConcat(JSONExtract(body, 'evidence', 'routes', 'Array(String)'), ' '), ' ',
        arrayStringConcat(JSONExtract(body, 'evidence', 'request_ids', 'Array(String)'), ' ')), {q:String}) > 0)";

const ONE: &str = "SELECT body FROM findings FINAL WHERE id = {id:String} LIMIT 1";

const RELATED: &str = "
SELECT body FROM findings FINAL
WHERE id != {id:String}
  AND (subject_id = {subject:String} OR (token_id != '' AND token_id = {token:String})
       OR (incident_id != '' AND incident_id = {incident:String}))
ORDER BY abs(toUnixTimestamp64Micro(detected_at) - {near:Int64}), id
LIMIT {rows:UInt32}";

/// Which findings; what is absent is not asked.
#[derive(Clone, Debug, Default)]
pub struct FindingFilter {
    /// Any of these severities.
    pub severities: Vec<Severity>,
    /// Any of these detectors.
    pub detectors: Vec<Detector>,
    /// Whether they go on.
    pub status: Option<FindingStatus>,
    /// The token.
    pub token: Option<TokenId>,
    /// The consumer.
    pub consumer: String,
    /// Whether somebody deals with it.
    pub handling: Option<HandlingState>,
    /// A text in the summary, a name, an address, a route or a request id, in either case.
    pub q: String,
    /// When they were detected.
    pub range: Option<TimeRange>,
}

/// The order of a list of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindingOrder {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// Gravest first, then newest.
    Gravest,
    /// The last to have an event first.
    MostRecent,
}

/// Severity where it counts, microseconds, and id of the last finding of a page.
type Key = (i64, i64, String);

#[derive(Row, Deserialize)]
struct BodyRow {
    body: String,
}

#[derive(Row, Deserialize)]
struct CountRow {
    findings: u64,
}

impl FindingOrder {
    /// The list's name in cursors.
    const fn list(self) -> &'static str {
        match self {
            Self::Newest => "findings-detected_at",
            Self::Oldest => "findings+detected_at",
            Self::Gravest => "findings-severity",
            Self::MostRecent => "findings-last_event_at",
        }
    }

    /// The condition behind a cursor and the order.
    const fn clauses(self) -> &'static str {
        match self {
            Self::Newest => {
                "AND ({first:UInt8} OR (toUnixTimestamp64Micro(detected_at), id) < ({key_at:Int64}, {key_id:String}))
                ORDER BY detected_at DESC, id DESC LIMIT {rows:UInt32}"
            }
            Self::Oldest => {
                "AND ({first:UInt8} OR (toUnixTimestamp64Micro(detected_at), id) > ({key_at:Int64}, {key_id:String}))
                ORDER BY detected_at, id LIMIT {rows:UInt32}"
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

    fn key(self, finding: &Finding) -> Key {
        let at = match self {
            Self::Newest | Self::Oldest | Self::Gravest => finding.detected_at,
            Self::MostRecent => finding.last_event_at,
        };
        (
            finding.severity as i64,
            at.as_micros(),
            finding.id.to_string(),
        )
    }
}

impl Queries {
    /// A page of at most `limit` findings behind `cursor`.
    pub async fn findings(
        &self,
        filter: &FindingFilter,
        order: FindingOrder,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Finding>, PageError> {
        let (first, key) = begin::<Key>(order.list(), cursor)?;
        let sql = format!("SELECT body {FILTER} {}", order.clauses());
        let query = bind_filter(self.statement(&sql), filter)
            .param("first", first)
            .param("key_severity", key.0)
            .param("key_at", key.1)
            .param("key_id", key.2)
            .param("rows", limit.saturating_add(1));
        let findings = self.bodies(query).await?;
        Ok(Page::cut(findings, limit, order.list(), |finding| {
            order.key(finding)
        }))
    }

    /// How many findings there are.
    pub async fn count_findings(&self, filter: &FindingFilter) -> Result<u64, StoreError> {
        let sql = format!("SELECT count() AS findings {FILTER}");
        let row = self
            .row::<CountRow>(bind_filter(self.statement(&sql), filter))
            .await?;
        Ok(row.map_or(0, |row| row.findings))
    }

    /// One finding, in its newest version.
    pub async fn finding(&self, id: FindingId) -> Result<Option<Finding>, StoreError> {
        let query = self.statement(ONE).param("id", id.to_string());
        Ok(self.bodies(query).await?.into_iter().next())
    }

    /// Findings on the same subject, token or incident, the nearest in time first.
    pub async fn related_findings(&self, finding: &Finding) -> Result<Vec<Finding>, StoreError> {
        let token = finding.token.as_ref().map(|token| token.id.to_string());
        let query = self
            .statement(RELATED)
            .param("id", finding.id.to_string())
            .param("subject", &finding.subject.id)
            .param("token", token.unwrap_or_default())
            .param("incident", finding.incident_id.as_deref().unwrap_or(""))
            .param("near", finding.detected_at.as_micros())
            .param("rows", RELATED_LIMIT);
        self.bodies(query).await
    }

    async fn bodies(&self, query: Query) -> Result<Vec<Finding>, StoreError> {
        let rows = self.rows::<BodyRow>(query).await?;
        rows.iter()
            .map(|row| from_json("findings", &row.body))
            .collect()
    }
}

fn bind_filter(query: Query, filter: &FindingFilter) -> Query {
    let severities: Vec<_> = filter.severities.iter().map(|one| one.name()).collect();
    let detectors: Vec<_> = filter.detectors.iter().map(|one| one.name()).collect();
    let token = filter.token.map(|token| token.to_string());
    bind_range_if(query, filter.range)
        .param("severities", severities)
        .param("detectors", detectors)
        .param("status", filter.status.map_or("", FindingStatus::name))
        .param("token", token.unwrap_or_default())
        .param("consumer", &filter.consumer)
        .param("handling", filter.handling.map_or("", HandlingState::name))
        .param("q", &filter.q)
}
