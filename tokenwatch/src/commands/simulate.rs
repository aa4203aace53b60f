//! `tokenwatch simulate`: labelled traffic as log lines, or how well detection does on it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokenwatch_detectors::{DetectorSettings, DetectorsConfig};
use tokenwatch_ingest::{Geo, GeoState, IngestMetrics};

use super::input;
use crate::cli::SimulateArgs;
use crate::config::Settings;
use crate::simulate::{self, Options, World};

/// Simulates as `args` say.
pub(super) fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let settings = input::settings(args.config.as_deref())?;
    let key = input::token_key(&settings)?;
    let options = Options {
        seed: args.seed,
        days: args.days,
        tokens: args.tokens as usize,
        format: args.format.format(),
        mix: args.mix,
        attacks: args.attacks,
    };
    let world = World::new(options, &key);
    let config = detectors_config(args.config.as_deref(), &world)?;
    if let Some(path) = &args.write_config {
        let text = toml::to_string(&toml::Table::from_iter([(
            "detectors".to_owned(),
            toml::Value::try_from(&config)?,
        )]))?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    if args.evaluate {
        return evaluate(args, world, &settings, &config);
    }
    let world = write_lines(world)?;
    write_labels(args, &world)
}

/// The detectors' configuration with what the simulated deployment adds to it.
fn detectors_config(file: Option<&Path>, world: &World) -> anyhow::Result<DetectorsConfig> {
    let mut config = match file {
        Some(path) => crate::config::detectors(path)?,
        None => DetectorsConfig::default(),
    };
    simulate::configure(world, &mut config);
    Ok(config)
}

fn write_lines(mut world: World) -> anyhow::Result<World> {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    while let Some(calls) = world.next_day() {
        for line in world.lines(&calls) {
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    drop(out);
    Ok(world)
}

fn write_labels(args: &SimulateArgs, world: &World) -> anyhow::Result<()> {
    let Some(path) = &args.labels else {
        return Ok(());
    };
    let mut out = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    simulate::write_labels(world, &mut out)?;
    Ok(out.flush()?)
}

fn evaluate(
    args: &SimulateArgs,
    world: World,
    settings: &Settings,
    config: &DetectorsConfig,
) -> anyhow::Result<()> {
    let detectors: DetectorSettings = config.validate("detectors").map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", problems.join("\n"))
    })?;
    let geo = Geo::open(&settings.ingest.geo, &IngestMetrics::default());
    if geo.state() != GeoState::Ready {
        eprintln!(
            "NO GEO DATABASES: nobody knows where calls come from, so thefts will not be found (deploy/fetch/fetch.sh gets them)"
        );
    }
    let bar = ProgressBar::new(args.days.unsigned_abs().into());
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(2));
    bar.set_style(
        ProgressStyle::with_template("day {pos} {wide_bar} {elapsed} {eta}")
            .expect("the template is valid"),
    );
    let (world, evaluation) = simulate::evaluate(world, &Arc::new(detectors), &geo, |day| {
        bar.set_position(u64::from(day.max(0).unsigned_abs()));
    });
    bar.finish_and_clear();
    write_labels(args, &world)?;
    let mut out = BufWriter::new(io::stdout().lock());
    evaluation.write(&mut out)?;
    out.flush()?;
    if let Some(path) = &args.report {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        serde_json::to_writer_pretty(BufWriter::new(file), &evaluation)?;
    }
    Ok(())
}
