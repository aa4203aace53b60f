//! The store against a real ClickHouse: the embedded engine, or the server that `TOKENWATCH_TEST_CLICKHOUSE_URL` names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod checkpoints;
mod engine;
mod events;
mod fixtures;
mod history;
mod incidents;
mod registrations;
mod responses;
mod tables;
