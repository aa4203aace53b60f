//! The list of tokens, and one token.

use std::collections::HashMap;

use clickhouse::Row;
use clickhouse::query::Query;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Severity, Timestamp, TokenId, TokenProfile};

use super::page::read_cursor;
use super::{Page, PageError, Queries, bounded, present};
use crate::error::StoreError;
use crate::rows::from_json;

const DAY: std::time::Duration = std::time::Duration::from_hours(24);
const WEEK: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// Names from `tokens`, calls of the last 24 hours from the roll-ups, open findings; the rest depends on the order.
const TOKENS: &str = "
SELECT t.token_id AS token_id, t.kind AS kind, t.credential_id AS credential_id, t.consumer AS consumer,
       t.first_seen AS first_seen, t.last_seen AS last_seen, r.calls AS calls_24h, r.failures AS failures_24h,
       f.findings AS findings_open, f.worst AS worst
FROM
(
    SELECT token_id, toString(max(kind)) AS kind, max(credential_id) AS credential_id, max(consumer) AS consumer,
           toUnixTimestamp64Micro(min(first_seen)) AS first_seen, toUnixTimestamp64Micro(max(last_seen)) AS last_seen
    FROM tokens
    WHERE {id:String} = '' OR token_id = {id:String}
    GROUP BY token_id
) AS t
LEFT JOIN
(
    SELECT token_id, sum(calls) AS calls, sum(failures) AS failures
    FROM rollup_minute
    WHERE minute >= toDateTime(intDiv({since:Int64}, 1000000), 'UTC') AND token_id != ''
      AND ({id:String} = '' OR token_id = {id:String})
    GROUP BY token_id
) AS r ON r.token_id = t.token_id
LEFT JOIN
(
    SELECT token_id, toInt64(count()) AS findings, toInt8(max(severity)) AS worst
    FROM findings FINAL
    WHERE status = 'open' AND token_id != '' AND ({id:String} = '' OR token_id = {id:String})
    GROUP BY token_id
) AS f ON f.token_id = t.token_id
WHERE ({q:String} = '' OR positionCaseInsensitiveUTF8(
        concat(t.token_id, ' ', t.credential_id, ' ', t.consumer), {q:String}) > 0)
";

const COUNT: &str = "\
SELECT count() AS tokens FROM
(
    SELECT token_id, max(credential_id) AS credential_id, max(consumer) AS consumer FROM tokens GROUP BY token_id
)
WHERE {q:String} = '' OR positionCaseInsensitiveUTF8(
        concat(token_id, ' ', credential_id, ' ', consumer), {q:String}) > 0";

/// Only for the tokens of one page: the countries of a week, most used first.
const COUNTRIES: &str = "\
SELECT token_id, topK(10)(toString(country)) AS countries
FROM events
WHERE token_id IN {ids:Array(String)} AND ts >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND country != ''
GROUP BY token_id LIMIT 1000";

const PROFILE: &str = "\
SELECT profile FROM token_profiles FINAL WHERE token_id = {id:String} AND forgotten = 0 LIMIT 1";

/// One token of the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenRow {
    /// The token.
    pub id: TokenId,
    /// What sort of credential.
    pub kind: String,
    /// The gateway's name of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// The consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Its first event.
    pub first_seen: Timestamp,
    /// Its newest event.
    pub last_seen: Timestamp,
    /// Calls of the last 24 hours.
    pub calls_24h: u64,
    /// Those that did not end well.
    pub failures_24h: u64,
    /// Findings on it that go on.
    pub findings_open: u64,
    /// The gravest of them.
    pub worst_severity: Option<Severity>,
    /// Countries of the last week, most used first.
    pub countries: Vec<String>,
}

/// The order of the list of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenOrder {
    /// The last used first.
    #[default]
    LastSeen,
    /// The most used of the last 24 hours first.
    Calls,
    /// The one with most open findings first.
    Findings,
}

/// What the order goes by, and the id, of the last token of a page.
type Key = (i64, String);

#[derive(Row, Deserialize)]
struct ListRow {
    token_id: String,
    kind: String,
    credential_id: String,
    consumer: String,
    first_seen: i64,
    last_seen: i64,
    calls_24h: i64,
    failures_24h: i64,
    findings_open: i64,
    worst: i8,
}

#[derive(Row, Deserialize)]
struct CountRow {
    tokens: u64,
}

#[derive(Row, Deserialize)]
struct CountriesRow {
    token_id: String,
    countries: Vec<String>,
}

#[derive(Row, Deserialize)]
struct ProfileRow {
    profile: String,
}

impl TokenOrder {
    /// The list's name in cursors.
    const fn list(self) -> &'static str {
        match self {
            Self::LastSeen => "tokens-last_seen",
            Self::Calls => "tokens-calls",
            Self::Findings => "tokens-findings",
        }
    }

    /// The condition behind a cursor and the order.
    const fn clauses(self) -> &'static str {
        match self {
            Self::LastSeen => {
                "AND ({first:UInt8} OR (t.last_seen, t.token_id) < ({key:Int64}, {key_id:String}))
                ORDER BY last_seen DESC, token_id DESC LIMIT {rows:UInt32}"
            }
            Self::Calls => {
                "AND ({first:UInt8} OR (r.calls, t.token_id) < ({key:Int64}, {key_id:String}))
                ORDER BY calls_24h DESC, token_id DESC LIMIT {rows:UInt32}"
            }
            Self::Findings => {
                "AND ({first:UInt8} OR (f.findings, t.token_id) < ({key:Int64}, {key_id:String}))
                ORDER BY findings_open DESC, token_id DESC LIMIT {rows:UInt32}"
            }
        }
    }

    fn key(self, row: &ListRow) -> Key {
        let value = match self {
            Self::LastSeen => row.last_seen,
            Self::Calls => row.calls_24h,
            Self::Findings => row.findings_open,
        };
        (value, row.token_id.clone())
    }
}

impl Queries {
    /// A page of at most `limit` tokens behind `cursor` whose id, credential or consumer holds `q`.
    pub async fn tokens(
        &self,
        q: &str,
        order: TokenOrder,
        limit: u32,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<Page<TokenRow>, PageError> {
        let first = u8::from(cursor.is_none());
        let key = cursor.map(|text| read_cursor::<Key>(order.list(), text));
        let key = key.transpose()?.unwrap_or_default();
        let query = self
            .list(order, "", q, now)
            .param("first", first)
            .param("key", key.0)
            .param("key_id", key.1)
            .param("rows", limit.saturating_add(1));
        let rows = self.rows::<ListRow>(query).await?;
        let page = Page::cut(rows, limit, order.list(), |row| order.key(row));
        let mut countries = self.countries(&page.items, now).await?;
        Ok(page.try_map(|row| row.into_token(&mut countries))?)
    }

    /// How many tokens there are.
    pub async fn count_tokens(&self, q: &str) -> Result<u64, StoreError> {
        let query = self.statement(COUNT).param("q", q);
        let row = self.row::<CountRow>(query).await?;
        Ok(row.map_or(0, |row| row.tokens))
    }

    /// One token, as in the list.
    pub async fn token(&self, id: TokenId, now: Timestamp) -> Result<Option<TokenRow>, StoreError> {
        let query = self
            .list(TokenOrder::LastSeen, &id.to_string(), "", now)
            .param("first", 1)
            .param("key", 0)
            .param("key_id", "")
            .param("rows", 1);
        let rows = self.rows::<ListRow>(query).await?;
        let mut countries = self.countries(&rows, now).await?;
        let row = rows.into_iter().next();
        row.map(|row| row.into_token(&mut countries)).transpose()
    }

    /// What was learned of a token, as of the newest checkpoint.
    pub async fn profile(&self, id: TokenId) -> Result<Option<TokenProfile>, StoreError> {
        let query = self.statement(PROFILE).param("id", id.to_string());
        let row = self.row::<ProfileRow>(query).await?;
        row.filter(|row| !row.profile.is_empty())
            .map(|row| from_json("token_profiles", &row.profile))
            .transpose()
    }

    fn list(&self, order: TokenOrder, id: &str, q: &str, now: Timestamp) -> Query {
        self.statement(&format!("{TOKENS} {}", order.clauses()))
            .param("id", id)
            .param("q", q)
            .param("since", bounded(now - DAY))
    }

    async fn countries(
        &self,
        rows: &[ListRow],
        now: Timestamp,
    ) -> Result<HashMap<String, Vec<String>>, StoreError> {
        if rows.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<_> = rows.iter().map(|row| row.token_id.as_str()).collect();
        let query = self
            .statement(COUNTRIES)
            .param("ids", ids)
            .param("since", bounded(now - WEEK));
        let rows = self.rows::<CountriesRow>(query).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.token_id, row.countries))
            .collect())
    }
}

impl ListRow {
    fn into_token(
        self,
        countries: &mut HashMap<String, Vec<String>>,
    ) -> Result<TokenRow, StoreError> {
        let id = self.token_id.parse().map_err(|_| StoreError::Corrupt {
            table: "tokens",
            detail: "token_id".to_owned(),
        })?;
        let worst = usize::try_from(self.worst)
            .ok()
            .and_then(|level| Severity::ALL.get(level).copied());
        Ok(TokenRow {
            id,
            kind: self.kind,
            credential_id: present(self.credential_id),
            consumer: present(self.consumer),
            first_seen: Timestamp::from_micros(self.first_seen),
            last_seen: Timestamp::from_micros(self.last_seen),
            calls_24h: self.calls_24h.max(0).cast_unsigned(),
            failures_24h: self.failures_24h.max(0).cast_unsigned(),
            findings_open: self.findings_open.max(0).cast_unsigned(),
            worst_severity: worst.filter(|_| self.findings_open > 0),
            countries: countries.remove(&self.token_id).unwrap_or_default(),
        })
    }
}
