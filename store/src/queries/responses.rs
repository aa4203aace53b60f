//! The journal of responses as a list: the newest line of each; and all there is of one.

use tokenwatch_model::{FindingId, Response, ResponseAction, ResponseResult, Timestamp, TokenId};

use super::page::read_cursor;
use super::{Page, PageError, Queries, TimeRange, bind_range};
use crate::error::StoreError;
use crate::rows::ResponseRow;

/// The list's name in cursors.
const LIST: &str = "responses-at";

const NEWEST: &str = "
SELECT ?fields FROM
(
    SELECT * FROM responses
    WHERE ({finding:String} = '' OR finding_id = {finding:String})
      AND ({token:String} = '' OR token_id = {token:String})
      AND ({target:String} = '' OR target = {target:String})
    ORDER BY id, at DESC, result != 'intended' DESC LIMIT 1 BY id
)
WHERE at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
  AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
  AND (empty({results:Array(String)}) OR has({results:Array(String)}, toString(result)))
  AND (empty({actions:Array(String)}) OR has({actions:Array(String)}, toString(action)))
  AND ({first:UInt8} OR (toUnixTimestamp64Micro(at), id) < ({key_at:Int64}, {key_id:String}))
ORDER BY at DESC, id DESC LIMIT {rows:UInt32}";

const LINES: &str = "
SELECT ?fields FROM responses FINAL WHERE id = {id:String}
ORDER BY at, result = 'intended' DESC LIMIT 200";

/// Which responses; what is absent is not asked.
#[derive(Clone, Debug, Default)]
pub struct ResponseFilter {
    /// To this finding.
    pub finding: Option<FindingId>,
    /// On this token.
    pub token: Option<TokenId>,
    /// By this target.
    pub target: String,
    /// With any of these results.
    pub results: Vec<ResponseResult>,
    /// With any of these actions.
    pub actions: Vec<ResponseAction>,
    /// When the newest line was written.
    pub range: Option<TimeRange>,
}

/// Microseconds and id of the last response of a page.
type Key = (i64, String);

impl Queries {
    /// A page of at most `limit` responses behind `cursor`, the newest line of each, newest first.
    pub async fn responses_page(
        &self,
        filter: &ResponseFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Response>, PageError> {
        let first = u8::from(cursor.is_none());
        let key = cursor.map(|text| read_cursor::<Key>(LIST, text));
        let key = key.transpose()?.unwrap_or_default();
        let always = TimeRange {
            from: Timestamp::from_micros(0),
            to: Timestamp::from_micros(i64::MAX),
        };
        let results: Vec<&str> = filter.results.iter().map(|result| result.name()).collect();
        let actions: Vec<&str> = filter.actions.iter().map(|action| action.name()).collect();
        let finding = filter.finding.map(|id| id.to_string()).unwrap_or_default();
        let token = filter.token.map(|id| id.to_string()).unwrap_or_default();
        let query = bind_range(self.statement(NEWEST), filter.range.unwrap_or(always))
            .param("finding", finding)
            .param("token", token)
            .param("target", &filter.target)
            .param("results", results)
            .param("actions", actions)
            .param("first", first)
            .param("key_at", key.0)
            .param("key_id", key.1)
            .param("rows", limit.saturating_add(1));
        let rows = self.rows::<ResponseRow>(query).await?;
        let lines = rows
            .into_iter()
            .map(ResponseRow::into_response)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(lines, limit, LIST, |line| {
            (line.at.as_micros(), line.id.clone())
        }))
    }

    /// Every line of a response, oldest first; none if there is no such response.
    pub async fn response_lines(&self, id: &str) -> Result<Vec<Response>, StoreError> {
        let query = self.statement(LINES).param("id", id);
        let rows = self.rows::<ResponseRow>(query).await?;
        rows.into_iter().map(ResponseRow::into_response).collect()
    }
}
