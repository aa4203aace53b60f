//! Runs detection over simulated traffic, in the process, and tells what it found, what it missed and what it made up.
//!
//! Two engines see the same traffic, one of them without the attacks: what that one finds in an attack's time on its
//! token is no detection but noise (the placebo). Days are drawn, judged with and judged without attacks side by side.

mod fitting;
mod gates;
mod interval;
mod ledger;
mod quiet;
mod recall;
mod report;

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokenwatch_detectors::{Detections, DetectorSettings, Engine};
use tokenwatch_ingest::Geo;
use tokenwatch_model::AccessEvent;

use super::call::{Call, Cause};
use super::event::Rendered;
use super::world::World;
use gates::Gate;
use ledger::Ledger;
use quiet::Quiet;
use recall::Recall;

/// Events handed to an engine at once.
const BATCH_EVENTS: usize = 8_192;

/// What came out.
#[derive(Debug, Serialize)]
pub(crate) struct Evaluation {
    /// What was simulated.
    traffic: Traffic,
    /// What was found of the attacks.
    recall: Recall,
    /// What was found where nothing was.
    quiet: Quiet,
    /// What it has to reach.
    gates: Vec<Gate>,
}

/// What was simulated.
#[derive(Clone, Debug, Default, Serialize)]
struct Traffic {
    seed: u64,
    mix: &'static str,
    format: &'static str,
    tokens: usize,
    days: i32,
    events: u64,
    attacks: usize,
    secs: f64,
    /// The engine's own time for the traffic with attacks.
    engine_secs: f64,
    state_bytes_per_token: f64,
}

/// An engine and what it said.
struct Judge {
    engine: Engine,
    ledger: Ledger,
    with_attacks: bool,
    rendered: Rendered,
    events: u64,
    secs: f64,
}

/// Draws the whole of `world` and judges it under `settings`; `progress` hears how many days are done.
pub(crate) fn evaluate(
    mut world: World,
    settings: &Arc<DetectorSettings>,
    geo: &Geo,
    progress: impl Fn(i32),
) -> (World, Evaluation) {
    let started = Instant::now();
    let mut with = Judge::new(&world, settings, true);
    let mut without = Judge::new(&world, settings, false);
    let mut today = world.next_day();
    while let Some(calls) = today {
        rayon::join(
            || with.take(&world, &calls, geo),
            || without.take(&world, &calls, geo),
        );
        progress(world.days_drawn());
        today = world.next_day();
    }
    with.finish();
    without.finish();
    let engine = with.engine.stats();
    let traffic = Traffic {
        seed: world.options.seed,
        mix: world.options.mix.name(),
        format: world.options.format.name(),
        tokens: world.members.len(),
        days: world.options.days,
        events: with.events,
        attacks: world.attacks.len(),
        secs: started.elapsed().as_secs_f64(),
        engine_secs: with.secs,
        state_bytes_per_token: engine.state_bytes as f64 / engine.tokens.max(1) as f64,
    };
    let recall = Recall::new(&world, &with.ledger, &without.ledger);
    let quiet = Quiet::new(&world, &with.ledger);
    let evaluation = Evaluation {
        gates: gates::gates(&world, &recall, &quiet),
        traffic,
        recall,
        quiet,
    };
    (world, evaluation)
}

impl Judge {
    fn new(world: &World, settings: &Arc<DetectorSettings>, with_attacks: bool) -> Self {
        Self {
            engine: Engine::new(Arc::clone(settings)),
            ledger: Ledger::new(world),
            with_attacks,
            rendered: Rendered::default(),
            events: 0,
            secs: 0.0,
        }
    }

    /// Judges a day.
    fn take(&mut self, world: &World, calls: &[Call], geo: &Geo) {
        for calls in calls.chunks(BATCH_EVENTS) {
            self.rendered.fill(world, calls);
            let events: Vec<AccessEvent<'_>> = calls
                .iter()
                .enumerate()
                .filter(|(_, call)| self.with_attacks || !matches!(call.cause, Cause::Attack(_)))
                .map(|(index, call)| {
                    self.rendered
                        .event(world, geo, index, call, self.with_attacks)
                })
                .collect();
            let mut detections = Detections::default();
            let started = Instant::now();
            self.engine.process(&events, &mut detections);
            self.secs += started.elapsed().as_secs_f64();
            self.events += events.len() as u64;
            self.ledger.add(detections);
        }
    }

    /// Ends what is still open.
    fn finish(&mut self) {
        let mut detections = Detections::default();
        self.engine.finish(&mut detections);
        self.ledger.add(detections);
    }
}
