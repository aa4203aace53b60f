//! Applies the configured retention to the tables, where it differs from what they have.

use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;

use crate::error::StoreError;
use crate::store::Store;

#[derive(Debug, Row, Deserialize)]
struct TableRow {
    name: String,
    create_table_query: String,
}

/// Sets each table's TTL to what the settings say. Only the definition changes here; ClickHouse drops old rows by
/// itself, within hours.
pub(crate) async fn apply(store: &Store) -> Result<(), StoreError> {
    let retention = store.retention();
    let wanted = [
        ("events", "toDateTime(ts)", retention.events),
        ("rollup_minute", "minute", retention.rollups),
        ("fleet_minute", "minute", retention.rollups),
        ("signals", "toDateTime(ts)", retention.findings),
        ("findings", "toDateTime(last_event_at)", retention.findings),
        ("incidents", "toDateTime(last_event_at)", retention.findings),
        ("notifications", "toDateTime(at)", retention.findings),
        ("responses", "toDateTime(at)", retention.findings),
        ("response_orders", "toDateTime(at)", retention.findings),
        ("verdicts", "toDateTime(at)", retention.findings),
        ("audit", "toDateTime(at)", retention.findings),
    ];
    let tables = store
        .until_done(|| async { definitions(store).await })
        .await?;
    for (table, column, retention) in wanted {
        let ttl = ttl_expression(column, retention);
        let definition = tables.iter().find(|row| row.name == table);
        if definition.is_some_and(|row| row.create_table_query.contains(&format!("TTL {ttl}"))) {
            continue;
        }
        let sql = format!(
            "ALTER TABLE {table} MODIFY TTL {ttl} SETTINGS materialize_ttl_after_modify = 0"
        );
        store
            .until_done(|| async { Ok(store.client().query_raw(&sql).execute().await?) })
            .await?;
        tracing::info!(table, ttl, "retention changed");
    }
    Ok(())
}

async fn definitions(store: &Store) -> Result<Vec<TableRow>, StoreError> {
    let sql =
        "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()";
    Ok(store.client().query_raw(sql).fetch_all().await?)
}

/// Days where it is whole days, as ClickHouse prints it, else seconds.
fn ttl_expression(column: &str, retention: Duration) -> String {
    let seconds = retention.as_secs();
    if seconds.is_multiple_of(86_400) {
        format!("{column} + toIntervalDay({})", seconds / 86_400)
    } else {
        format!("{column} + toIntervalSecond({seconds})")
    }
}
