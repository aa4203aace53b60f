//! What can go wrong with the store, split by what the caller does: retry, reject, or stop.

use std::path::PathBuf;

/// Codes of ClickHouse that stay wrong however often the same statement is sent: syntax, schema, types, rights.
/// Everything else (memory, timeouts, too many parts, replicas, network, disk) may pass.
const PERMANENT_CODES: [u32; 22] = [
    6, 10, 16, 27, 33, 36, 38, 42, 43, 44, 46, 47, 50, 53, 57, 60, 62, 70, 81, 115, 192, 497,
];
/// `AUTHENTICATION_FAILED`.
const AUTHENTICATION_FAILED: u32 = 516;
/// `MEMORY_LIMIT_EXCEEDED`.
const MEMORY_LIMIT_EXCEEDED: u32 = 241;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// ClickHouse cannot be reached, or not just now; the same request may succeed later.
    #[error("ClickHouse is not available: {0}")]
    Unavailable(#[source] clickhouse::error::Error),
    /// ClickHouse refused the request and would again.
    #[error("ClickHouse refused: {0}")]
    Refused(#[source] clickhouse::error::Error),
    /// A stored row is not what this version writes.
    #[error("the table {table} holds a row that cannot be read: {detail}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The schema was written by a newer version.
    #[error(
        "the database has schema {found}, newer than this version knows ({known}): update tokenwatch"
    )]
    NewerSchema {
        /// The newest migration in the database.
        found: u32,
        /// The newest that this version has.
        known: u32,
    },
    /// Another process has the embedded engine's folder open.
    #[error("the data folder {} is in use by another process ({holder})", path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// The embedded engine did not start.
    #[error("the embedded ClickHouse did not start: {0}")]
    EngineStart(String),
    /// Shutdown came first.
    #[error("the store is shutting down")]
    Cancelled,
}

/// Why a request is tried again; the label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryReason {
    /// No connection, or it broke.
    Network,
    /// No answer in time.
    Timeout,
    /// The engine is out of memory.
    Memory,
    /// Anything else that may pass.
    Busy,
}

impl RetryReason {
    /// The label's text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Busy => "busy",
        }
    }
}

impl StoreError {
    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Why to try again, if that makes sense.
    pub fn retry_reason(&self) -> Option<RetryReason> {
        let Self::Unavailable(error) = self else {
            return None;
        };
        Some(match error {
            clickhouse::error::Error::Network(_) => RetryReason::Network,
            clickhouse::error::Error::TimedOut => RetryReason::Timeout,
            clickhouse::error::Error::BadResponse(text)
                if code_of(text) == Some(MEMORY_LIMIT_EXCEEDED) =>
            {
                RetryReason::Memory
            }
            _ => RetryReason::Busy,
        })
    }
}

impl From<clickhouse::error::Error> for StoreError {
    fn from(error: clickhouse::error::Error) -> Self {
        use clickhouse::error::Error;
        match &error {
            Error::Network(_) | Error::TimedOut => Self::Unavailable(error),
            Error::BadResponse(text) => match code_of(text) {
                Some(AUTHENTICATION_FAILED) => Self::Refused(error),
                Some(code) if PERMANENT_CODES.contains(&code) => Self::Refused(error),
                _ => Self::Unavailable(error),
            },
            _ => Self::Refused(error),
        }
    }
}

/// The number in `Code: 241. DB::Exception: …`.
fn code_of(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("Code: ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<RetryReason>) {
        let error = StoreError::from(clickhouse::error::Error::BadResponse(text.to_owned()));
        assert_eq!(error.retry_reason(), expected, "{text}");
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
        check("Code: 60. DB::Exception: Unknown table", None);
        check(
            "Code: 516. DB::Exception: default: Authentication failed",
            None,
        );
        check(
            "Code: 241. DB::Exception: Memory limit (total) exceeded",
            Some(RetryReason::Memory),
        );
        check(
            "Code: 252. DB::Exception: Too many parts",
            Some(RetryReason::Busy),
        );
        check("503 Service Unavailable", Some(RetryReason::Busy));
    }
}
