//! Who may use the console: users, their sessions, and the trail of what they did.
//!
//! Unlike the pipeline's inserts these are tried once: a person is waiting and can try again.

use clickhouse::{Row, RowOwned, RowRead};
use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use crate::error::StoreError;
use crate::rows::{AuditRow, UserRow};
use crate::store::Store;

const USER: &str = "SELECT ?fields FROM users FINAL WHERE name = {name:String} LIMIT 1";
const USERS: &str = "SELECT count() AS users FROM (SELECT name FROM users LIMIT 1)";
const SESSION: &str = "\
SELECT max(s.user) AS user, toUnixTimestamp64Micro(min(s.issued_at)) AS issued_at,
       toUnixTimestamp64Micro(max(s.last_used_at)) AS last_used_at, max(s.ended) AS ended
FROM sessions AS s WHERE id_hash = {id_hash:String}
GROUP BY id_hash LIMIT 1";

/// A session of the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The SHA-256 of its id, in hexadecimal; the id itself is the browser's alone.
    pub id_hash: String,
    /// Whose.
    pub user: String,
    /// When it began.
    pub issued_at: Timestamp,
    /// When it was last used, to within minutes.
    pub last_used_at: Timestamp,
    /// Whether it was ended before its time.
    pub ended: bool,
}

#[derive(Row, Serialize)]
struct SessionInsert {
    id_hash: String,
    user: String,
    issued_at: i64,
    last_used_at: i64,
    ended: u8,
}

#[derive(Row, Deserialize)]
struct SessionRow {
    user: String,
    issued_at: i64,
    last_used_at: i64,
    ended: u8,
}

#[derive(Row, Deserialize)]
struct CountRow {
    users: u64,
}

impl Store {
    /// Whether there is any user.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let row = self.first::<CountRow>(self.client().query(USERS)).await?;
        Ok(row.is_some_and(|row| row.users > 0))
    }

    /// The user of this name, in the newest version.
    pub async fn user(&self, name: &str) -> Result<Option<UserRow>, StoreError> {
        self.first(self.client().query(USER).param("name", name))
            .await
    }

    /// Writes a version of a user; `version` must be above those before.
    pub async fn put_user(&self, user: &UserRow) -> Result<(), StoreError> {
        self.insert_once::<UserRow>("users", std::slice::from_ref(user))
            .await
    }

    /// The session whose id has this hash.
    pub async fn session(&self, id_hash: &str) -> Result<Option<SessionRecord>, StoreError> {
        let query = self.client().query(SESSION).param("id_hash", id_hash);
        let row = self.first::<SessionRow>(query).await?;
        Ok(row.map(|row| SessionRecord {
            id_hash: id_hash.to_owned(),
            user: row.user,
            issued_at: Timestamp::from_micros(row.issued_at),
            last_used_at: Timestamp::from_micros(row.last_used_at),
            ended: row.ended != 0,
        }))
    }

    /// Writes what is known of a session; it merges with what was written before.
    pub async fn put_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let row = SessionInsert {
            id_hash: session.id_hash.clone(),
            user: session.user.clone(),
            issued_at: session.issued_at.as_micros(),
            last_used_at: session.last_used_at.as_micros(),
            ended: u8::from(session.ended),
        };
        self.insert_once::<SessionInsert>("sessions", std::slice::from_ref(&row))
            .await
    }

    /// Adds a line to the audit trail, now or not at all.
    pub async fn audit(&self, line: &AuditRow) -> Result<(), StoreError> {
        self.insert_once::<AuditRow>("audit", std::slice::from_ref(line))
            .await
    }

    async fn first<T: RowOwned + RowRead>(
        &self,
        query: clickhouse::query::Query,
    ) -> Result<Option<T>, StoreError> {
        match tokio::time::timeout(self.timeout(), query.fetch_all()).await {
            Ok(rows) => Ok(rows?.into_iter().next()),
            Err(_) => Err(clickhouse::error::Error::TimedOut.into()),
        }
    }
}
