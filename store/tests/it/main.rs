//! The store against a real ClickHouse: the embedded engine, or the server that `TOKENWATCH_TEST_CLICKHOUSE_URL` names.

mod checkpoints;
mod engine;
mod events;
mod fixtures;
mod tables;
