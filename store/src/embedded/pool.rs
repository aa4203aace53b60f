//! A few connections to the engine, each of which takes one statement at a time.
//!
//! The engine's calls block, so a statement runs on a blocking thread; an insert's rows come to it through a bounded
//! channel. A result is made whole before it is sent, within the engine's memory limit: the library's streaming
//! `SELECT` keeps one call's thread state for the next and complains when that comes from another thread.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task;

use super::ffi::Connection;
use super::request::{Statement, header_of, set_statement};

/// The connections.
#[derive(Clone)]
pub(crate) struct Pool {
    idle: Arc<Mutex<Vec<Session>>>,
    permits: Arc<Semaphore>,
    size: u32,
}

/// A connection and the database that it is on.
struct Session {
    connection: Connection,
    database: String,
}

/// A piece of an insert's body; an error means that the client went away.
pub(crate) type Piece = Result<Bytes, ()>;

impl Pool {
    /// A pool of `connections`, all on the database `default`.
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        let idle: Vec<Session> = connections
            .into_iter()
            .map(|connection| Session {
                connection,
                database: "default".to_owned(),
            })
            .collect();
        let size = idle.len() as u32;
        Self {
            permits: Arc::new(Semaphore::new(idle.len())),
            idle: Arc::new(Mutex::new(idle)),
            size,
        }
    }

    /// Waits until no statement is running, and lets no other start.
    pub(crate) async fn drain(&self) {
        if let Ok(permits) = self.permits.acquire_many(self.size).await {
            permits.forget();
        }
    }

    /// Runs a statement and gives its whole result.
    pub(crate) async fn run(&self, statement: Statement) -> Result<Bytes, String> {
        self.with_session(statement, |connection, statement| {
            let result = connection.query(&statement.sql, &statement.format, &statement.params)?;
            if result.bytes().is_empty() && statement.needs_header() {
                return empty_result(connection, statement);
            }
            Ok(Bytes::copy_from_slice(result.bytes()))
        })
        .await
    }

    /// Runs an `INSERT` whose rows come through `pieces`.
    pub(crate) async fn insert(
        &self,
        statement: Statement,
        sql: String,
        format: String,
        mut pieces: mpsc::Receiver<Piece>,
    ) -> Result<(), String> {
        self.with_session(statement, move |connection, _| {
            let mut insert = connection.insert(&sql, &format)?;
            while let Some(piece) = pieces.blocking_recv() {
                let piece = piece.map_err(|()| "the client went away".to_owned())?;
                insert.append(&piece)?;
            }
            insert.finish()
        })
        .await
    }

    async fn with_session<T: Send + 'static>(
        &self,
        statement: Statement,
        work: impl FnOnce(&mut Connection, &Statement) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let pool = self.clone();
        let permit = self.permit().await?;
        task::spawn_blocking(move || pool.blocking(permit, &statement, work))
            .await
            .unwrap_or_else(|error| Err(format!("the statement failed: {error}")))
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, String> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await;
        permit.map_err(|_| "the engine is shutting down".to_owned())
    }

    /// Takes a connection, puts it on the statement's database and settings, works, and takes the settings back.
    fn blocking<T>(
        &self,
        permit: OwnedSemaphorePermit,
        statement: &Statement,
        work: impl FnOnce(&mut Connection, &Statement) -> Result<T, String>,
    ) -> Result<T, String> {
        let session = self.sessions().pop();
        let mut session = session.ok_or("there are as many permits as connections")?;
        let result = session
            .prepare(statement)
            .and_then(|()| work(&mut session.connection, statement));
        if result.is_err() {
            session.flush();
        }
        let restored = session.restore(statement);
        self.sessions().push(session);
        drop(permit);
        restored?;
        result
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn prepare(&mut self, statement: &Statement) -> Result<(), String> {
        if self.database != statement.database {
            let name = statement.database.replace('`', "");
            self.connection
                .query(&format!("USE `{name}`"), "Null", &[])?;
            self.database.clone_from(&statement.database);
        }
        if !statement.settings.is_empty() {
            let sql = set_statement(&statement.settings, false);
            self.connection.query(&sql, "Null", &[])?;
        }
        Ok(())
    }

    /// Throws away what a failed statement had written before it failed: the library would put it in front of the
    /// next one's result.
    fn flush(&mut self) {
        drop(self.connection.query("SELECT 1", "Null", &[]));
    }

    fn restore(&mut self, statement: &Statement) -> Result<(), String> {
        if !statement.settings.is_empty() {
            let sql = set_statement(&statement.settings, true);
            self.connection.query(&sql, "Null", &[])?;
        }
        Ok(())
    }
}

/// The header of a result without rows, which the library leaves out where a server sends it.
fn empty_result(connection: &mut Connection, statement: &Statement) -> Result<Bytes, String> {
    let sql = format!(
        "DESCRIBE TABLE ({})",
        statement.sql.trim().trim_end_matches(';')
    );
    let columns = connection.query(&sql, "RowBinary", &statement.params)?;
    Ok(header_of(columns.bytes())?.into())
}
