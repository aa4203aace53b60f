//! Reads every object of a repository's history, with the git that is installed: packs, deltas, alternates and partial
//! clones are its business. Also objects that no branch has any more: they can still be fetched by who knows their names.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use tokenwatch_model::TokenId;

use super::{Hit, Place, Scan};

/// Objects that are read together, by their bytes.
const BATCH_BYTES: usize = 16 << 20;
/// Larger objects are not held: 256 MiB.
const OBJECT_BYTES: u64 = 256 << 20;

/// One object.
struct Object {
    id: String,
    text: Vec<u8>,
}

/// Whether `folder` is a repository, or has one.
pub(super) fn is_repository(folder: &Path) -> bool {
    folder.join(".git").exists()
        || (folder.join("HEAD").is_file() && folder.join("objects").is_dir())
}

/// Reads the history of the repository at `folder`.
pub(super) fn scan(scan: &Scan<'_>, folder: &Path) -> io::Result<()> {
    let mut child = git(folder)
        .args(["cat-file", "--batch", "--batch-all-objects", "--unordered"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| io::Error::other(format!("git cannot be started: {error}")))?;
    let output = child.stdout.take().expect("it is piped");
    let mut output = BufReader::with_capacity(1 << 20, output);
    let mut found = Vec::new();
    loop {
        let (batch, is_last) = read_batch(&mut output, scan, folder)?;
        scan.counts
            .objects
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
        found.extend(read_objects(&batch, scan));
        if is_last {
            break;
        }
    }
    ended(child)?;
    for (object, tokens) in found {
        let (commit, path) = first_commit(folder, &object);
        scan.add(tokens.into_iter().map(|(token, line)| Hit {
            token,
            place: Place {
                file: folder.display().to_string(),
                entry: path.clone().or_else(|| Some(format!("object {object}"))),
                commit: commit.clone(),
                line,
            },
        }));
    }
    Ok(())
}

/// The tokens in these objects, by the objects' names.
fn read_objects(batch: &[Object], scan: &Scan<'_>) -> Vec<(String, Vec<(TokenId, u64)>)> {
    let objects = batch.par_iter().filter_map(|object| {
        let found = scan.read(&mut &*object.text).expect("memory can be read");
        (!found.is_empty()).then(|| (object.id.clone(), found))
    });
    objects.collect()
}

/// The next objects, and whether they are the last: blobs, and commits and tags for their messages.
fn read_batch(
    output: &mut dyn BufRead,
    scan: &Scan<'_>,
    folder: &Path,
) -> io::Result<(Vec<Object>, bool)> {
    let mut batch = Vec::new();
    let mut held = 0;
    let mut header = String::new();
    while held < BATCH_BYTES {
        header.clear();
        if output.read_line(&mut header)? == 0 {
            return Ok((batch, true));
        }
        // <name> <type> <bytes>
        let mut parts = header.trim_end().split(' ');
        let (id, kind, size) = (parts.next(), parts.next(), parts.next());
        let (Some(id), Some(kind), Some(Ok(size))) = (id, kind, size.map(str::parse::<u64>)) else {
            scan.problem(
                folder.display(),
                format!("git does not have {}", header.trim_end()),
            );
            continue;
        };
        if kind == "tree" || size > OBJECT_BYTES {
            if kind != "tree" {
                scan.problem(
                    folder.display(),
                    format!("object {id} is larger than 256 MiB"),
                );
            }
            io::copy(&mut output.take(size + 1), &mut io::sink())?;
            continue;
        }
        let mut text = vec![0; usize::try_from(size).map_err(io::Error::other)?];
        output.read_exact(&mut text)?;
        output.read_exact(&mut [0])?;
        held += text.len();
        batch.push(Object {
            id: id.to_owned(),
            text,
        });
    }
    Ok((batch, false))
}

/// The first commit that has the object, and its path there. A commit's own message is in itself.
fn first_commit(folder: &Path, object: &str) -> (Option<String>, Option<String>) {
    let arguments = ["log", "--all", "--reverse", "--format=%H", "--name-only"];
    let Ok(output) = git(folder)
        .args(arguments)
        .arg(format!("--find-object={object}"))
        .output()
    else {
        return (None, None);
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let is_commit = |name: &&str| name.len() == object.len();
    match lines.next().filter(is_commit) {
        Some(commit) => (Some(commit.to_owned()), lines.next().map(str::to_owned)),
        None => (None, None),
    }
}

fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1");
    command
}

fn ended(mut child: Child) -> io::Result<()> {
    let mut told = String::new();
    if let Some(stderr) = &mut child.stderr {
        stderr.take(4_096).read_to_string(&mut told)?;
    }
    if child.wait()?.success() {
        return Ok(());
    }
    let told = told.lines().next().unwrap_or("failed");
    Err(io::Error::other(format!("git: {told}")))
}
