//! The child process: opens the data folder, starts the engine, serves it on loopback, and ends with its parent.

use std::ffi::CString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ffi::{self, Connection, Engine};
use super::folder::{self, FolderError};
use super::options::{
    EmbeddedServerOptions, FAILED_LINE, IN_USE_LINE, PASSWORD_VARIABLE, READY_LINE,
};
use super::pool::Pool;
use super::server::{self, Service};

/// Statements at a time: inserts, a checkpoint, and a few people at the console.
const CONNECTIONS: usize = 8;
/// How long statements that run may take to end at shutdown.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// Runs the engine until the parent closes our stdin or ends; does not return then.
///
/// The first line on stdout says how it went: `ready PORT`, `in-use WHO` or `failed WHY`; the error is for the log.
pub fn run_embedded_server(options: &EmbeddedServerOptions) -> Result<(), String> {
    if !ffi::die_with_parent(options.parent) {
        ffi::exit_now(0);
    }
    match start(options) {
        Ok(()) => ffi::exit_now(0),
        Err(StartError::InUse(holder)) => {
            report(&format!("{IN_USE_LINE}{holder}"));
            Err(format!("the data folder is in use by {holder}"))
        }
        Err(StartError::Failed(why)) => {
            report(&format!("{FAILED_LINE}{}", why.replace('\n', " ")));
            Err(why)
        }
    }
}

enum StartError {
    InUse(String),
    Failed(String),
}

impl From<String> for StartError {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

fn start(options: &EmbeddedServerOptions) -> Result<(), StartError> {
    let password = std::env::var(PASSWORD_VARIABLE)
        .map_err(|_| format!("the variable {PASSWORD_VARIABLE} is not set"))?;
    let _lock = folder::open(&options.path).map_err(|error| match error {
        FolderError::InUse(holder) => StartError::InUse(holder),
        FolderError::Io(error) => {
            StartError::Failed(format!("{}: {error}", options.path.display()))
        }
    })?;
    let connections = open_engine(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(CONNECTIONS)
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .await
            .map_err(|error| format!("port {}: {error}", options.port))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let cancel = CancellationToken::new();
        watch_stdin(cancel.clone());
        report(&format!("{READY_LINE}{}", address.port()));
        let service = Service {
            pool: Pool::new(connections),
            password: Arc::new(SecretString::from(password)),
        };
        server::serve(listener, service, cancel).await;
        // The locks and the engine's threads go with the process.
        ffi::exit_now(0)
    })
}

fn open_engine(options: &EmbeddedServerOptions) -> Result<Vec<Connection>, String> {
    let config = options.path.join("engine.xml");
    fs::write(&config, engine_config(options))
        .map_err(|error| format!("{}: {error}", config.display()))?;
    let engine = Engine::load(&options.library)?;
    let argument = |text: String| CString::new(text).map_err(|error| error.to_string());
    let arguments = [
        argument("clickhouse".to_owned())?,
        argument(format!("--path={}", options.engine_folder().display()))?,
        argument(format!("--config-file={}", config.display()))?,
    ];
    (0..CONNECTIONS)
        .map(|_| engine.connect(&arguments))
        .collect()
}

/// A small server: caches within the memory limit, and merges that run on a machine with few cores. The entries that
/// must be free for a merge are lowered with the pool, or only small merges would ever run.
fn engine_config(options: &EmbeddedServerOptions) -> String {
    let memory = options.memory_limit;
    let logger = if options.log {
        let file = options.path.join("engine.log");
        format!(
            "<level>information</level><log>{}</log><size>16M</size><count>2</count>",
            file.display()
        )
    } else {
        "<level>none</level>".to_owned()
    };
    format!(
        "<clickhouse>\n\
         <logger>{logger}</logger>\n\
         <max_server_memory_usage>{memory}</max_server_memory_usage>\n\
         <mark_cache_size>{}</mark_cache_size>\n\
         <primary_index_cache_size>{}</primary_index_cache_size>\n\
         <background_pool_size>2</background_pool_size>\n\
         <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>\n\
         <background_common_pool_size>2</background_common_pool_size>\n\
         <background_schedule_pool_size>4</background_schedule_pool_size>\n\
         <merge_tree>\n\
         <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>\n\
         <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>\n\
         <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>\n\
         <old_parts_lifetime>60</old_parts_lifetime>\n\
         </merge_tree>\n\
         </clickhouse>\n",
        memory / 16,
        memory / 16,
    )
}

/// Our parent holds the other end and never writes: its end means shutdown, or the parent's end.
fn watch_stdin(cancel: CancellationToken) {
    thread::spawn(move || {
        let mut byte = [0];
        while matches!(io::stdin().read(&mut byte), Ok(1..)) {}
        cancel.cancel();
        // A statement that does not end must not keep the folder.
        thread::park_timeout(DRAIN_PATIENCE);
        ffi::exit_now(1);
    });
}

fn report(line: &str) {
    let mut stdout = io::stdout().lock();
    // A parent that does not read any more is gone, and then so are we.
    if writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .is_err()
    {
        ffi::exit_now(1);
    }
}
