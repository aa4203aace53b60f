//! Stored events read back in the order of their times, for a second look at them: backtests and explanations.
//!
//! A range may hold more events than fit in memory, and `events` is sorted by token first. So the range is cut into
//! slices of about the same number of events, by the counts that the roll-ups have of every minute, and each slice is
//! one query that sorts what it reads. Within a moment the order is that of topic, partition, offset and index.

use std::collections::VecDeque;
use std::time::Duration;

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;
use tokenwatch_model::{AccessEvent, Timestamp, TokenId};
use tokio::time::Instant;

use crate::error::StoreError;
use crate::queries::TimeRange;
use crate::rows::EventRow;
use crate::store::Store;

/// Events handed over at once: about 8 MB.
const BATCH_EVENTS: usize = 8_192;
/// Events of a slice at least: below, reading the index again costs more than the sorting saves.
const SLICE_EVENTS_LEAST: u64 = 50_000;
/// And at most: about 200 MB of rows, within what the embedded engine holds of a result.
const SLICE_EVENTS_MOST: u64 = 400_000;
/// Slices that a range is cut into where the bounds allow.
const SLICES_WANTED: u64 = 200;
/// How long one slice may take, from the question to its last row.
const SLICE_DEADLINE: Duration = Duration::from_mins(5);
/// The finest part of the roll-ups.
const MINUTE: Duration = Duration::from_mins(1);

const FLEET_COUNTS: &str = "\
SELECT toInt64(toUnixTimestamp(minute)) AS minute_s, sum(calls) AS events FROM fleet_minute
WHERE minute >= toDateTime({from_s:Int64}, 'UTC') AND minute < toDateTime({to_s:Int64}, 'UTC')
GROUP BY minute ORDER BY minute
SETTINGS max_execution_time = 60, max_memory_usage = 1073741824";

const TOKEN_COUNTS: &str = "\
SELECT toInt64(toUnixTimestamp(minute)) AS minute_s, sum(calls) AS events FROM rollup_minute
WHERE token_id = {token:String}
  AND minute >= toDateTime({from_s:Int64}, 'UTC') AND minute < toDateTime({to_s:Int64}, 'UTC')
GROUP BY minute ORDER BY minute
SETTINGS max_execution_time = 60, max_memory_usage = 1073741824";

/// Sorting goes to disk before it takes half a gigabyte; 2 GiB hold that and a slice's rows.
const EVENTS: &str = "\
SELECT ?fields FROM events
WHERE ({token:String} = '' OR token_id = {token:String})
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
ORDER BY ts, toString(topic), partition, offset, record_index
SETTINGS max_execution_time = 300, max_memory_usage = 2147483648, max_bytes_before_external_sort = 536870912";

/// Stored events, the earliest first.
pub struct History {
    store: Store,
    token: String,
    slices: VecDeque<TimeRange>,
    events: u64,
    span: Option<(Timestamp, Timestamp)>,
    open: Option<OpenSlice>,
}

struct OpenSlice {
    rows: RowCursor<EventRow<'static>>,
    deadline: Instant,
}

/// The events of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
struct MinuteRow {
    minute_s: i64,
    events: i64,
}

impl Store {
    /// The events of `range`, of one token or of everybody, read slice by slice.
    pub async fn history(
        &self,
        range: TimeRange,
        token: Option<TokenId>,
    ) -> Result<History, StoreError> {
        let token = token.map(|token| token.to_string()).unwrap_or_default();
        let sql = if token.is_empty() {
            FLEET_COUNTS
        } else {
            TOKEN_COUNTS
        };
        // To whole minutes, outwards.
        let last = range.to - Duration::from_micros(1);
        let query = self
            .client()
            .query(sql)
            .param("from_s", range.from.floor_to(MINUTE).as_secs())
            .param("to_s", (last.floor_to(MINUTE) + MINUTE).as_secs());
        let query = if token.is_empty() {
            query
        } else {
            query.param("token", &token)
        };
        let counts: Vec<MinuteRow> =
            match tokio::time::timeout(SLICE_DEADLINE, query.fetch_all()).await {
                Ok(rows) => rows?,
                Err(_) => return Err(timed_out()),
            };
        Ok(History {
            store: self.clone(),
            token,
            events: counts.iter().map(MinuteRow::count).sum(),
            span: span(&counts),
            slices: slices(range, &counts),
            open: None,
        })
    }
}

impl History {
    /// How many events there are, by the roll-ups: for a progress bar.
    pub fn event_count(&self) -> u64 {
        self.events
    }

    /// The first minute with an event, and the end of the last; none without events.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
    }

    /// The next events; none at the end.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<AccessEvent<'static>>>, StoreError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH_EVENTS {
            let Some(slice) = &mut self.open else {
                let Some(range) = self.slices.pop_front() else {
                    break;
                };
                self.open = Some(self.read(range)?);
                continue;
            };
            match tokio::time::timeout_at(slice.deadline, slice.rows.next()).await {
                Ok(Ok(Some(row))) => batch.push(row.to_event()?),
                Ok(Ok(None)) => self.open = None,
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(timed_out()),
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn read(&self, range: TimeRange) -> Result<OpenSlice, StoreError> {
        let query = self
            .store
            .client()
            .query(EVENTS)
            .param("token", &self.token)
            .param("from", range.from.as_micros())
            .param("to", range.to.as_micros());
        Ok(OpenSlice {
            rows: query.fetch()?,
            deadline: Instant::now() + SLICE_DEADLINE,
        })
    }
}

impl MinuteRow {
    fn start(self) -> Timestamp {
        Timestamp::from_secs(self.minute_s)
    }

    /// A repair of the roll-ups may have left a count below nothing for a moment.
    fn count(&self) -> u64 {
        u64::try_from(self.events).unwrap_or(0)
    }
}

fn timed_out() -> StoreError {
    clickhouse::error::Error::TimedOut.into()
}

fn span(counts: &[MinuteRow]) -> Option<(Timestamp, Timestamp)> {
    let (first, last) = (counts.first()?, counts.last()?);
    Some((first.start(), last.start() + MINUTE))
}

/// Cuts `range` so that each part has about as many events; a minute with too many is cut evenly.
fn slices(range: TimeRange, counts: &[MinuteRow]) -> VecDeque<TimeRange> {
    let total: u64 = counts.iter().map(MinuteRow::count).sum();
    let limit = (total / SLICES_WANTED).clamp(SLICE_EVENTS_LEAST, SLICE_EVENTS_MOST);
    let mut cuts = Vec::new();
    let mut waiting = 0;
    for minute in counts {
        if waiting > 0 && waiting + minute.count() > limit {
            cuts.push(minute.start());
            waiting = 0;
        }
        let parts = u32::try_from(minute.count().div_ceil(limit)).unwrap_or(u32::MAX);
        cuts.extend((1..parts).map(|part| minute.start() + MINUTE / parts * part));
        waiting += minute.count() / u64::from(parts.max(1));
    }
    let mut slices = VecDeque::new();
    let mut from = range.from;
    for cut in cuts.into_iter().chain([range.to]) {
        if from < cut && cut <= range.to {
            slices.push_back(TimeRange { from, to: cut });
            from = cut;
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(index: i64, events: i64) -> MinuteRow {
        MinuteRow {
            minute_s: index * 60,
            events,
        }
    }

    fn range(from_s: i64, to_s: i64) -> TimeRange {
        TimeRange {
            from: Timestamp::from_secs(from_s),
            to: Timestamp::from_secs(to_s),
        }
    }

    #[test]
    fn a_quiet_range_is_one_slice() {
        let counts = [minute(1, 10), minute(500, 20)];
        assert_eq!(slices(range(30, 99_999), &counts), [range(30, 99_999)]);
        assert_eq!(slices(range(30, 31), &[]), [range(30, 31)]);
    }

    #[test]
    fn slices_join_and_none_holds_much_more_than_its_share() {
        let counts: Vec<_> = (0..1_000).map(|index| minute(index, 3_000)).collect();
        let slices = slices(range(90, 59_990), &counts);
        assert_eq!(slices.front().unwrap().from, Timestamp::from_secs(90));
        assert_eq!(slices.back().unwrap().to, Timestamp::from_secs(59_990));
        for (earlier, later) in slices.iter().zip(slices.iter().skip(1)) {
            assert_eq!(earlier.to, later.from);
        }
        let longest = slices.iter().map(TimeRange::length).max().unwrap();
        assert!(
            longest.as_secs() / 60 * 3_000 <= SLICE_EVENTS_LEAST,
            "{longest:?}"
        );
        assert!(slices.len() < 100, "{}", slices.len());
    }

    #[test]
    fn a_minute_with_too_many_events_is_cut() {
        let slices = slices(range(0, 120), &[minute(0, 5), minute(1, 4_000_000)]);
        // The first minute, and eighty parts of 50,000.
        assert_eq!(slices.len(), 81);
        assert!(slices.iter().all(|slice| slice.length() <= MINUTE));
    }
}
