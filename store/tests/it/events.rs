//! Events: the round trip, exactly once, and the roll-ups that go with them.

use tokenwatch_model::AccessEvent;
use tokenwatch_store::testing::TestStore;

use crate::fixtures::{NOW_SECS, bare_event, count, event, origin, position, token};

const EVENTS: &str = "SELECT count() AS x FROM events";
const DISTINCT: &str = "SELECT uniqExact(topic, partition, offset, record_index) AS x FROM events";
const ROLLUP: &str = "SELECT sum(calls) AS x FROM rollup_minute";
const FLEET: &str = "SELECT sum(calls) AS x FROM fleet_minute";

#[tokio::test]
async fn events_read_back_as_they_were() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let mut events = vec![event(0), event(1), bare_event(2)];
    events[1].client.ip = Some("2001:db8::1".parse().unwrap());
    test.store.insert_events(&events).await.unwrap();
    let mut stored = test.events("ORDER BY offset").await.unwrap();
    stored.sort_by_key(|event| event.origin.offset);
    assert_eq!(stored, events);
    test.close().await;
}

#[tokio::test]
async fn a_batch_over_many_weeks_is_one_insert() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let events: Vec<AccessEvent<'_>> = (0..700)
        .map(|day| {
            let mut event = event(day);
            event.ts = event.ts - std::time::Duration::from_hours(24 * day as u64);
            event
        })
        .collect();
    test.store.insert_events(&events).await.unwrap();
    let weeks = "SELECT uniqExact(partition_id) AS x FROM system.parts \
                 WHERE active AND database = currentDatabase() AND table = 'events'";
    assert!(count(&test, weeks).await > 10);
    test.close().await;
}

#[tokio::test]
async fn what_is_stored_past_a_position_is_known_exactly() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let events: Vec<_> = (0..100)
        .filter(|offset| offset % 3 != 0)
        .map(event)
        .collect();
    test.store.insert_events(&events).await.unwrap();
    let stored = test.store.stored_since(&[position(50)]).await.unwrap();
    for offset in 0..100 {
        let expected = offset >= 50 && offset % 3 != 0;
        assert_eq!(stored.contains(&origin(offset)), expected, "{offset}");
    }
    let mut second = origin(50);
    second.index = 1;
    assert!(!stored.contains(&second));
    test.close().await;
}

#[tokio::test]
async fn a_batch_that_was_stored_in_part_is_completed_and_not_doubled() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let events: Vec<_> = (0..1_000).map(event).collect();
    test.store.insert_events(&events[..600]).await.unwrap();
    // What a lost acknowledgement looks like to the next attempt.
    test.store.complete_events(&events).await.unwrap();
    assert_eq!(count(&test, EVENTS).await, 1_000);
    assert_eq!(count(&test, DISTINCT).await, 1_000);
    assert_eq!(count(&test, ROLLUP).await, 1_000);
    test.close().await;
}

#[tokio::test]
async fn rollups_agree_with_the_events_again_after_an_interrupted_insert() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let events: Vec<_> = (0..1_000).map(event).collect();
    test.store.insert_events(&events).await.unwrap();
    // A kill between the table and its views: rows on one side only, in both directions.
    for sql in [
        "TRUNCATE TABLE fleet_minute",
        "INSERT INTO rollup_minute (minute, token_id, calls) \
         SELECT minute, token_id, 5 FROM rollup_minute LIMIT 1",
        "ALTER TABLE rollup_minute DELETE WHERE token_id = (SELECT max(token_id) FROM events) \
         SETTINGS mutations_sync = 1",
        "TRUNCATE TABLE tokens",
    ] {
        test.client().query(sql).execute().await.unwrap();
    }
    assert_ne!(count(&test, ROLLUP).await, 1_000);
    for _ in 0..2 {
        test.store.stored_since(&[position(0)]).await.unwrap();
        assert_eq!(count(&test, ROLLUP).await, 1_000);
        assert_eq!(count(&test, FLEET).await, 1_000);
    }
    assert_eq!(
        count(&test, "SELECT sum(denied) AS x FROM rollup_minute").await,
        100
    );
    assert_eq!(
        count(&test, "SELECT count() AS x FROM tokens FINAL").await,
        7
    );
    test.close().await;
}

#[tokio::test]
async fn server_side_parameters_carry_any_text() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let nasty = "it's \\ a \"tab\"\t and\nline ?? {x:String} -- ; ü";
    let query = test.client().query("SELECT {a:String}").param("a", nasty);
    assert_eq!(query.fetch_one::<String>().await.unwrap(), nasty);
    let query = test.client().query("SELECT ?").bind(nasty);
    assert_eq!(query.fetch_one::<String>().await.unwrap(), nasty);
    test.close().await;
}

#[tokio::test]
async fn long_empty_and_failing_results_are_told_apart() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let sql = "SELECT number FROM numbers(300000)";
    let numbers = test.client().query(sql).fetch_all::<u64>().await.unwrap();
    assert!(numbers.iter().copied().eq(0..300_000));
    let sql = "SELECT number + throwIf(number = 250000) FROM numbers(300000)";
    let error = test
        .client()
        .query(sql)
        .fetch_all::<u64>()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("395"), "{error}");
    let error = test
        .client()
        .query("SELECT nothing")
        .fetch_all::<u64>()
        .await;
    assert!(error.unwrap_err().to_string().contains("Code: 47"));
    let sql = "SELECT number FROM numbers(0)";
    assert!(
        test.client()
            .query(sql)
            .fetch_all::<u64>()
            .await
            .unwrap()
            .is_empty()
    );
    test.close().await;
}

#[tokio::test]
async fn settings_of_a_query_end_with_it() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let sql = "SELECT toUInt64(getSetting('max_block_size'))";
    let query = || test.client().query(sql);
    let set = query()
        .with_setting("max_block_size", "17")
        .fetch_one::<u64>();
    assert_eq!(set.await.unwrap(), 17);
    for _ in 0..20 {
        assert_ne!(query().fetch_one::<u64>().await.unwrap(), 17);
    }
    test.close().await;
}

#[tokio::test]
async fn tokens_are_found_by_their_text() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let events: Vec<_> = (0..70).map(event).collect();
    test.store.insert_events(&events).await.unwrap();
    let sql = format!(
        "SELECT count() AS x FROM events WHERE token_id = '{}'",
        token(3)
    );
    assert_eq!(count(&test, &sql).await, 10);
    let sql = format!("SELECT count() AS x FROM events WHERE ts > fromUnixTimestamp({NOW_SECS})");
    assert_eq!(count(&test, &sql).await, 0);
    test.close().await;
}
