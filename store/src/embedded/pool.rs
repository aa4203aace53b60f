//! A few connections to the engine, each of which takes one statement at a time.
//!
//! The engine's calls block, so a statement runs on a blocking thread and talks to the HTTP side through bounded
//! channels: rows in, chunks of the result out.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task;

use super::ffi::Connection;
use super::request::{Statement, header_length, set_statement};

/// Chunks under way between the engine and the network; one is about 0.5 MB.
const CHUNKS_UNDER_WAY: usize = 4;

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

/// A result that comes in chunks; an error ends it.
pub(crate) type Chunks = mpsc::Receiver<Result<Bytes, String>>;

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

    /// Starts a `SELECT`; what goes wrong before its first chunk is an error here.
    pub(crate) async fn select(&self, statement: Statement) -> Result<Chunks, String> {
        let (tx, rx) = mpsc::channel(CHUNKS_UNDER_WAY);
        let (started_tx, started) = oneshot::channel();
        let pool = self.clone();
        let permit = self.permit().await?;
        task::spawn_blocking(move || {
            let mut started_tx = Some(started_tx);
            let result = pool.blocking(permit, &statement, |connection, statement| {
                send_chunks(connection, statement, &tx, &mut started_tx)
            });
            if let Err(error) = result {
                match started_tx.take() {
                    // Nobody listens any more if the client went away, and then nobody need know.
                    Some(started) => drop(started.send(Err(error))),
                    None => drop(tx.blocking_send(Err(error))),
                }
            }
        });
        started
            .await
            .unwrap_or_else(|_| Err("the statement was dropped".to_owned()))
            .map(|()| rx)
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
            self.connection.query(&format!("USE `{name}`"), "Null", &[])?;
            self.database.clone_from(&statement.database);
        }
        if !statement.settings.is_empty() {
            let sql = set_statement(&statement.settings, false);
            self.connection.query(&sql, "Null", &[])?;
        }
        Ok(())
    }

    fn restore(&mut self, statement: &Statement) -> Result<(), String> {
        if !statement.settings.is_empty() {
            let sql = set_statement(&statement.settings, true);
            self.connection.query(&sql, "Null", &[])?;
        }
        Ok(())
    }
}

/// Sends a result chunk by chunk; says through `started` when there is a first one.
fn send_chunks(
    connection: &mut Connection,
    statement: &Statement,
    tx: &mpsc::Sender<Result<Bytes, String>>,
    started: &mut Option<oneshot::Sender<Result<(), String>>>,
) -> Result<(), String> {
    let mut stream = connection.stream(&statement.sql, &statement.format, &statement.params)?;
    let mut is_first = true;
    loop {
        let chunk = stream.next()?;
        if let Some(started) = started.take() {
            // The client may be gone; the send below notices.
            drop(started.send(Ok(())));
        }
        let Some(chunk) = chunk else {
            return Ok(());
        };
        let bytes = chunk.bytes();
        let from = if is_first {
            0
        } else {
            header_length(&statement.format, bytes)
        };
        is_first = false;
        let piece = Bytes::copy_from_slice(&bytes[from..]);
        if tx.blocking_send(Ok(piece)).is_err() {
            // The client went away; dropping the stream cancels it.
            return Ok(());
        }
    }
}
