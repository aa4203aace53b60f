//! One file per command; this one says which is which.

mod alerts;
mod backtest;
mod check_config;
mod completions;
mod decode;
mod explain;
mod input;
mod leaks;
mod migrate;
mod replay;
mod routes;
mod sample;
mod scopes;
mod simulate;
mod stored;
mod token;
mod user;

use std::io;
use std::process::ExitCode;

use tokenwatch_store::EmbeddedServerOptions;

use crate::cli::{AlertsCommand, Command, LeaksCommand, RoutesCommand, TokenCommand, UserCommand};
use crate::{demo, wiring};

/// `EX_USAGE` of sysexits.h: the configuration is wrong.
const EXIT_CONFIG: u8 = 64;

/// Runs `command` to its end.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => block_on(demo::run(args))?,
        Command::Run(args) => block_on(wiring::run(args))?,
        Command::Decode(args) => quietly(decode::run(&args))?,
        Command::Replay(args) => quietly(replay::run(&args))?,
        Command::Explain(args) => quietly(block_on(explain::run(args)))?,
        Command::Backtest(args) => quietly(block_on(backtest::run(args)))?,
        Command::Simulate(args) => quietly(simulate::run(&args))?,
        Command::CheckConfig { file } => return Ok(check_config::run(&file)),
        Command::Token(TokenCommand::Id { config }) => token::print_id(config.as_deref())?,
        Command::Token(TokenCommand::Scopes(args)) => quietly(block_on(scopes::run(args)))?,
        Command::Leaks(LeaksCommand::Scan(args)) => return block_on(leaks::run(args)),
        Command::User(UserCommand::Add { config, name }) => {
            block_on(user::add(config.config, name))?;
        }
        Command::Routes(RoutesCommand::Test(args)) => quietly(routes::test(&args))?,
        Command::Alerts(AlertsCommand::Test(args)) => block_on(alerts::test(args))?,
        Command::Migrate(config) => block_on(migrate::run(config.config))?,
        Command::Completions { shell } => completions::run(shell),
        Command::EmbeddedClickhouse(args) => {
            let options =
                EmbeddedServerOptions::parse(args.arguments).map_err(anyhow::Error::msg)?;
            tokenwatch_store::run_embedded_server(&options).map_err(anyhow::Error::msg)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs an asynchronous command on a runtime of its own.
fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(command)
}

/// A reader that went away (`tokenwatch decode | head`) is no error.
fn quietly(result: anyhow::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error)
            if error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(())
        }
        result => result,
    }
}
