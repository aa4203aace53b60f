//! `events` holds every event exactly once, however often a batch is sent.
//!
//! An event is recognised by where its record was read: (topic, partition, offset, index in the record). Two things
//! can send one twice: a restart that reads on from the last checkpoint, and an insert whose acknowledgement was lost.
//! For both, what is stored already is looked up, exactly, and only the rest is inserted. ClickHouse's own
//! deduplication of blocks is not used: it notes a block as seen before its part is in place, so that a kill between
//! the two would lose the block for good when it is sent again.
//!
//! Before such a look-up, inserts of ours that may still be running in a server must have ended; they are waited for.
//! The roll-ups are fed by the same inserts and may be off by a part after an interrupted one: see [`crate::rollup`].

use std::collections::HashMap;
use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;
use tokenwatch_model::{AccessEvent, Origin, Position, StreamId, Timestamp};
use tokio::time::{Instant, sleep};

use crate::error::StoreError;
use crate::insert::Retry;
use crate::rows::EventRow;
use crate::store::Store;

/// Streams asked for in one query; each is a condition of about 60 bytes.
const STREAMS_PER_QUERY: usize = 200;
const SETTLE_POLL: Duration = Duration::from_millis(50);

/// Which events are stored, past the positions that were asked for. 16 bytes an event, plus the streams' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredSet {
    streams: HashMap<StreamId, Vec<(i64, u32)>>,
    span: Option<(Timestamp, Timestamp)>,
}

/// A part of a stream: from an offset, up to one if there is an end.
struct Range {
    stream: StreamId,
    from: i64,
    to: i64,
}

#[derive(Debug, Row, Deserialize)]
struct OriginRow<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    record_index: u32,
    ts: i64,
}

impl StoredSet {
    /// Whether the event with this origin is stored. One without topic, partition or offset never is.
    pub fn contains(&self, origin: &Origin<'_>) -> bool {
        let (Some(topic), Some(partition), Some(offset)) =
            (&origin.topic, origin.partition, origin.offset)
        else {
            return false;
        };
        // A handful of streams: comparing names is cheaper than building a key.
        self.streams
            .iter()
            .find(|(stream, _)| stream.partition == partition && stream.topic == topic.as_ref())
            .is_some_and(|(_, stored)| stored.binary_search(&(offset, origin.index)).is_ok())
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.streams.values().map(Vec::len).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Takes over what `other` holds.
    pub fn add(&mut self, other: Self) {
        for (stream, events) in other.streams {
            self.streams.entry(stream).or_default().extend(events);
        }
        self.span = match (self.span, other.span) {
            (Some(ours), Some(theirs)) => Some((ours.0.min(theirs.0), ours.1.max(theirs.1))),
            (ours, theirs) => ours.or(theirs),
        };
        self.sort();
    }

    /// Forgets a stream of which everything up to `next_offset` was read, once nothing past it is held.
    pub fn forget_before(&mut self, position: &Position) {
        let newest = self
            .streams
            .get(&position.stream)
            .and_then(|stored| stored.last());
        if newest.is_some_and(|(offset, _)| *offset < position.next_offset) {
            self.streams.remove(&position.stream);
        }
    }

    fn insert(&mut self, row: &OriginRow<'_>) {
        let stream = StreamId {
            topic: row.topic.to_owned(),
            partition: row.partition,
        };
        let stored = self.streams.entry(stream).or_default();
        stored.push((row.offset, row.record_index));
        let ts = Timestamp::from_micros(row.ts);
        let (from, to) = self.span.unwrap_or((ts, ts));
        self.span = Some((from.min(ts), to.max(ts)));
    }

    fn sort(&mut self) {
        for stored in self.streams.values_mut() {
            stored.sort_unstable();
            stored.dedup();
        }
    }
}

impl Store {
    /// Stores events, each exactly once, however often the connection or the engine fails meanwhile.
    ///
    /// After a restart, leave out what [`Self::stored_since`] says is stored.
    pub async fn insert_events<'e, 'a: 'e>(
        &self,
        events: impl IntoIterator<Item = &'e AccessEvent<'a>>,
    ) -> Result<(), StoreError> {
        self.insert_missing(events.into_iter().collect()).await
    }

    /// The same for events of which some may be stored, as after an attempt whose end is not known.
    pub async fn complete_events(&self, events: &[AccessEvent<'_>]) -> Result<(), StoreError> {
        let missing = self.not_stored(events.iter().collect()).await?;
        self.insert_missing(missing).await
    }

    async fn insert_missing(&self, mut missing: Vec<&AccessEvent<'_>>) -> Result<(), StoreError> {
        let mut retry = Retry::default();
        while !missing.is_empty() {
            let rows: Vec<_> = missing.iter().map(|event| EventRow::of(event)).collect();
            let Err(error) = self.insert_once::<EventRow<'_>>("events", &rows).await else {
                drop(retry);
                self.state_keeper().answered();
                return Ok(());
            };
            self.pause_after(error, &mut retry).await?;
            missing = self.not_stored(missing).await?;
        }
        Ok(())
    }

    /// Those of `events` that are not stored.
    async fn not_stored<'e, 'a>(
        &self,
        mut events: Vec<&'e AccessEvent<'a>>,
    ) -> Result<Vec<&'e AccessEvent<'a>>, StoreError> {
        let stored = self.stored_in(&ranges_of(&events)).await?;
        let before = events.len();
        events.retain(|event| !stored.contains(&event.origin));
        self.metrics().recognised(before - events.len());
        Ok(events)
    }

    /// Which events are stored at or past each position. Name every stream that will be read, with offset 0 for one
    /// that has no position yet: streams that are not named are not looked at.
    pub async fn stored_since(&self, positions: &[Position]) -> Result<StoredSet, StoreError> {
        let ranges: Vec<Range> = positions
            .iter()
            .map(|position| Range {
                stream: position.stream.clone(),
                from: position.next_offset,
                to: i64::MAX,
            })
            .collect();
        self.stored_in(&ranges).await
    }

    /// Looks up what is stored, once nothing of ours is under way any more, and puts the roll-ups right.
    async fn stored_in(&self, ranges: &[Range]) -> Result<StoredSet, StoreError> {
        self.until_done(|| async { self.wait_for_running_inserts().await })
            .await?;
        let stored = self
            .until_done(|| async { self.look_up(ranges).await })
            .await?;
        if let Some((from, to)) = stored.span {
            self.repair_rollups(from, to).await?;
        }
        Ok(stored)
    }

    async fn look_up(&self, ranges: &[Range]) -> Result<StoredSet, StoreError> {
        let mut set = StoredSet::default();
        for ranges in ranges.chunks(STREAMS_PER_QUERY) {
            let condition = "(topic = ? AND partition = ? AND offset >= ? AND offset <= ?)";
            let conditions = vec![condition; ranges.len()].join(" OR ");
            let sql = format!("SELECT ?fields FROM events WHERE {conditions}");
            let mut query = self.client().query(&sql);
            for range in ranges {
                query = query
                    .bind(&range.stream.topic)
                    .bind(range.stream.partition)
                    .bind(range.from)
                    .bind(range.to);
            }
            let mut cursor = query.fetch::<OriginRow<'_>>()?;
            while let Some(row) = cursor.next().await? {
                set.insert(&row);
            }
        }
        set.sort();
        Ok(set)
    }

    /// Waits for inserts into `events` that run now. Later ones are ours, and we start none.
    async fn wait_for_running_inserts(&self) -> Result<(), StoreError> {
        let sql = "SELECT query_id FROM system.processes WHERE query_kind = 'Insert' \
                   AND current_database = currentDatabase() AND query LIKE 'INSERT INTO%events%'";
        let running = || self.client().query_raw(sql).fetch_all::<String>();
        let deadline = Instant::now() + self.timeout();
        let first = running().await?;
        let mut left = first.clone();
        while !left.is_empty() {
            if Instant::now() > deadline {
                return Err(clickhouse::error::Error::TimedOut.into());
            }
            sleep(SETTLE_POLL).await;
            left = running().await?;
            left.retain(|id| first.contains(id));
        }
        Ok(())
    }
}

/// The part of each stream that `events` come from.
fn ranges_of(events: &[&AccessEvent<'_>]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for event in events {
        let origin = &event.origin;
        let (Some(topic), Some(partition), Some(offset)) =
            (&origin.topic, origin.partition, origin.offset)
        else {
            continue;
        };
        let known = ranges.iter_mut().find(|range| {
            range.stream.partition == partition && range.stream.topic == topic.as_ref()
        });
        match known {
            Some(range) => {
                range.from = range.from.min(offset);
                range.to = range.to.max(offset);
            }
            None => ranges.push(Range {
                stream: StreamId {
                    topic: topic.clone().into_owned(),
                    partition,
                },
                from: offset,
                to: offset,
            }),
        }
    }
    ranges
}
