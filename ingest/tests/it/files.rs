//! The file source on real files.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokenwatch_ingest::{
    FileSource, FilesConfig, FilesHandle, FilesMetrics, SourceError, SourceEvent,
};
use tokenwatch_model::Position;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, Pipeline};

struct Running {
    handle: FilesHandle,
    metrics: FilesMetrics,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), SourceError>>,
}

fn config(dir: &TempDir, pattern: &str) -> FilesConfig {
    FilesConfig {
        paths: vec![dir.path().join(pattern).to_string_lossy().into_owned()],
        poll_interval: Duration::from_millis(10),
        rotated_wait: Duration::from_millis(300),
        ..FilesConfig::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for the task itself"
)]
fn start(config: &FilesConfig, tx: mpsc::Sender<SourceEvent>) -> Running {
    let settings = config.validate("files").expect("valid").expect("turned on");
    let metrics = FilesMetrics::default();
    let source = FileSource::new(settings, metrics.clone());
    let handle = source.handle();
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let task = tokio::spawn(async move { source.run(tx, stop).await });
    Running {
        handle,
        metrics,
        cancel,
        task,
    }
}

impl Running {
    async fn stop(self, pipeline: &mut Pipeline) {
        self.cancel.cancel();
        let answer = async {
            while let Some(event) = pipeline.rx.recv().await {
                if let SourceEvent::Revoked { done, .. } = event {
                    done.send(()).ok();
                }
            }
        };
        let (result, ()) =
            tokio::time::timeout(PATIENCE, async { tokio::join!(self.task, answer) })
                .await
                .expect("the source stops in time");
        result.expect("no panic").expect("no error");
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .expect("opens");
    file.write_all(text.as_bytes()).expect("writes");
}

fn texts(pipeline: &Pipeline) -> Vec<String> {
    let mut texts: Vec<_> = pipeline
        .received
        .values()
        .flatten()
        .map(|(_, text)| text.clone())
        .collect();
    texts.sort();
    texts
}

fn file(dir: &TempDir, name: &str) -> PathBuf {
    dir.path().join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_read_once_they_are_whole() {
    let dir = TempDir::new().expect("a folder");
    let log = file(&dir, "access.log");
    append(&log, "1\r\n2\n3 begins");
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&dir, "*.log"), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 2).await;
    append(&log, " and ends\n");
    pipeline.run_until(|pipeline| pipeline.count() == 3).await;
    let lines = pipeline.received.values().next().expect("one stream");
    let expected = [(0, "1"), (3, "2"), (5, "3 begins and ends")];
    assert_eq!(
        lines,
        &expected.map(|(offset, text)| (offset, text.to_owned()))
    );
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_renamed_goes_on_under_its_identity() {
    let dir = TempDir::new().expect("a folder");
    let (log, rotated) = (file(&dir, "access.log"), file(&dir, "access.log.1"));
    append(&log, "old 1\n");
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&dir, "access.log*"), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 1).await;
    fs::rename(&log, &rotated).expect("renames");
    append(&log, "new 1\n");
    append(&rotated, "old 2\n");
    pipeline.run_until(|pipeline| pipeline.count() == 3).await;
    assert_eq!(texts(&pipeline), ["new 1", "old 1", "old 2"]);
    assert_eq!(pipeline.received.len(), 2, "two files, two streams");
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_renamed_out_of_the_pattern_is_read_to_its_end() {
    let dir = TempDir::new().expect("a folder");
    let (log, rotated) = (file(&dir, "access.log"), file(&dir, "elsewhere"));
    append(&log, "old 1\n");
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&dir, "*.log"), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 1).await;
    fs::rename(&log, &rotated).expect("renames");
    append(&rotated, "old 2\nold 3 without a line break");
    // Its stream ends once nothing was written for a while; the last line is a line then.
    pipeline
        .run_until(|pipeline| pipeline.assigned.is_empty() && pipeline.count() == 3)
        .await;
    assert_eq!(
        texts(&pipeline),
        ["old 1", "old 2", "old 3 without a line break"]
    );
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_truncated_starts_again_as_another() {
    let dir = TempDir::new().expect("a folder");
    let log = file(&dir, "access.log");
    append(&log, "old 1\nold 2\n");
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&dir, "*.log"), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 2).await;
    File::create(&log).expect("truncates");
    append(&log, "new 1\n");
    pipeline.run_until(|pipeline| pipeline.count() == 3).await;
    assert_eq!(running.metrics.truncations.get(), 1);
    // Longer than before at once: only the first line shows that it is other content.
    File::create(&log).expect("truncates");
    append(&log, "newer 1\nnewer 2\n");
    pipeline.run_until(|pipeline| pipeline.count() == 5).await;
    assert_eq!(
        texts(&pipeline),
        ["new 1", "newer 1", "newer 2", "old 1", "old 2"]
    );
    assert_eq!(pipeline.received.len(), 3);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_reading_goes_on_at_the_positions_even_in_renamed_files() {
    let dir = TempDir::new().expect("a folder");
    let (log, rotated) = (file(&dir, "access.log"), file(&dir, "access.log.1"));
    append(&log, "old 1\n");
    let config = config(&dir, "access.log*");
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config, tx);
    pipeline.run_until(|pipeline| pipeline.count() == 1).await;
    running.stop(&mut pipeline).await;

    append(&log, "old 2\n");
    fs::rename(&log, &rotated).expect("renames");
    append(&log, "new 1\n");
    let (tx, mut restarted) = Pipeline::new(4);
    restarted.positions = pipeline.positions;
    let running = start(&config, tx);
    restarted.run_until(|pipeline| pipeline.count() == 2).await;
    assert_eq!(texts(&restarted), ["new 1", "old 2"]);
    running.stop(&mut restarted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_files_are_read_once_and_excluded_ones_never() {
    let dir = TempDir::new().expect("a folder");
    for name in ["a.log.gz", "b.log.gz"] {
        let target = File::create(file(&dir, name)).expect("creates");
        let mut encoder = flate2::write::GzEncoder::new(target, flate2::Compression::fast());
        encoder
            .write_all(format!("{name} 1\n{name} 2").as_bytes())
            .expect("writes");
        encoder.finish().expect("finishes");
    }
    let mut config = config(&dir, "*.gz");
    config.exclude = vec!["*/b.*".to_owned()];
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config, tx);
    pipeline.run_until(|pipeline| pipeline.count() == 2).await;
    append(&file(&dir, "c.gz"), "not gzip");
    let mut waits = tokio::time::interval(Duration::from_millis(10));
    while running.metrics.errors.get() == 0 {
        waits.tick().await;
    }
    assert_eq!(texts(&pipeline), ["a.log.gz 1", "a.log.gz 2"]);
    assert_eq!(running.metrics.records.get(), 2);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_over_the_limit_is_handed_over_cut_and_the_next_one_is_whole() {
    let dir = TempDir::new().expect("a folder");
    append(
        &file(&dir, "a.log"),
        &format!("first\n{}\nlast\n", "x".repeat(300_000)),
    );
    let mut config = config(&dir, "*.log");
    config.line_bytes_limit = bytesize::ByteSize::b(100);
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config, tx);
    pipeline.run_until(|pipeline| pipeline.count() == 3).await;
    assert_eq!(
        texts(&pipeline),
        ["first".to_owned(), "last".to_owned(), "x".repeat(101)]
    );
    assert_eq!(running.metrics.oversized.get(), 1);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_files_than_may_be_open_are_all_read() {
    let dir = TempDir::new().expect("a folder");
    for number in 0..20 {
        append(
            &file(&dir, &format!("{number:02}.log")),
            &format!("{number:02} a\n"),
        );
    }
    let mut config = config(&dir, "*.log");
    config.open_files_limit = 3;
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config, tx);
    pipeline.run_until(|pipeline| pipeline.count() == 20).await;
    for number in 0..20 {
        append(
            &file(&dir, &format!("{number:02}.log")),
            &format!("{number:02} b\n"),
        );
    }
    pipeline.run_until(|pipeline| pipeline.count() == 40).await;
    assert_eq!(pipeline.received.len(), 20);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_deleted_once_they_are_checkpointed_except_the_newest() {
    let dir = TempDir::new().expect("a folder");
    let names = ["events-1", "events-2", "events-3"];
    for name in names {
        append(&file(&dir, name), &format!("{name}\n"));
    }
    let mut config = config(&dir, "events-*");
    config.delete_after_checkpoint = true;
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config, tx);
    pipeline.run_until(|pipeline| pipeline.count() == 3).await;
    assert!(
        names.iter().all(|name| file(&dir, name).exists()),
        "nothing is checkpointed yet"
    );
    let positions: Vec<_> = pipeline
        .positions
        .iter()
        .map(|(stream, next_offset)| Position {
            stream: stream.clone(),
            next_offset: *next_offset,
        })
        .collect();
    running.handle.committed(&positions);
    pipeline
        .run_until(|pipeline| pipeline.assigned.len() == 1)
        .await;
    assert_eq!(
        names.map(|name| file(&dir, name).exists()),
        [false, false, true]
    );
    assert_eq!(running.metrics.deleted.get(), 2);
    running.stop(&mut pipeline).await;
}
