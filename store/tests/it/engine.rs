//! The embedded engine: killed, shared, opened again.

use std::time::Duration;

use tokenwatch_model::{Clock, Timestamp};
use tokenwatch_store::testing::TestStore;
use tokenwatch_store::{Store, StoreError, StoreMetrics, StoreSettings, Target};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fixtures::{count, event, origin, position};

const EVENTS: &str = "SELECT count() AS x FROM events";
const DISTINCT: &str = "SELECT uniqExact(topic, partition, offset, record_index) AS x FROM events";
const ROLLUP: &str = "SELECT sum(calls) AS x FROM rollup_minute";

/// Whether these settings start an engine of our own.
fn is_embedded(settings: &StoreSettings) -> bool {
    matches!(settings.target, Target::Embedded(_))
}

/// The engine's process, which its lock file names.
fn engine_process(test: &TestStore) -> String {
    let lock = test.folder.path().join("clickhouse/lock");
    let holder = std::fs::read_to_string(lock).unwrap();
    holder.trim().trim_start_matches("process ").to_owned()
}

fn kill(process: &str) {
    let status = std::process::Command::new("kill")
        .args(["-9", process])
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_amid_inserts_loses_and_doubles_nothing() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    if !is_embedded(&test.settings) {
        return;
    }
    let store = test.store.clone();
    let batches: Vec<Vec<_>> = (0..60)
        .map(|batch| (batch * 2_000..(batch + 1) * 2_000).map(event).collect())
        .collect();
    let (progress, mut done) = tokio::sync::watch::channel(0);
    let mut inserter = JoinSet::new();
    inserter.spawn(async move {
        for (number, batch) in batches.iter().enumerate() {
            store.insert_events(batch).await.unwrap();
            progress.send_replace(number);
        }
    });
    for batch in [5, 20, 35, 50] {
        done.wait_for(|number| *number >= batch).await.unwrap();
        kill(&engine_process(&test));
    }
    inserter.join_next().await.unwrap().unwrap();
    assert_eq!(count(&test, EVENTS).await, 120_000);
    assert_eq!(count(&test, DISTINCT).await, 120_000);
    assert_eq!(count(&test, ROLLUP).await, 120_000);
    test.close().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_engine_was_killed_and_opened_again() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    if !is_embedded(&test.settings) {
        return;
    }
    let events: Vec<_> = (0..5_000).map(event).collect();
    test.store.insert_events(&events).await.unwrap();
    kill(&engine_process(&test));
    let (settings, folder) = test.close().await;
    let test = TestStore::open_with(settings, folder).await;
    let stored = test.store.stored_since(&[position(1_000)]).await.unwrap();
    assert_eq!(stored.len(), 4_000);
    assert!(stored.contains(&origin(4_999)) && !stored.contains(&origin(999)));
    test.close().await;
}

#[tokio::test]
async fn state_says_when_the_engine_is_down_and_up_again() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    if !is_embedded(&test.settings) {
        return;
    }
    let mut state = test.store.state();
    assert!(state.borrow().is_up());
    kill(&engine_process(&test));
    state.wait_for(|state| !state.is_up()).await.unwrap();
    test.store.insert_events(&[event(1)]).await.unwrap();
    assert!(state.borrow().is_up());
    test.close().await;
}

#[tokio::test]
async fn two_processes_never_open_one_folder() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    if !is_embedded(&test.settings) {
        return;
    }
    let tracker = TaskTracker::new();
    let second = Store::open(
        &test.settings,
        Clock::fixed(Timestamp::default()),
        StoreMetrics::default(),
        &tracker,
        CancellationToken::new(),
    );
    let error = second.await.unwrap_err();
    assert!(matches!(error, StoreError::FolderInUse { .. }), "{error}");
    assert!(
        error.to_string().contains(&engine_process(&test)),
        "{error}"
    );
    test.close().await;
}

#[tokio::test]
async fn strangers_are_not_answered() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    if !is_embedded(&test.settings) {
        return;
    }
    let client = test.client().clone().with_password("wrong");
    let error = client
        .query("SELECT 1")
        .fetch_one::<u8>()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("516"), "{error}");
    test.close().await;
}

#[tokio::test]
async fn the_engine_ends_with_the_store() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    if !is_embedded(&test.settings) {
        return;
    }
    let process = engine_process(&test);
    let started = std::time::Instant::now();
    test.close().await;
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists());
    assert!(started.elapsed() < Duration::from_secs(8));
}
