//! Simulated traffic is reproducible, and means the same as lines and as events.

use std::collections::HashSet;
use std::sync::Arc;

use tokenwatch_detectors::{Detections, DetectorsConfig, Engine};
use tokenwatch_ingest::{
    Decoder, FormatChoice, Geo, GeoState, IngestMetrics, RecordBatch, TokenKey,
};
use tokenwatch_model::{AccessEvent, Finding, Format, Origin, StreamId};

use super::calendar::start_of;
use super::call::Call;
use super::event::Rendered;
use super::options::Options;
use super::world::World;
use crate::pipeline;

const FORMATS: [(Format, FormatChoice); 3] = [
    (Format::Kong, FormatChoice::Kong),
    (Format::Nginx, FormatChoice::Nginx),
    (Format::Envoy, FormatChoice::Envoy),
];

fn key() -> TokenKey {
    TokenKey::from_bytes(&[7; 32])
}

/// The usual databases; without them places are unknown on both sides, which is told.
fn geo() -> Geo {
    let settings = crate::config::defaults();
    let geo = Geo::open(&settings.ingest.geo, &IngestMetrics::default());
    if geo.state() != GeoState::Ready {
        eprintln!("SKIPPED: places are not compared, for there are no geo databases");
    }
    geo
}

fn decoder(format: FormatChoice) -> Decoder {
    let mut settings = crate::config::defaults().ingest.decoder;
    settings.format = format;
    Decoder::new(settings, key(), geo(), IngestMetrics::default())
}

/// The lines of `calls` as one file.
fn records(world: &World, calls: &[Call]) -> RecordBatch {
    let mut batch = RecordBatch {
        streams: vec![Arc::new(StreamId {
            topic: "simulated".to_owned(),
            partition: 0,
        })],
        ..RecordBatch::default()
    };
    for (offset, line) in (0..).zip(world.lines(calls)) {
        batch.push(0, offset, offset + 1, None, line.as_bytes());
    }
    batch
}

/// The same event, wherever it was read.
fn without_position(mut event: AccessEvent<'_>) -> AccessEvent<'_> {
    event.origin = Origin {
        gateway: event.origin.gateway,
        ..Origin::default()
    };
    event
}

#[test]
fn the_same_seed_gives_the_same_lines_in_the_order_in_which_they_come() {
    let draw = |seed| {
        let options = Options {
            seed,
            ..Options::for_test()
        };
        let mut world = World::new(options, &key());
        let mut lines = Vec::new();
        while let Some(calls) = world.next_day() {
            assert!(calls.is_sorted_by_key(|call| call.arrives));
            lines.extend(world.lines(&calls));
        }
        lines
    };
    let first = draw(1);
    assert!(first.len() > 1_000);
    assert_eq!(first, draw(1));
    assert_ne!(first, draw(2));
}

#[test]
fn attacks_leave_the_owners_calls_as_they_are() {
    let draw = |attacks| {
        let options = Options {
            attacks,
            ..Options::for_test()
        };
        let mut world = World::new(options, &key());
        let mut own = HashSet::new();
        while let Some(calls) = world.next_day() {
            let of_owners = calls.iter().filter(|call| call.attack().is_none());
            own.extend(of_owners.map(|call| (call.holder, call.request)));
        }
        own
    };
    let (with, without) = (draw(true), draw(false));
    // Tokens that are attacked young, or after a silence, are not there on the same days.
    let missing = without.difference(&with).count();
    assert!(
        missing * 5 < without.len(),
        "{missing} of {}",
        without.len()
    );
}

#[test]
fn a_line_decodes_to_the_event_that_is_judged() {
    let geo = geo();
    for (format, choice) in FORMATS {
        let decoder = decoder(choice);
        let options = Options {
            format,
            ..Options::for_test()
        };
        let mut world = World::new(options, &key());
        let mut calls = Vec::new();
        while let Some(mut day) = world.next_day() {
            // Every attack's first calls, and some of everybody's.
            let mut nth = 0;
            day.retain(|call| {
                nth += 1;
                call.attack().is_some() || nth % 50 == 0
            });
            calls.extend(day);
        }
        let batch = records(&world, &calls);
        let read = pipeline::decode(&decoder, &batch);
        assert!(read.rejects.is_empty(), "{:?}", read.rejects.first());
        assert_eq!(read.events.len(), calls.len());
        let mut rendered = Rendered::default();
        rendered.fill(&world, &calls);
        for (index, (event, call)) in read.events.into_iter().zip(&calls).enumerate() {
            let judged = rendered.event(&world, &geo, index, call, true);
            assert_eq!(without_position(event), without_position(judged));
        }
    }
}

#[test]
fn lines_lead_to_the_same_findings_as_events() {
    let geo = geo();
    let decoder = decoder(FormatChoice::Nginx);
    let mut world = World::new(Options::for_test(), &key());
    let mut config = DetectorsConfig::default();
    super::configure(&world, &mut config);
    let settings = Arc::new(config.validate("detectors").unwrap());
    let mut of_lines = Judged::new(&settings);
    let mut of_events = Judged::new(&settings);
    while let Some(calls) = world.next_day() {
        let batch = records(&world, &calls);
        of_lines.take(&pipeline::decode(&decoder, &batch).events);
        let mut rendered = Rendered::default();
        rendered.fill(&world, &calls);
        let events: Vec<AccessEvent<'_>> = (calls.iter().enumerate())
            .map(|(index, call)| rendered.event(&world, &geo, index, call, true))
            .collect();
        of_events.take(&events);
    }
    let (lines, events) = (of_lines.findings(), of_events.findings());
    assert!(!lines.is_empty());
    assert_eq!(lines, events);
}

#[test]
fn every_attack_takes_place_after_the_warm_up() {
    let mut world = World::new(Options::for_test(), &key());
    while world.next_day().is_some() {}
    let carried_out = world.runs.iter().flatten().count();
    // An idle token may have had nothing to swell or to copy.
    assert!(
        carried_out * 10 >= world.runs.len() * 8,
        "{carried_out} of {}",
        world.runs.len()
    );
    for run in world.runs.iter().flatten() {
        assert!(run.start >= start_of(super::options::WARMUP_DAYS));
        assert!(run.calls.is_sorted() && run.calls.first() == Some(&run.start));
    }
}

/// An engine and its findings.
struct Judged {
    engine: Engine,
    findings: Vec<Finding>,
}

impl Judged {
    fn new(settings: &Arc<tokenwatch_detectors::DetectorSettings>) -> Self {
        Self {
            engine: Engine::new(Arc::clone(settings)),
            findings: Vec::new(),
        }
    }

    fn take(&mut self, events: &[AccessEvent<'_>]) {
        let mut detections = Detections::default();
        self.engine.process(events, &mut detections);
        self.findings.extend(detections.findings);
    }

    fn findings(mut self) -> Vec<Finding> {
        let mut detections = Detections::default();
        self.engine.finish(&mut detections);
        self.findings.extend(detections.findings);
        self.findings
    }
}
