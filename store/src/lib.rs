//! ClickHouse: schema, typed inserts and queries, checkpoints, the embedded engine.
//!
//! Everything goes through ClickHouse's HTTP interface, so the engine inside our own binary and a server are one code
//! path. Nothing else in the workspace knows the `clickhouse` crate or writes SQL.

mod config;
mod error;
mod insert;
mod metrics;
mod migrations;
mod retention;
mod rows;
mod state;
mod store;

pub use config::{
    EmbeddedConfig, EmbeddedSettings, RetentionConfig, StoreConfig, StoreSettings, Target,
};
pub use error::{RetryReason, StoreError};
pub use metrics::StoreMetrics;
pub use rows::{
    AuditRow, EventRow, FindingRow, NotificationRow, ResponseRow, SignalRow, SilenceRow, UserRow,
    VerdictRow,
};
pub use state::StoreState;
pub use store::Store;
