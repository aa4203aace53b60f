//! Walks through files and folders; repositories of git are read with their whole history.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use tokenwatch_model::TokenId;

use super::{Hit, Place, Scan, archive, git};

/// Reads everything below `path`.
pub(crate) fn scan(scan: &Scan<'_>, path: &Path) {
    let mut found = Found::default();
    if let Err(error) = walk(path.to_owned(), &mut found, scan) {
        scan.problem(path.display(), error);
    }
    found.files.par_iter().for_each(|path| {
        if let Err(error) = file(scan, path) {
            scan.problem(path.display(), error);
        }
    });
    for repository in found.repositories {
        if let Err(error) = git::scan(scan, &repository) {
            scan.problem(repository.display(), error);
        }
    }
}

#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    repositories: Vec<PathBuf>,
}

/// Collects what is below `path`. Links are not followed: what they lead to is read where it is, or is elsewhere.
fn walk(path: PathBuf, found: &mut Found, scan: &Scan<'_>) -> io::Result<()> {
    let kind = fs::metadata(&path)?;
    if !kind.is_dir() {
        found.files.push(path);
        return Ok(());
    }
    let mut folders = vec![path];
    while let Some(folder) = folders.pop() {
        if git::is_repository(&folder) {
            found.repositories.push(folder.clone());
            if folder.join("HEAD").is_file() {
                continue;
            }
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                scan.problem(folder.display(), error);
                continue;
            }
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                // Its objects are packed: git reads them.
                if entry.file_name() != ".git" {
                    folders.push(entry.path());
                }
            } else if kind.is_file() {
                found.files.push(entry.path());
            }
        }
    }
    Ok(())
}

fn file(scan: &Scan<'_>, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    scan.counts.files.fetch_add(1, Ordering::Relaxed);
    let mut start = [0; archive::MAGIC_BYTES];
    let length = read_start(&mut file, &mut start)?;
    file.rewind()?;
    let name = path.display().to_string();
    let found = scan.read(&mut file)?;
    hit(scan, &name, None, found);
    if let Some(kind) = archive::Kind::of(&start[..length]) {
        file.rewind()?;
        archive::open(scan, kind, file, &name)?;
    }
    Ok(())
}

/// Fills `start` from the beginning of a file, as far as that has as much.
pub(super) fn read_start(text: &mut dyn Read, start: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < start.len() {
        match text.read(&mut start[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// Notes what was found in a file.
pub(super) fn hit(scan: &Scan<'_>, file: &str, entry: Option<&str>, found: Vec<(TokenId, u64)>) {
    scan.add(found.into_iter().map(|(token, line)| Hit {
        token,
        place: Place {
            file: file.to_owned(),
            entry: entry.map(str::to_owned),
            commit: None,
            line,
        },
    }));
}
