//! `tokenwatch demo`: everything at work on one machine, with nothing to set up.
//!
//! Simulated gateways write Kong's and nginx's log lines and ship them to the real HTTP source, so a line takes the way
//! that it takes in production: spool, decoder, engine, ClickHouse, alerts. Two weeks of history come first, as fast as
//! they are taken; then live traffic, with attacks. The gateways honour the revocation of the stolen token.

mod attacks;
mod fleet;
mod gateway;
mod lines;
mod settings;
mod summary;
mod traffic;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokenwatch_model::{Clock, Timestamp};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::cli::DemoArgs;
use crate::wiring::{self, Service};
use crate::{clock, logging};
use attacks::Attacks;
use gateway::Gateways;
use settings::DemoSettings;

/// Tokens of the simulated fleet.
const MEMBERS: usize = 120;
/// Days of history before the live traffic: more than a baseline needs to be mature.
const HISTORY_DAYS: u64 = 14;
const HOUR: Duration = Duration::from_hours(1);
/// Live calls are shipped this often.
const LIVE_STEP: Duration = Duration::from_millis(250);

/// The folder of the demo's data; a temporary one goes with the demo.
struct Folder {
    path: PathBuf,
    _temporary: Option<TempDir>,
}

/// Runs the demo as `args` say.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let end = args.run_for.map(|run_for| Instant::now() + run_for);
    let folder = folder(args.data)?;
    let mut rng = Rng::with_seed(args.seed);
    let clock = clock::system();
    let hour = clock.now().as_secs().div_euclid(3_600).rem_euclid(24);
    let fleet = Arc::new(fleet::members(MEMBERS, hour, &mut rng));

    let revocations = TcpListener::bind("127.0.0.1:0").await?;
    let gateway = revocations.local_addr()?;
    let demo = DemoSettings::new(&folder.path, args.listen, gateway, &fleet, &mut rng);
    let settings = demo.settings()?;
    logging::init(&settings.log)?;
    let service = Box::pin(Service::start(settings)).await?;
    let console = format!("http://{}", service.address);
    let gateways = Gateways::new(
        Arc::clone(&fleet),
        format!("{console}/ingest/v1/events"),
        demo.push_key(),
    );
    let revoke = gateways.revocations(demo.webhook_secret());
    let mut gateway_tasks = JoinSet::new();
    gateway_tasks.spawn(async move { axum::serve(revocations, revoke).await });

    let password = service
        .first_admin
        .as_ref()
        .map(|password| password.expose_secret().to_owned());
    announce(&console, password.as_deref());
    let traffic = async {
        let live_since = history(&gateways, &fleet, &clock, &mut rng).await?;
        live(&gateways, &fleet, &clock, live_since, rng).await
    };
    let result = tokio::select! {
        result = traffic => result,
        () = wiring::signal() => Ok(()),
        () = until(end) => Ok(()),
    };
    if args.no_wait {
        summary::print(&service.store, &console).await?;
    } else if end.is_some() && result.is_ok() {
        eprintln!("  The console stays open until Ctrl-C.");
        wiring::signal().await;
    }
    service.until_ended(std::future::ready(())).await?;
    result
}

fn folder(data: Option<PathBuf>) -> anyhow::Result<Folder> {
    if let Some(path) = data {
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        return Ok(Folder {
            path,
            _temporary: None,
        });
    }
    let temporary = tempfile::Builder::new()
        .prefix("tokenwatch-demo-")
        .tempdir()?;
    Ok(Folder {
        path: temporary.path().to_owned(),
        _temporary: Some(temporary),
    })
}

fn announce(console: &str, password: Option<&str>) {
    eprintln!("\n  Tokenwatch demo");
    eprintln!("  Console   {console}");
    match password {
        Some(password) => {
            eprintln!(
                "  Log in    {} / {password}\n",
                tokenwatch_dashboards::FIRST_ADMIN
            );
        }
        None => eprintln!("  Log in    as before: the data folder has its users\n"),
    }
}

/// Two weeks of ordinary calls, up to now; gives the time at which live traffic begins.
async fn history(
    gateways: &Gateways,
    fleet: &[fleet::Member],
    clock: &Clock,
    rng: &mut Rng,
) -> anyhow::Result<Timestamp> {
    let now = clock.now();
    let mut from = now.floor_to(HOUR) - HOUR * (24 * HISTORY_DAYS as u32);
    let bar = ProgressBar::new(24 * HISTORY_DAYS + 1);
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
    bar.set_style(
        ProgressStyle::with_template("  Two weeks of history {wide_bar} {elapsed}")
            .expect("the template is valid"),
    );
    let mut waiting = Vec::new();
    while from < now {
        let to = (from + HOUR).min(now);
        waiting.extend(traffic::calls(fleet, from, to, rng));
        if waiting.len() >= gateway::LINES_PER_PUSH {
            gateways.serve(&std::mem::take(&mut waiting), rng).await?;
        }
        from = to;
        bar.inc(1);
    }
    gateways.serve(&waiting, rng).await?;
    bar.finish_and_clear();
    Ok(now)
}

/// Live traffic with attacks, until it is dropped.
async fn live(
    gateways: &Gateways,
    fleet: &[fleet::Member],
    clock: &Clock,
    caught_up_to: Timestamp,
    mut rng: Rng,
) -> anyhow::Result<()> {
    let live_since = clock.now();
    let attacks = Attacks::choose(fleet, live_since);
    let mut told = false;
    let mut from = caught_up_to;
    let mut steps = tokio::time::interval(LIVE_STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    eprintln!(
        "  Live traffic, with attacks: a burst of failures, calls out of scope, a spike, a stolen key"
    );
    loop {
        steps.tick().await;
        let to = clock.now();
        let mut calls = traffic::calls(fleet, from, to, &mut rng);
        calls.extend(attacks.calls(fleet, live_since, from, to, &mut rng));
        calls.sort_by_key(|call| (call.at, call.member));
        gateways.serve(&calls, &mut rng).await?;
        if !told && gateways.is_revoked(attacks.stolen()) {
            told = true;
            eprintln!(
                "  The stolen token of {} is revoked: the gateways refuse it from now on",
                fleet[attacks.stolen()].consumer
            );
        }
        from = to;
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}
