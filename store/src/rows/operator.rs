//! The rows of what people write: `verdicts`, `silences`, `audit`, `users`.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

/// One row of `verdicts`.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct VerdictRow {
    pub finding_id: String,
    pub at: i64,
    pub actor: String,
    pub verdict: String,
    pub note: String,
}

/// One row of `silences`.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct SilenceRow {
    pub id: String,
    pub version: u64,
    pub starts_at: i64,
    pub ends_at: i64,
    pub created_by: String,
    pub reason: String,
    pub matchers: String,
}

/// One row of `audit`.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct AuditRow {
    pub at: i64,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub detail: String,
}

/// One row of `users`.
#[derive(Clone, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct UserRow {
    pub name: String,
    pub password_hash: String,
    pub role: String,
    pub created_at: i64,
    pub version: u64,
}

impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
