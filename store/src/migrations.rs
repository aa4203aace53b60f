//! The schema: numbered files, applied in order, once, and never backwards.
//!
//! A migration is many statements and ClickHouse has no transactions over them, so each statement is its own step in
//! `schema_migrations`: a process killed half way goes on where it stopped. A statement that was carried out just
//! before the kill finds its table there already, which counts as done.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::retention;
use crate::store::Store;

/// Every migration, by number.
const MIGRATIONS: [(u32, &str); 7] = [
    (1, include_str!("../migrations/0001_schema.sql")),
    (2, include_str!("../migrations/0002_sessions.sql")),
    (3, include_str!("../migrations/0003_incidents.sql")),
    (4, include_str!("../migrations/0004_registrations.sql")),
    (5, include_str!("../migrations/0005_alerting.sql")),
    (6, include_str!("../migrations/0006_responses.sql")),
    (7, include_str!("../migrations/0007_jwt.sql")),
];
/// `TABLE_ALREADY_EXISTS`.
const TABLE_ALREADY_EXISTS: &str = "Code: 57.";

#[derive(Debug, Row, Serialize, Deserialize)]
struct MigrationRow {
    version: u32,
    step: u32,
}

/// Brings the schema up to date, then applies the retention.
pub(crate) async fn migrate(store: &Store) -> Result<(), StoreError> {
    store
        .until_done(|| async { create_database(store).await })
        .await?;
    let done = store
        .until_done(|| async { steps_done(store).await })
        .await?;
    let known = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    let found = done.iter().map(|step| step.version).max().unwrap_or(0);
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (version, script) in MIGRATIONS {
        for (step, statement) in (0..).zip(statements(script)) {
            let is_done = done
                .iter()
                .any(|row| row.version == version && row.step == step);
            if !is_done {
                store
                    .until_done(|| async { apply(store, &statement, version, step).await })
                    .await?;
            }
        }
    }
    if found < known {
        tracing::info!(schema.version = known, "schema is up to date");
    }
    retention::apply(store).await
}

async fn create_database(store: &Store) -> Result<(), StoreError> {
    // The name was checked to be an identifier; the database cannot be selected before it exists.
    let sql = format!("CREATE DATABASE IF NOT EXISTS {}", store.database());
    let client = store.client().clone().with_database("default");
    client.query_raw(&sql).execute().await?;
    let sql = "CREATE TABLE IF NOT EXISTS schema_migrations \
               (version UInt32, step UInt32, applied_at DateTime('UTC') DEFAULT now()) \
               ENGINE = ReplacingMergeTree ORDER BY (version, step)";
    store.client().query_raw(sql).execute().await?;
    Ok(())
}

async fn steps_done(store: &Store) -> Result<Vec<MigrationRow>, StoreError> {
    let sql = "SELECT version, step FROM schema_migrations FINAL ORDER BY version, step";
    Ok(store.client().query_raw(sql).fetch_all().await?)
}

async fn apply(store: &Store, statement: &str, version: u32, step: u32) -> Result<(), StoreError> {
    match store.client().query_raw(statement).execute().await {
        Ok(()) => {}
        Err(error) if error.to_string().contains(TABLE_ALREADY_EXISTS) => {}
        Err(error) => return Err(error.into()),
    }
    let row = MigrationRow { version, step };
    let mut insert = store
        .insert_client()
        .insert::<MigrationRow>("schema_migrations")
        .await?;
    insert.write(&row).await?;
    Ok(insert.end().await?)
}

/// The statements of a script: comments go, and a semicolon at the end of a line ends a statement.
fn statements(script: &str) -> Vec<String> {
    let code: Vec<&str> = script
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect();
    code.join("\n")
        .split(";\n")
        .map(|statement| statement.trim().trim_end_matches(';').to_owned())
        .filter(|statement| !statement.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_split_into_statements_without_comments() {
        let script = "-- one; two\nCREATE TABLE a\n(b String);\n\n-- three\nCREATE TABLE c;\n";
        assert_eq!(
            statements(script),
            ["CREATE TABLE a\n(b String)", "CREATE TABLE c"]
        );
    }

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (expected, (version, script)) in (1..).zip(MIGRATIONS) {
            assert_eq!(version, expected);
            assert!(!statements(script).is_empty());
        }
    }
}
