//! The ledger of notifications as a list: what was sent, muted, grouped, failed or tried again, to whom and why.

use tokenwatch_model::{FindingId, Notification, NotificationResult};

use super::page::begin;
use super::{Page, PageError, Queries, TimeRange, bind_range_if};
use crate::rows::NotificationRow;

/// The list's name in cursors.
const LIST: &str = "notifications-at";

const LINES: &str = "
SELECT ?fields FROM notifications FINAL
WHERE at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
  AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
  AND ({finding:String} = '' OR finding_id = {finding:String})
  AND ({message:String} = '' OR id = {message:String})
  AND ({receiver:String} = '' OR receiver = {receiver:String})
  AND (empty({results:Array(String)}) OR has({results:Array(String)}, toString(result)))
  AND ({q:String} = '' OR positionCaseInsensitiveUTF8(reason, {q:String}) > 0)
  AND ({first:UInt8} OR (toUnixTimestamp64Micro(at), id, finding_id) < ({key_at:Int64}, {key_id:String}, {key_finding:String}))
ORDER BY at DESC, id DESC, finding_id DESC, result DESC LIMIT {rows:UInt32}";

/// Which lines; what is absent is not asked.
#[derive(Clone, Debug, Default)]
pub struct NotificationFilter {
    /// About this finding.
    pub finding: Option<FindingId>,
    /// Of this message.
    pub message: String,
    /// To this receiver.
    pub receiver: String,
    /// Any of these results.
    pub results: Vec<NotificationResult>,
    /// A text in the reason.
    pub q: String,
    /// When they were written.
    pub range: Option<TimeRange>,
}

/// Microseconds, message and finding of the last line of a page.
type Key = (i64, String, String);

impl Queries {
    /// A page of at most `limit` lines of the ledger behind `cursor`, newest first.
    pub async fn ledger(
        &self,
        filter: &NotificationFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Notification>, PageError> {
        let (first, key) = begin::<Key>(LIST, cursor)?;
        let results: Vec<&str> = filter.results.iter().map(|result| result.name()).collect();
        let finding = filter.finding.map(|id| id.to_string()).unwrap_or_default();
        let query = bind_range_if(self.statement(LINES), filter.range)
            .param("finding", finding)
            .param("message", &filter.message)
            .param("receiver", &filter.receiver)
            .param("results", results)
            .param("q", &filter.q)
            .param("first", first)
            .param("key_at", key.0)
            .param("key_id", key.1)
            .param("key_finding", key.2)
            .param("rows", limit.saturating_add(1));
        let rows = self.rows::<NotificationRow>(query).await?;
        let lines = rows
            .into_iter()
            .map(NotificationRow::into_notification)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(lines, limit, LIST, |line| {
            (
                line.at.as_micros(),
                line.id.clone(),
                line.finding_id.to_string(),
            )
        }))
    }
}
