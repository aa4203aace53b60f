//! The audit trail as a list: what operators did, to what, and when.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use super::page::begin;
use super::{Page, PageError, Queries, TimeRange, bind_range_if};
use crate::rows::AuditRow;

/// The list's name in cursors.
const LIST: &str = "audit-at";
/// Names that a list of choices holds.
const NAMES_LIMIT: u32 = 200;

const LINES: &str = "
SELECT ?fields FROM audit FINAL
WHERE at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
  AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
  AND ({actor:String} = '' OR actor = {actor:String})
  AND ({subject:String} = '' OR subject = {subject:String})
  AND (empty({actions:Array(String)}) OR has({actions:Array(String)}, action))
  AND ({q:String} = '' OR positionCaseInsensitiveUTF8(concat(subject, ' ', detail), {q:String}) > 0)
  AND ({first:UInt8} OR (toUnixTimestamp64Micro(at), actor, action, subject)
        < ({key_at:Int64}, {key_actor:String}, {key_action:String}, {key_subject:String}))
ORDER BY at DESC, actor DESC, action DESC, subject DESC LIMIT {rows:UInt32}";

const ACTIONS: &str = "SELECT DISTINCT action FROM audit ORDER BY action LIMIT {rows:UInt32}";

/// Which lines; what is absent is not asked.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// By this user.
    pub actor: String,
    /// Any of these actions.
    pub actions: Vec<String>,
    /// On this.
    pub subject: String,
    /// A text in the subject or the detail.
    pub q: String,
    /// When.
    pub range: Option<TimeRange>,
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// How, in words or as JSON; never a secret.
    pub detail: String,
}

/// Microseconds, actor, action and subject of the last line of a page.
type Key = (i64, String, String, String);

#[derive(Row, Deserialize)]
struct ActionRow {
    action: String,
}

impl Queries {
    /// A page of at most `limit` lines of the audit trail behind `cursor`, newest first.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<AuditLine>, PageError> {
        let (first, key) = begin::<Key>(LIST, cursor)?;
        let query = bind_range_if(self.statement(LINES), filter.range)
            .param("actor", &filter.actor)
            .param("subject", &filter.subject)
            .param("actions", &filter.actions)
            .param("q", &filter.q)
            .param("first", first)
            .param("key_at", key.0)
            .param("key_actor", key.1)
            .param("key_action", key.2)
            .param("key_subject", key.3)
            .param("rows", limit.saturating_add(1));
        let rows = self.rows::<AuditRow>(query).await?;
        let lines = rows.into_iter().map(|row| AuditLine {
            at: Timestamp::from_micros(row.at),
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            detail: row.detail,
        });
        Ok(Page::cut(lines.collect(), limit, LIST, |line| {
            (
                line.at.as_micros(),
                line.actor.clone(),
                line.action.clone(),
                line.subject.clone(),
            )
        }))
    }

    /// The actions that there are, by name.
    pub async fn audit_actions(&self) -> Result<Vec<String>, crate::error::StoreError> {
        let query = self.statement(ACTIONS).param("rows", NAMES_LIMIT);
        let rows = self.rows::<ActionRow>(query).await?;
        Ok(rows.into_iter().map(|row| row.action).collect())
    }
}
