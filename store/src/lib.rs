//! ClickHouse: schema, typed inserts and queries, checkpoints, the embedded engine.
//!
//! Everything goes through ClickHouse's HTTP interface, so the engine inside our own binary and a server are one code
//! path. Nothing else in the workspace knows the `clickhouse` crate or writes SQL.

mod accounts;
mod checkpoint;
mod config;
mod deliveries;
mod denied;
mod embedded;
mod error;
mod fingerprints;
mod history;
mod insert;
mod ledger;
mod metrics;
mod migrations;
mod operators;
pub mod queries;
mod registrations;
mod replay;
mod responses;
mod retention;
mod rollup;
mod rows;
mod state;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use accounts::SessionRecord;
pub use checkpoint::{Checkpoint, LoadedCheckpoint, TokenRow};
pub use config::{
    EmbeddedConfig, EmbeddedSettings, RetentionConfig, StoreConfig, StoreSettings, Target,
};
pub use deliveries::Delivery;
pub use denied::OtherNames;
pub use embedded::{EmbeddedServerOptions, run_embedded_server};
pub use error::{RetryReason, StoreError};
pub use history::History;
pub use metrics::StoreMetrics;
pub use operators::{Lease, SILENCES_LIMIT};
pub use registrations::{KnownRegistration, RegistrationVersion};
pub use replay::StoredSet;
pub use rows::{
    AuditRow, EventRow, FindingRow, IncidentRow, NotificationRow, ResponseOrderRow, ResponseRow,
    SignalRow, SilenceRow, UserRow, VerdictRow,
};
pub use state::StoreState;
pub use store::Store;
