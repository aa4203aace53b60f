//! Events read back in the order of their times.

use std::time::Duration;

use tokenwatch_model::{AccessEvent, Format, Timestamp};
use tokenwatch_store::Delivery;
use tokenwatch_store::queries::TimeRange;
use tokenwatch_store::testing::TestStore;

use crate::fixtures::{NOW_SECS, event, token};

/// Four minutes of events, several at each moment, from two partitions, in no order.
fn events() -> Vec<AccessEvent<'static>> {
    let mut events: Vec<_> = (0..4_000)
        .map(|offset| {
            let mut event = event(offset);
            let slot = (offset * 7_919) % 240;
            event.ts = Timestamp::from_secs(NOW_SECS) + Duration::from_secs(slot as u64);
            event.origin.partition = Some((offset % 2) as i32);
            event
        })
        .collect();
    events.rotate_left(1_234);
    events
}

fn in_order(mut events: Vec<AccessEvent<'static>>) -> Vec<AccessEvent<'static>> {
    events.sort_by_key(|event| (event.ts, event.origin.partition, event.origin.offset));
    events
}

async fn read(
    test: &TestStore,
    from_s: i64,
    to_s: i64,
    of: Option<tokenwatch_model::TokenId>,
) -> (u64, Vec<AccessEvent<'static>>) {
    let range = TimeRange {
        from: Timestamp::from_secs(NOW_SECS + from_s),
        to: Timestamp::from_secs(NOW_SECS + to_s),
    };
    let mut history = test.store.history(range, of).await.unwrap();
    let mut events = Vec::new();
    while let Some(batch) = history.next_batch().await.unwrap() {
        events.extend(batch);
    }
    (history.event_count(), events)
}

#[tokio::test]
async fn history_comes_in_the_order_of_time_whole_and_bounded() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let stored = events();
    test.store.insert_events(&stored).await.unwrap();
    let (count, all) = read(&test, -60, 600, None).await;
    assert_eq!((count, all.len()), (4_000, 4_000));
    assert_eq!(all, in_order(stored.clone()));
    let (_, part) = read(&test, 17, 90, None).await;
    let wanted = stored.iter().filter(|event| {
        let second = event.ts.as_secs() - NOW_SECS;
        (17..90).contains(&second)
    });
    assert_eq!(part, in_order(wanted.cloned().collect()));
    let (count, own) = read(&test, 0, 240, Some(token(3))).await;
    assert_eq!(count, own.len() as u64);
    let is_own = |event: &&AccessEvent<'_>| event.token.as_ref().is_some_and(|t| t.id == token(3));
    assert_eq!(
        own,
        in_order(stored.iter().filter(is_own).cloned().collect())
    );
    let (count, none) = read(&test, 5_000, 6_000, None).await;
    assert_eq!((count, none.len()), (0, 0));
    test.close().await;
}

#[tokio::test]
async fn the_newest_records_that_may_come_again_are_told() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let formats = [Format::Cloudtrail, Format::Gcp];
    let told = async |within_secs, limit| {
        let mut told = Vec::new();
        let within = Duration::from_secs(within_secs);
        let mut take = |one: Delivery<'_>| told.push((one.request_id.to_owned(), one.offset));
        let reading = test.store.deliveries(&formats, within, limit, &mut take);
        reading.await.unwrap();
        told
    };
    assert!(told(3_600, 10).await.is_empty());
    let mut stored: Vec<_> = (0..8).map(event).collect();
    for (event, format) in stored.iter_mut().zip([
        Format::Cloudtrail,
        Format::Gcp,
        Format::Cloudtrail,
        Format::Cloudtrail,
    ]) {
        event.format = format;
    }
    // A second and more before the others, and one without an id.
    stored[0].ts = stored[0].ts - Duration::from_secs(2);
    stored[3].request_id = None;
    test.store.insert_events(&stored).await.unwrap();
    let record = |offset: i64| (format!("request-{offset}"), offset);
    assert_eq!(told(3_600, 10).await, [record(2), record(1), record(0)]);
    assert_eq!(told(3_600, 2).await, [record(2), record(1)]);
    assert_eq!(told(1, 10).await, [record(2), record(1)]);
    test.close().await;
}

#[tokio::test]
async fn a_range_with_more_events_than_a_slice_is_read_whole() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    // More than a slice in one minute, and some on either side.
    let sql = "INSERT INTO events (ts, format, topic, partition, offset, record_index, token_id) \
               SELECT fromUnixTimestamp64Micro(toInt64(1795329600000000 + number * 700), 'UTC'), 'kong', 't', 0, \
                      toInt64(number), 0, '' FROM numbers(150000)";
    test.client().query(sql).execute().await.unwrap();
    let (count, events) = read(&test, 0, 3_600, None).await;
    assert_eq!(count, 150_000);
    let offsets = events.iter().map(|event| event.origin.offset.unwrap());
    assert!(offsets.eq(0..150_000));
    test.close().await;
}
