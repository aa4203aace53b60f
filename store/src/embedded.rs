//! The embedded engine, seen from the parent: a child process of our own binary that serves ClickHouse on loopback.
//!
//! A child, because the library's threads, signals and memory are better in a process that can end. A thread of its
//! own starts and watches it: the kernel kills the child when that thread ends, so not even kill -9 leaves it behind.
//! A child that dies is started again, on the same port, so clients need not know.

mod child;
mod ffi;
mod folder;
mod library;
mod options;
mod pool;
mod request;
mod server;

use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::options::{FAILED_LINE, IN_USE_LINE, PASSWORD_VARIABLE, READY_LINE, lock_file};
use crate::config::EmbeddedSettings;
use crate::error::StoreError;
use crate::metrics::StoreMetrics;
use crate::state::StateKeeper;

pub use child::run_embedded_server;
#[cfg(any(test, feature = "testing"))]
pub(crate) use library::find as find_library;
pub use options::EmbeddedServerOptions;
pub(crate) use options::USER;

/// The subcommand of our binary that calls [`run_embedded_server`].
const SUBCOMMAND: &str = "embedded-clickhouse";
/// From the start to the first line: it takes 0.2 s on an empty folder, longer with many parts or while the engine of
/// a killed process still holds the lock (20 s).
const START_PATIENCE: Duration = Duration::from_mins(2);
/// From the end of its stdin to its own end; it gives itself 5 s.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Used when the machine does not say how much memory it has.
const DEFAULT_MEMORY: u64 = 1 << 30;
/// Enough for merges and the console's queries; more helps only big servers, which have their own ClickHouse.
const MOST_MEMORY: u64 = 4 << 30;

/// A running engine's address and password.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) password: SecretString,
}

/// What the supervisor needs to start a child.
struct Supervisor {
    program: PathBuf,
    arguments: Vec<String>,
    options: EmbeddedServerOptions,
    password: SecretString,
    metrics: StoreMetrics,
    state: StateKeeper,
    cancel: CancellationToken,
}

/// A child that serves.
struct Running {
    child: Child,
    /// Its end ends the child. Not left in `child`, whose `wait` would close it.
    stdin: Option<ChildStdin>,
    /// Kept open: the child must be able to write.
    _stdout: Lines<BufReader<ChildStdout>>,
    port: u16,
}

/// Starts the engine and keeps it running until `cancel`; `tracker` waits for its end.
pub(crate) async fn start(
    settings: &EmbeddedSettings,
    metrics: StoreMetrics,
    state: StateKeeper,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> Result<Endpoint, StoreError> {
    let supervisor = Supervisor::new(settings, metrics, state, cancel)?;
    let password = supervisor.password.clone();
    let (started_tx, started) = oneshot::channel();
    let (ended_tx, ended) = oneshot::channel::<()>();
    thread::Builder::new()
        .name("clickhouse".to_owned())
        .spawn(move || {
            supervisor.run(started_tx);
            drop(ended_tx);
        })
        .map_err(|error| StoreError::EngineStart(error.to_string()))?;
    let port = started
        .await
        .unwrap_or_else(|_| Err(StoreError::EngineStart("its supervisor ended".to_owned())))?;
    // The sender is dropped when the thread ends.
    tracker.spawn(async move { drop(ended.await) });
    Ok(Endpoint {
        url: format!("http://127.0.0.1:{port}"),
        password,
    })
}

impl Supervisor {
    fn new(
        settings: &EmbeddedSettings,
        metrics: StoreMetrics,
        state: StateKeeper,
        cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        let library =
            library::find(settings.library.as_deref()).map_err(StoreError::EngineStart)?;
        let (program, arguments) = if let Some(command) = &settings.command {
            command.clone()
        } else {
            let program = std::env::current_exe()
                .map_err(|error| StoreError::EngineStart(error.to_string()))?;
            (program, vec![SUBCOMMAND.to_owned()])
        };
        let path = std::path::absolute(&settings.path)
            .map_err(|error| StoreError::EngineStart(error.to_string()))?;
        let memory_limit = settings
            .memory_limit
            .map_or_else(default_memory, |limit| limit.0);
        Ok(Self {
            program,
            arguments,
            options: EmbeddedServerOptions {
                path,
                library,
                memory_limit,
                log: settings.log,
                port: 0,
                parent: std::process::id(),
            },
            password: random_password()?,
            metrics,
            state,
            cancel,
        })
    }

    /// The supervisor's thread. Its runtime is its own, so that the thread lives as long as the child.
    fn run(mut self, started: oneshot::Sender<Result<u16, StoreError>>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                drop(started.send(Err(StoreError::EngineStart(error.to_string()))));
                return;
            }
        };
        runtime.block_on(async {
            match self.launch().await {
                Ok(running) => {
                    self.options.port = running.port;
                    if started.send(Ok(running.port)).is_ok() {
                        self.supervise(running).await;
                    }
                }
                Err(error) => drop(started.send(Err(error))),
            }
        });
    }

    async fn supervise(&self, mut running: Running) {
        loop {
            let ended = tokio::select! {
                ended = running.child.wait() => ended,
                () = self.cancel.cancelled() => return stop(running).await,
            };
            let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            self.state
                .down(&format!("the embedded ClickHouse ended: {how}"));
            self.metrics.engine_restarted();
            match self.relaunch().await {
                Some(next) => running = next,
                None => return,
            }
        }
    }

    /// Starts the child again, with growing pauses; `None` once shutdown comes.
    async fn relaunch(&self) -> Option<Running> {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                () = self.cancel.cancelled() => return None,
            }
            match self.launch().await {
                Ok(running) => return Some(running),
                Err(error) => self.state.down(&error.to_string()),
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Starts the child and waits until it serves.
    async fn launch(&self) -> Result<Running, StoreError> {
        let failed = |why: String| StoreError::EngineStart(why);
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args(self.options.to_arguments())
            .env(PASSWORD_VARIABLE, self.password.expose_secret())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            // A Ctrl-C in a terminal goes to the whole group; the engine has to outlive our last writes.
            .process_group(0)
            .spawn()
            .map_err(|error| failed(format!("{}: {error}", self.program.display())))?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| failed("its output is not piped".to_owned()))?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(START_PATIENCE, first_report(&mut lines))
            .await
            .map_err(|_| failed("it did not say within two minutes how it went".to_owned()))?;
        let line = line.ok_or_else(|| failed("it ended without a word".to_owned()))?;
        if let Some(holder) = line.strip_prefix(IN_USE_LINE) {
            return Err(StoreError::FolderInUse {
                path: self.options.path.clone(),
                holder: holder.to_owned(),
            });
        }
        let port = line
            .strip_prefix(READY_LINE)
            .and_then(|port| port.parse().ok())
            .ok_or_else(|| failed(line.trim_start_matches(FAILED_LINE).to_owned()))?;
        tracing::info!(process.id = child.id(), port, lock = %lock_file(&self.options.path).display(),
            "embedded ClickHouse started");
        Ok(Running {
            stdin: child.stdin.take(),
            child,
            _stdout: lines,
            port,
        })
    }
}

/// The child's own first line; the library may write before it.
async fn first_report(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    loop {
        let line = lines.next_line().await.ok().flatten()?;
        if [READY_LINE, IN_USE_LINE, FAILED_LINE]
            .iter()
            .any(|prefix| line.starts_with(prefix))
        {
            return Some(line);
        }
    }
}

/// Lets the child end what it is doing, then makes sure.
async fn stop(mut running: Running) {
    drop(running.stdin.take());
    if timeout(STOP_PATIENCE, running.child.wait()).await.is_err()
        && let Err(error) = running.child.kill().await
    {
        tracing::warn!(%error, "the embedded ClickHouse could not be ended");
    }
}

/// 128 random bits in hexadecimal.
fn random_password() -> Result<SecretString, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::EngineStart(error.to_string()))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)).into())
}

/// Half of what the machine, or the container, has; at most [`MOST_MEMORY`].
fn default_memory() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| memory_total(&text));
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let least = [machine, container].into_iter().flatten().min();
    least.map_or(DEFAULT_MEMORY, |bytes: u64| (bytes / 2).min(MOST_MEMORY))
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_how_much_memory_it_has() {
        let text = "MemTotal:       24612340 kB\nMemFree:        1 kB\n";
        assert_eq!(memory_total(text), Some(24_612_340 * 1024));
        assert_eq!(memory_total("nothing"), None);
    }
}
