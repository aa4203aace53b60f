//! Where `libchdb.so` is.

use std::path::{Path, PathBuf};

const FILE: &str = "libchdb.so";
/// Where `make fetch` puts it, below the project's folder.
const FETCHED: &str = "deploy/fetched/chdb";
/// Where packages put it.
const INSTALLED: &str = "/usr/lib/tokenwatch";

/// The library: the one configured, else the first that exists in the usual places.
pub(crate) fn find(configured: Option<&Path>) -> Result<PathBuf, String> {
    let places = match configured {
        Some(path) => vec![path.to_owned()],
        None => usual_places(),
    };
    let found = places.iter().find(|path| path.is_file());
    found.cloned().ok_or_else(|| {
        let places: Vec<_> = places
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        format!(
            "{FILE} is not at {}: run `make fetch`, or set store.embedded.library",
            places.join(", ")
        )
    })
}

fn usual_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Ok(binary) = std::env::current_exe() {
        // Next to the binary, and at the project's root for one in target/release or target/debug/deps.
        let folders = binary.ancestors().skip(1).take(4);
        places.extend(folders.clone().take(1).map(|folder| folder.join(FILE)));
        places.extend(folders.map(|folder| folder.join(FETCHED).join(FILE)));
    }
    places.push(Path::new(FETCHED).join(FILE));
    places.push(Path::new(INSTALLED).join(FILE));
    places
}
