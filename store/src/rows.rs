//! One typed row per table, in the column order that ClickHouse has them.
//!
//! A row borrows from the noun that it stores. Columns with a default (`stored_at`, `written_at`) are the server's.

mod blob;
mod event;
mod finding;
mod incident;
mod ledger;
mod operator;

pub(crate) use blob::Blob;
pub use event::EventRow;
pub use finding::{FindingRow, SignalRow};
pub use incident::IncidentRow;
pub use ledger::{NotificationRow, ResponseOrderRow, ResponseRow};
pub use operator::{AuditRow, SilenceRow, UserRow, VerdictRow};

use crate::error::StoreError;

/// The JSON of a noun; it cannot fail, for none has a map with keys that are not text.
pub(crate) fn to_json<T: serde::Serialize>(noun: &T) -> String {
    serde_json::to_string(noun).expect("the nouns serialise to JSON")
}

/// The noun in a `body` column.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    table: &'static str,
    body: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt {
        table,
        detail: error.to_string(),
    })
}
