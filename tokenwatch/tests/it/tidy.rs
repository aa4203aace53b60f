//! Rules of the source tree: who may know whom, how long a file may be, what must be documented.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};
use tokenwatch_model::{Detector, Format};

/// The end of the road for a file; see CONTRIBUTING.md.
const FILE_LINES_LIMIT: usize = 500;

/// Which crates of the workspace each may use.
const MAY_USE: [(&str, &[&str]); 6] = [
    ("tokenwatch-model", &[]),
    ("tokenwatch-ingest", &["tokenwatch-model"]),
    ("tokenwatch-detectors", &["tokenwatch-model"]),
    ("tokenwatch-store", &["tokenwatch-model"]),
    (
        "tokenwatch-alerting",
        &["tokenwatch-model", "tokenwatch-store"],
    ),
    (
        "tokenwatch-dashboards",
        &["tokenwatch-model", "tokenwatch-store"],
    ),
];
/// Libraries that stay where they are wrapped.
const ONLY_IN: [(&str, &[&str]); 5] = [
    ("rdkafka", &["tokenwatch-ingest", "tokenwatch-alerting"]),
    ("maxminddb", &["tokenwatch-ingest"]),
    ("clickhouse", &["tokenwatch-store"]),
    ("lettre", &["tokenwatch-alerting"]),
    ("libloading", &["tokenwatch-store"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// Source files of the workspace, without what was built or fetched.
fn sources(extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(
                    name.as_str(),
                    "target" | "node_modules" | "dist" | "fetched" | "data"
                ) && !name.starts_with('.')
                {
                    folders.push(path);
                }
            } else if extensions.iter().any(|extension| name.ends_with(extension)) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn crates_know_only_whom_they_may() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let uses = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal);
        for dependency in uses {
            let may = MAY_USE.iter().find(|(name, _)| package.name == *name);
            let ours = dependency.name.starts_with("tokenwatch-");
            if ours && may.is_some_and(|(_, may)| !may.contains(&dependency.name.as_str())) {
                wrong.push(format!("{} may not use {}", package.name, dependency.name));
            }
            let only = ONLY_IN.iter().find(|(name, _)| dependency.name == *name);
            if only.is_some_and(|(_, only)| !only.contains(&package.name.as_str())) {
                wrong.push(format!("{} may not use {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let long: Vec<String> = sources(&[".rs", ".ts", ".svelte"])
        .into_iter()
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            (lines > FILE_LINES_LIMIT).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_detector_has_fixtures_a_page_and_a_row() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for detector in Detector::ALL {
        let cases = root()
            .join("detectors/tests/scenarios")
            .join(detector.name());
        let count = fs::read_dir(&cases).map_or(0, Iterator::count);
        assert!(count >= 3, "{} has {count} scenarios", cases.display());
        let page = root().join(format!("docs/detectors/{detector}.md"));
        assert!(page.exists(), "{}", page.display());
        assert!(
            readme.contains(&format!("`{detector}`")),
            "README.md does not name {detector}"
        );
    }
}

#[test]
fn every_format_has_fixtures_and_a_section() {
    let page = fs::read_to_string(root().join("docs/formats.md")).unwrap();
    for format in Format::ALL {
        let fixtures = root().join("ingest/tests/fixtures").join(format.name());
        assert!(fixtures.is_dir(), "{}", fixtures.display());
        assert!(
            page.contains(&format!("`{format}`")),
            "docs/formats.md does not name {format}"
        );
    }
}

#[test]
fn every_metric_is_documented() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let mut missing = BTreeSet::new();
    for path in sources(&[".rs"]) {
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for name in text.split('"').filter(|text| is_metric(text)) {
            if !page.contains(name) {
                missing.insert(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "docs/metrics.md lacks {missing:#?}");
}

fn is_metric(text: &str) -> bool {
    [
        "ingest",
        "detectors",
        "store",
        "alerting",
        "dashboards",
        "pipeline",
    ]
    .iter()
    .any(|part| {
        text.strip_prefix("tokenwatch_")
            .and_then(|rest| rest.strip_prefix(part))
            .and_then(|rest| rest.strip_prefix('_'))
            .is_some_and(|rest| {
                rest.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            })
    })
}
