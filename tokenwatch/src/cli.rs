//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueHint};
use tokenwatch_ingest::FormatChoice;
use tokenwatch_model::Timestamp;

use crate::simulate::{MIN_DAYS, Mix, SimulatedFormat};

/// Tells when an API token is used by someone who should not have it.
///
/// Tokenwatch reads the access logs of API gateways, learns what is normal for every token, and says when one is used
/// in a way that its owner would not use it. `tokenwatch demo` shows all of it on this machine in a minute;
/// `tokenwatch run` is the service.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show everything at work: simulated gateways, weeks of history, attacks, a revocation
    Demo(DemoArgs),
    /// Run the service
    Run(RunArgs),
    /// Turn log lines into access events
    Decode(DecodeArgs),
    /// Run detection over log files, in the time of the logs; needs no services
    Replay(ReplayArgs),
    /// Run detection with another configuration over stored events, and tell what the change adds and removes
    Backtest(BacktestArgs),
    /// Tell why there was, or was not, a finding about a token
    Explain(ExplainArgs),
    /// Simulate labelled traffic with attacks, and tell how well detection does on it
    Simulate(SimulateArgs),
    /// Check a configuration file and tell every problem with its key path and line
    CheckConfig {
        /// The file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Work with tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Look for tokens where they should not be
    #[command(subcommand)]
    Leaks(LeaksCommand),
    /// Work with the console's users
    #[command(subcommand)]
    User(UserCommand),
    /// Work with alert routes
    #[command(subcommand)]
    Routes(RoutesCommand),
    /// Work with alert receivers
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Bring the store's schema up to date, then end
    Migrate(ConfigArg),
    /// Write a shell's completions to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Serve the embedded ClickHouse on loopback; started by `run` itself
    #[command(hide = true)]
    EmbeddedClickhouse(EmbeddedArgs),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub(crate) struct ConfigArg {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "TOKENWATCH_CONFIG", value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,
}

/// `tokenwatch run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

/// `tokenwatch demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End by itself after this long (`90s`, `5m`) instead of running until Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) run_for: Option<Duration>,
    /// When the time is up, print a summary as one line of JSON and end, instead of leaving the console open
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// The console's address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
    /// Keep the demo's data in this folder instead of a temporary one
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// The seed of the simulated traffic
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
}

/// `tokenwatch decode`.
#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Write rejected records, scrubbed and with their reasons, here instead of to standard error
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) rejects: Option<PathBuf>,
}

/// `tokenwatch replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Write every signal here, as NDJSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) signals: Option<PathBuf>,
    /// Write every incident in its final state here, as NDJSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) incidents: Option<PathBuf>,
}

/// `tokenwatch simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Decides everything that chance decides
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many days; nothing is attacked in the first fourteen
    #[arg(long, default_value_t = 28, value_parser = clap::value_parser!(i32).range(i64::from(MIN_DAYS)..=365))]
    pub(crate) days: i32,
    /// How many tokens
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    pub(crate) tokens: u32,
    /// Which gateway's log lines to write to standard output
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = SimulatedFormat::Nginx)]
    pub(crate) format: SimulatedFormat,
    /// How often each class of habit is there
    #[arg(long, value_enum, default_value_t = Mix::Realistic)]
    pub(crate) mix: Mix,
    /// Whether there are attacks
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) attacks: bool,
    /// Write what really happened here, as NDJSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) labels: Option<PathBuf>,
    /// Write the configuration that fits the traffic here: what the simulated applications may call
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) write_config: Option<PathBuf>,
    /// Write no lines; run detection over the traffic and print how well it did
    #[arg(long)]
    pub(crate) evaluate: bool,
    /// Write the evaluation here too, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "evaluate")]
    pub(crate) report: Option<PathBuf>,
    /// Take the deployment key, the geo databases and the detectors' settings from this configuration file
    #[arg(long, value_name = "FILE", env = "TOKENWATCH_CONFIG", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

/// Log files and how to read them.
#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// The format of the lines
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) format: FormatChoice,
    /// Take the decoder's and detectors' settings from this configuration file
    #[arg(long, value_name = "FILE", env = "TOKENWATCH_CONFIG", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Log files, also .gz; standard input if there are none
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

/// `tokenwatch backtest`.
#[derive(Debug, Args)]
pub(crate) struct BacktestArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Compare findings that were detected from this time on (RFC 3339: 2026-11-22T06:40:00Z)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Timestamp,
    /// And before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Timestamp,
    /// Let the detectors learn from this much before the range, or from what is stored of it
    #[arg(long, value_name = "DURATION", default_value = "28d", value_parser = humantime::parse_duration)]
    pub(crate) warm_up: Duration,
}

/// `tokenwatch explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The token: `tok_…`, or what the gateway calls the credential
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: String,
    /// As of this time (RFC 3339: 2026-11-22T06:40:00Z)
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Timestamp,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tokenwatch token …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Read a secret on standard input and print its token id; the secret is not kept
    Id {
        /// Take the deployment key from this configuration file
        #[arg(long, value_name = "FILE", env = "TOKENWATCH_CONFIG", value_hint = ValueHint::FilePath)]
        config: Option<PathBuf>,
    },
    /// Tell which of their scopes tokens use, by their stored calls, and which could be taken from them
    Scopes(ScopesArgs),
}

/// `tokenwatch token scopes`.
#[derive(Debug, Args)]
pub(crate) struct ScopesArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Only this token: `tok_…`, or what the gateway calls the credential
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Calls from this time on (RFC 3339: 2026-11-22T06:40:00Z)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Timestamp,
    /// And before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Timestamp,
    /// Write one JSON object a line instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tokenwatch leaks …`.
#[derive(Debug, Subcommand)]
pub(crate) enum LeaksCommand {
    /// Find tokens of this deployment by their fingerprints in files, archives and git histories; none is printed
    ///
    /// Ends with 0 if there are none, 3 if there are some, 1 if something could not be read.
    Scan(LeaksScanArgs),
}

/// `tokenwatch leaks scan`.
#[derive(Debug, Args)]
pub(crate) struct LeaksScanArgs {
    /// Take the deployment key and the store from this configuration file
    #[arg(long, value_name = "FILE", env = "TOKENWATCH_CONFIG", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Look for these tokens (a file with a `tok_…` a line) instead of those in the store
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) known: Option<PathBuf>,
    /// Write one JSON object a line instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Files and folders; repositories of git are read with their history
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
}

/// `tokenwatch user …`.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user of the console, or set a new password; reads the password on standard input
    Add {
        #[command(flatten)]
        config: ConfigArg,
        /// The name to log in with
        name: String,
    },
}

/// `tokenwatch routes …`.
#[derive(Debug, Subcommand)]
pub(crate) enum RoutesCommand {
    /// Tell which ways a finding would go, and why
    Test(RoutesTestArgs),
}

/// `tokenwatch routes test`.
#[derive(Debug, Args)]
pub(crate) struct RoutesTestArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    #[command(flatten)]
    pub(crate) finding: FindingArgs,
    /// As of this time (RFC 3339: 2026-11-22T06:40:00Z) instead of now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tokenwatch alerts …`.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Send a real sample to a receiver
    Test(AlertsTestArgs),
}

/// `tokenwatch alerts test`.
#[derive(Debug, Args)]
pub(crate) struct AlertsTestArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The receiver's name in the configuration
    #[arg(value_name = "RECEIVER")]
    pub(crate) receiver: String,
    #[command(flatten)]
    pub(crate) finding: FindingArgs,
    /// A group of this many findings
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) count: u32,
    /// Print what would be sent and send nothing
    #[arg(long)]
    pub(crate) preview: bool,
}

/// Which finding: one from a file, or a sample with these traits.
#[derive(Debug, Args)]
pub(crate) struct FindingArgs {
    /// Take the finding from this JSON file, as the API and `replay` give it (`-`: standard input)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["severity", "detector", "consumer", "owner", "team", "environment"])]
    pub(crate) finding: Option<PathBuf>,
    /// info, low, medium, high or critical
    #[arg(long, default_value = "high")]
    pub(crate) severity: String,
    /// The detector
    #[arg(long, default_value = "concurrent_use")]
    pub(crate) detector: String,
    /// The token's consumer
    #[arg(long, default_value = "sample-consumer")]
    pub(crate) consumer: String,
    /// The token's owner
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// The token's team
    #[arg(long)]
    pub(crate) team: Option<String>,
    /// The token's environment
    #[arg(long)]
    pub(crate) environment: Option<String>,
}

/// `tokenwatch embedded-clickhouse`: what the store tells the child process that it starts.
#[derive(Debug, Args)]
pub(crate) struct EmbeddedArgs {
    /// Read by the store
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<std::ffi::OsString>,
}
