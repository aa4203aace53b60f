//! The sample lines that lie beside the project while it is developed: each gives events, and each is a fixture here, so that
//! the fixtures say of what. Elsewhere there are no samples, and the fixtures stand for them.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tokenwatch_ingest::{DecoderConfig, FormatChoice};

use super::{decode, decoder};

#[test]
fn every_sample_line_is_a_fixture_and_gives_events() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let Ok(files) = fs::read_dir(root.join("../../shared/reference/samples")) else {
        return;
    };
    let fixtures: HashSet<String> = FormatChoice::ALL
        .into_iter()
        .flat_map(|format| {
            let file = root.join("tests/fixtures").join(format.name());
            let text = fs::read_to_string(file.join("lines.log")).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let decoder = decoder(&DecoderConfig::default());
    for file in files {
        for sample in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            let sample: Value = serde_json::from_str(sample).unwrap();
            let line = sample["line"].as_str().unwrap();
            assert!(fixtures.contains(line), "no fixture has {line}");
            let (events, rejects) = decode(&decoder, 0, line.as_bytes());
            assert!(!events.is_empty() && rejects.is_empty(), "{line}");
        }
    }
}
