//! The whole path, decode to findings, against the yardstick: a plain typed `serde_json` parse of the same lines.
//!
//! Both are programs that read the same file with one thread, timed by their CPU time, in turns, so that what else the
//! machine does falls on both. `cargo bench -p tokenwatch --bench replay`; `-- --test` runs a small one once, `-- --write
//! FILE COUNT` only writes the lines, for `deploy/dev/bench_pipeline.py`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "replay/lines.rs"]
mod lines;
#[path = "../../ingest/benches/decode/yardstick.rs"]
mod yardstick;

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use lines::Shape;

/// Turns of each; the median counts.
const ROUNDS: usize = 5;
/// A second or so of work per turn.
const LINES: usize = 300_000;
/// Lines when only the benchmark itself is tested.
const TEST_LINES: usize = 2_000;
const READ_BUFFER_BYTES: usize = 1 << 20;

/// What one turn took.
#[derive(Clone, Copy)]
struct Turn {
    cpu_secs: f64,
    wall_secs: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--yardstick", path] => parse(Path::new(path)),
        ["--write", path, count] => write(Path::new(path), Shape::Whole, count.parse()?),
        _ if arguments.contains(&"--bench") && !arguments.contains(&"--test") => {
            // A name that `make bench` filters by.
            let is_wanted = |name: &&&str| !name.starts_with("--");
            match arguments.iter().find(is_wanted) {
                Some(name) if !"replay".contains(*name) => Ok(()),
                _ => measure(LINES, ROUNDS),
            }
        }
        _ => measure(TEST_LINES, 1),
    }
}

/// The yardstick: reads and parses every line, and does nothing with it.
fn parse(path: &Path) -> anyhow::Result<()> {
    let mut file = BufReader::with_capacity(READ_BUFFER_BYTES, File::open(path)?);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        black_box(serde_json::from_slice::<yardstick::Record>(&line)?);
        line.clear();
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "lines that end now are within every limit on age"
)]
fn write(path: &Path, shape: Shape, count: usize) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let mut out = BufWriter::new(File::create(path)?);
    let mut rng = fastrand::Rng::with_seed(1);
    lines::write(&mut out, shape, count, now - 60_000, &mut rng)?;
    Ok(out.flush()?)
}

fn measure(count: usize, rounds: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("kong.ndjson");
    println!(
        "{:<6} {:>6} {:>16} {:>16} {:>8} {:>20}",
        "lines", "bytes", "yardstick /s", "whole path /s", "ratio", "all cores, wall /s"
    );
    for (name, shape) in [("whole", Shape::Whole), ("short", Shape::Short)] {
        write(&path, shape, count)?;
        // Makes the deployment key, and has the file and the geo databases in the page cache.
        run(&replay(folder.path(), &path))?;
        let (mut plain, mut whole, mut all_cores) = (vec![], vec![], vec![]);
        for _ in 0..rounds {
            let mut yardstick = Command::new(std::env::current_exe()?);
            yardstick.arg("--yardstick").arg(&path);
            plain.push(run(&yardstick)?.cpu_secs);
            let mut one = replay(folder.path(), &path);
            one.env("RAYON_NUM_THREADS", "1");
            whole.push(run(&one)?.cpu_secs);
            all_cores.push(run(&replay(folder.path(), &path))?.wall_secs);
        }
        let bytes = path.metadata()?.len() / count as u64;
        let rate = |secs: &mut Vec<f64>| count as f64 / median(secs);
        let (plain, whole) = (rate(&mut plain), rate(&mut whole));
        let (ratio, all_cores) = (whole / plain, rate(&mut all_cores));
        println!("{name:<6} {bytes:>6} {plain:>16.0} {whole:>16.0} {ratio:>8.2} {all_cores:>20.0}");
    }
    Ok(())
}

fn replay(folder: &Path, path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenwatch"));
    command
        .args(["replay", "--format", "kong"])
        .arg(path)
        .current_dir(folder);
    command
}

/// Runs a program to its end under the shell's stopwatch, which knows the CPU time of its children.
fn run(program: &Command) -> anyhow::Result<Turn> {
    let started = Instant::now();
    let mut shell = Command::new("bash");
    shell
        .args([
            "-c",
            r#"TIMEFORMAT="%U %S"; time "$@" 2>&1 >/dev/null"#,
            "-",
        ])
        .arg(program.get_program())
        .args(program.get_args());
    shell.envs(
        program
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    if let Some(folder) = program.get_current_dir() {
        shell.current_dir(folder);
    }
    let output = shell.stdin(Stdio::null()).output().context("bash")?;
    let wall_secs = started.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{program:?} failed: {said}");
    let times = String::from_utf8_lossy(&output.stderr);
    let cpu_secs = times
        .split_whitespace()
        .map(str::parse::<f64>)
        .sum::<Result<f64, _>>()
        .with_context(|| format!("times: {times}"))?;
    Ok(Turn {
        cpu_secs,
        wall_secs,
    })
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
