//! Scenario folders: `tests/scenarios/<detector>/<case>/` with `events.ndjson` and the `findings.ndjson` that they must
//! lead to, in their last versions. `config.toml` is what stands below `[detectors]`; `registry.ndjson` is what is known of
//! tokens, and since when; `history.toml` describes a quiet past that is generated rather than written down. `TOKENWATCH_BLESS=1` writes the findings anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokenwatch_detectors::{Detections, Engine, Registry};
use tokenwatch_model::{AccessEvent, Detector, Registration, RegistryKey, Timestamp, TokenId};

use crate::support::{last_versions, settings};

/// A past in which the first event of the scenario is repeated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct History {
    days: i64,
    every_s: i64,
    until: String,
    /// Only between these hours of a day, UTC.
    #[serde(default)]
    hours: Option<[i64; 2]>,
    /// Only from Monday to Friday.
    #[serde(default)]
    weekdays: bool,
    /// By how much the calls of a day grow every day.
    #[serde(default)]
    growth_per_day: Option<f64>,
    /// By turns of these gateway nodes, and of so many tokens.
    #[serde(default)]
    gateways: Vec<String>,
    #[serde(default)]
    tokens: Option<u128>,
}

/// A line of the registry: an entry that counts from a time on, or from the beginning.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(default)]
    since: Timestamp,
    entry: Registration,
}

/// Detectors that only ever give evidence: their scenarios are judged by signals.
const SIGNALS_ONLY: [Detector; 3] = [
    Detector::OffHoursUse,
    Detector::SlowDrift,
    Detector::NewEndpoint,
];

#[test]
fn every_scenario_leads_to_its_findings() {
    let bless = std::env::var_os("TOKENWATCH_BLESS").is_some();
    let mut failed = Vec::new();
    for detector in Detector::ALL {
        let cases = folders(&root().join(detector.name()));
        assert!(
            cases.len() >= 3,
            "{detector} has a true positive, a near miss and a late case"
        );
        for case in cases {
            let got = findings_of(&detections_of(&case));
            let path = case.join("findings.ndjson");
            if bless {
                fs::write(&path, &got).expect("write");
            }
            let want = fs::read_to_string(&path).expect("findings.ndjson");
            if got != want {
                failed.push(format!("{}\n got: {got}\nwant: {want}", case.display()));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn scenarios_find_what_their_folder_is_named_after_and_near_misses_do_not() {
    for detector in Detector::ALL {
        for case in folders(&root().join(detector.name())) {
            let name = case
                .file_name()
                .expect("named")
                .to_string_lossy()
                .into_owned();
            let out = detections_of(&case);
            let found = if SIGNALS_ONLY.contains(&detector) {
                out.signals.iter().any(|signal| signal.detector == detector)
            } else {
                out.findings
                    .iter()
                    .any(|finding| finding.detector == detector)
            };
            assert_eq!(found, !name.starts_with("near_miss"), "{}", case.display());
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(path)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    folders
}

fn detections_of(case: &Path) -> Detections {
    let config = fs::read_to_string(case.join("config.toml")).unwrap_or_default();
    let text = fs::read_to_string(case.join("events.ndjson")).expect("events.ndjson");
    let events: Vec<AccessEvent<'_>> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let mut engine = Engine::new(settings(&config));
    let known = known(case);
    let leak = known.iter().position(|line| line.entry.leaked.is_some());
    engine.set_registry(Arc::new(registry(&known[..leak.unwrap_or(known.len())])));
    let mut out = Detections::default();
    if let Ok(history) = fs::read_to_string(case.join("history.toml")) {
        let history: History = toml::from_str(&history).expect("history.toml");
        engine.process(&past(&history, &events[0]), &mut out);
    }
    // A leak, and what is said after it, is told between the events.
    let mut rest = &events[..];
    for (index, line) in known.iter().enumerate() {
        if line.entry.leaked.is_some() || known[..index].iter().any(|k| k.entry.leaked.is_some()) {
            let (before, after) = rest.split_at(rest.partition_point(|e| e.ts < line.since));
            engine.process(before, &mut out);
            engine.set_registry(Arc::new(registry(&known[..=index])));
            engine.tell_leaks(&mut out);
            rest = after;
        }
    }
    engine.process(rest, &mut out);
    engine.finish(&mut out);
    out
}

fn known(case: &Path) -> Vec<Known> {
    let text = fs::read_to_string(case.join("registry.ndjson")).unwrap_or_default();
    let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    text.lines().map(read).collect()
}

fn registry(known: &[Known]) -> Registry {
    let mut registry = Registry::default();
    for Known { since, entry } in known.iter().cloned() {
        match entry.check().expect("a valid entry") {
            RegistryKey::Token(id) if entry.leaked.is_some() => {
                registry.leak(id, since, Some(entry));
            }
            RegistryKey::Token(id) if entry.owner.is_none() && entry.revoked.is_some() => {
                registry.revoke(id, since, entry.revoked);
            }
            key => registry.put(&key, since, Some(entry)),
        }
    }
    registry
}

fn findings_of(out: &Detections) -> String {
    last_versions(&out.findings)
        .iter()
        .fold(String::new(), |mut lines, finding| {
            writeln!(lines, "{}", serde_json::to_string(finding).expect("JSON")).expect("a string");
            lines
        })
}

fn past<'a>(history: &History, like: &AccessEvent<'a>) -> Vec<AccessEvent<'a>> {
    let until: Timestamp = history.until.parse().expect("a time");
    let mut random = fastrand::Rng::with_seed(1);
    let calls = history.days * 86_400 / history.every_s;
    let mut events = Vec::new();
    for number in 0..calls {
        let back = (calls - number) * history.every_s;
        // Of the calls of a day, the part that growth has not reached yet is left out.
        let days_back = back as f64 / 86_400.0;
        let missing = |growth: f64| random.f64() > growth.powf(-days_back);
        if history.growth_per_day.is_some_and(missing) {
            continue;
        }
        let jitter = random.i64(0..history.every_s * 1_000_000);
        let mut event = like.clone();
        event.ts = Timestamp::from_micros(until.as_micros() - back * 1_000_000 + jitter);
        let turn = number as usize;
        if let Some(gateway) = history.gateways.get(turn % history.gateways.len().max(1)) {
            event.origin.gateway = Some(gateway.clone().into());
        }
        if let (Some(tokens), Some(token)) = (history.tokens, &mut event.token) {
            token.id = TokenId::from_bits(1 + number as u128 % tokens);
        }
        let (day, hour) = (
            event.ts.as_secs().div_euclid(86_400),
            event.ts.as_secs().rem_euclid(86_400) / 3_600,
        );
        let in_hours = history
            .hours
            .is_none_or(|[from, to]| (from..to).contains(&hour));
        // 1970-01-01 was a Thursday.
        if in_hours && !(history.weekdays && (day + 3).rem_euclid(7) >= 5) {
            events.push(event);
        }
    }
    events
}
