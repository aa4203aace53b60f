//! How many decoded events the engine takes per second while a million tokens are alive, and what their state weighs.
//!
//! `cargo bench -p tokenwatch-detectors -- [TOKENS]`; without `--bench`, as tests run it, a small fleet is taken. Decoding is
//! not part of it: events are made beforehand, in batches as large as the pipeline's. Times are CPU times of the one thread.

#![expect(clippy::print_stdout, reason = "a benchmark reports on stdout")]

#[path = "../tests/it/mix.rs"]
mod mix;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use mix::Mix;
use tokenwatch_detectors::{
    Detections, DetectorSettings, DetectorsConfig, Engine, RateSpikeConfig,
};
use tokenwatch_model::{AccessEvent, TokenId};

/// Events of a batch, and rounds of which the median counts.
const BATCH: usize = 10_000;
const ROUNDS: usize = 9;
/// Days of history before anything is measured.
const WARM_DAYS: f64 = 1.3;
/// Seconds at a high rate before that is.
const SECONDS_BEFORE: f64 = 6.0;

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let given = std::env::args().find_map(|argument| argument.parse().ok());
    let tokens: u64 = given.unwrap_or(if measured { 1_000_000 } else { 2_000 });
    let settings = Arc::new(
        DetectorsConfig {
            max_tokens: u32::MAX,
            // As if the fleet had been watched for a week: the habits speak, and the days before do not contradict them.
            mature_days: 1,
            rate_spike: RateSpikeConfig {
                floors: [10, 10, 20, 40, 5_000],
                ..RateSpikeConfig::default()
            },
            ..DetectorsConfig::default()
        }
        .validate("")
        .expect("the defaults are valid"),
    );
    at_a_high_rate(tokens, &settings);
    let mut mix = Mix::new(tokens, 1.0);
    let mut engine = Engine::new(Arc::clone(&settings));
    let before = resident_bytes();
    warm(&mut engine, &mut mix);
    println!("speed    {}", speed(&mut engine, &mut mix, tokens));
    report_state(&engine, tokens, before);
    checkpoint_and_restore(engine, &mut mix, tokens, &settings);
}

/// The same fleet while it makes a call per token and second: live traffic at the rate that is asked for. It has no history.
fn at_a_high_rate(tokens: u64, settings: &Arc<DetectorSettings>) {
    let pace = tokens as f64 * 86_400.0 / Mix::new(tokens, 1.0).calls_a_day();
    let mut mix = Mix::new(tokens, pace);
    let mut engine = Engine::new(Arc::clone(settings));
    let mut batch = Vec::with_capacity(BATCH);
    while mix.days() * 86_400.0 < SECONDS_BEFORE {
        take(&mut engine, &mut mix, &mut batch);
    }
    println!("at once  {}", speed(&mut engine, &mut mix, tokens));
}

fn warm(engine: &mut Engine, mix: &mut Mix) {
    let mut batch = Vec::with_capacity(BATCH);
    let (mut taken, mut spent) = (0, Duration::ZERO);
    while mix.days() < WARM_DAYS {
        spent += take(engine, mix, &mut batch).0;
        taken += BATCH;
    }
    let rate = taken as f64 / spent.as_secs_f64();
    println!("history  {taken} events, {rate:.0}/s");
}

/// Processes one batch; how long that took, and what was found.
fn take(
    engine: &mut Engine,
    mix: &mut Mix,
    batch: &mut Vec<AccessEvent<'static>>,
) -> (Duration, Detections) {
    batch.clear();
    batch.extend((0..BATCH).map(|_| mix.next_call()));
    let mut out = Detections::default();
    let start = cpu_time();
    engine.process(batch, &mut out);
    (cpu_time().saturating_sub(start), out)
}

fn speed(engine: &mut Engine, mix: &mut Mix, tokens: u64) -> String {
    let events = usize::try_from(tokens)
        .expect("it fits")
        .clamp(BATCH, 1_000_000);
    let mut batch = Vec::with_capacity(BATCH);
    let mut findings = 0;
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut spent = Duration::ZERO;
            for _ in 0..events / BATCH {
                let (time, out) = take(engine, mix, &mut batch);
                spent += time;
                findings += out.findings.len();
            }
            (events / BATCH * BATCH) as f64 / spent.as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    format!(
        "median {:.0}/s of {ROUNDS} rounds of {events} events (least {:.0}, most {:.0}), {findings} findings",
        rates[ROUNDS / 2],
        rates[0],
        rates[ROUNDS - 1],
    )
}

fn report_state(engine: &Engine, tokens: u64, before: Option<u64>) {
    let stats = engine.stats();
    let each = |bytes: f64| bytes / tokens as f64;
    let resident = before
        .zip(resident_bytes())
        .map(|(before, now)| format!("{:.0}", each(now.saturating_sub(before) as f64)));
    println!(
        "state    {} tokens, {:.0} bytes each with their index, {} at most; {} resident; {} cases",
        stats.tokens,
        each(stats.state_bytes as f64),
        stats.largest_token_bytes,
        resident.unwrap_or_else(|| "?".to_owned()),
        stats.cases,
    );
}

/// Everything, then only what changed, then back from bytes.
fn checkpoint_and_restore(
    mut engine: Engine,
    mix: &mut Mix,
    tokens: u64,
    settings: &Arc<DetectorSettings>,
) {
    let start = cpu_time();
    let whole = engine.checkpoint();
    let bytes: usize = whole.tokens.iter().map(|token| token.state.len()).sum();
    println!(
        "written  {} tokens of {:.0} bytes in {:.1} s; the engine's own state {} bytes",
        whole.tokens.len(),
        bytes as f64 / tokens as f64,
        cpu_time().saturating_sub(start).as_secs_f64(),
        whole.engine_state.len(),
    );
    let mut batch = Vec::with_capacity(BATCH);
    let mut called: Vec<TokenId> = Vec::new();
    for _ in 0..10 {
        take(&mut engine, mix, &mut batch);
        called.extend(
            batch
                .iter()
                .filter_map(|event| Some(event.token.as_ref()?.id)),
        );
    }
    called.sort_unstable();
    called.dedup();
    let start = cpu_time();
    let changed = engine.checkpoint();
    println!(
        "changed  {} tokens of {} that called, in {:.2} s",
        changed.tokens.len(),
        called.len(),
        cpu_time().saturating_sub(start).as_secs_f64(),
    );
    drop(engine);
    let states = whole
        .tokens
        .iter()
        .map(|token| (token.id, token.state.as_slice()));
    let start = cpu_time();
    let restored = Engine::restore(Arc::clone(settings), Some(&whole.engine_state), states);
    let restored = restored.expect("it was just written");
    println!(
        "restored {} tokens in {:.1} s",
        restored.stats().tokens,
        cpu_time().saturating_sub(start).as_secs_f64(),
    );
}

/// What this thread has used of a core; where the kernel does not say it, the time since the first call.
fn cpu_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Memory of this process, where the kernel says it.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<u64>().ok()? * 4_096)
}
