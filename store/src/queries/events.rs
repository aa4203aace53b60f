//! Searching access events: newest first, a page at a time.

use std::net::IpAddr;

use clickhouse::query::Query;
use tokenwatch_model::{AccessEvent, CountryCode, Outcome};

use super::page::read_cursor;
use super::{EventScope, Page, PageError, Queries, TimeRange, bind_range, ipv6};
use crate::error::StoreError;

/// A page of events.
pub type EventPage = Page<AccessEvent<'static>>;

const LIST: &str = "events";
/// Microseconds, topic, partition, offset and index of the last event of a page; no two events have the same.
type Key = (i64, String, i32, i64, u32);

/// The condition of the scope stands between the halves. The text is searched for in whatever an analyst would paste.
const SEARCH: [&str; 2] = [
    "SELECT ?fields FROM events WHERE ",
    "
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
  AND ({outcome:String} = '' OR toString(outcome) = {outcome:String})
  AND ({method:String} = '' OR method = {method:String})
  AND ({country:String} = '' OR country = {country:String})
  AND ({ip:String} = '' OR ip = toIPv6OrDefault({ip:String}))
  AND ({q:String} = ''
       OR positionCaseInsensitiveUTF8(path, {q:String}) > 0
       OR positionCaseInsensitiveUTF8(toString(route), {q:String}) > 0
       OR positionCaseInsensitiveUTF8(request_id, {q:String}) > 0
       OR positionCaseInsensitiveUTF8(toString(user_agent), {q:String}) > 0
       OR positionCaseInsensitiveUTF8(replaceOne(toString(ip), '::ffff:', ''), {q:String}) > 0)
  AND (ts, toString(topic), partition, offset, record_index)
      < (fromUnixTimestamp64Micro({key_ts:Int64}, 'UTC'), {key_topic:String}, {key_partition:Int32},
         {key_offset:Int64}, {key_index:UInt32})
  AND ts <= fromUnixTimestamp64Micro({key_ts:Int64}, 'UTC')
ORDER BY ts DESC, topic DESC, partition DESC, offset DESC, record_index DESC
LIMIT {rows:UInt32}",
];

/// Which events; what is absent is not asked.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Whose.
    pub scope: EventScope,
    /// From when to when.
    pub range: TimeRange,
    /// A text in the path, route, request id, address or user agent, in either case.
    pub q: String,
    /// How they ended.
    pub outcome: Option<Outcome>,
    /// The method.
    pub method: String,
    /// The address.
    pub ip: Option<IpAddr>,
    /// The country.
    pub country: Option<CountryCode>,
}

impl EventFilter {
    /// Every event of `scope` in `range`.
    pub fn all(scope: EventScope, range: TimeRange) -> Self {
        Self {
            scope,
            range,
            q: String::new(),
            outcome: None,
            method: String::new(),
            ip: None,
            country: None,
        }
    }
}

impl Queries {
    /// A page of at most `limit` events behind `cursor`, newest first.
    pub async fn events(
        &self,
        filter: &EventFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<EventPage, PageError> {
        let key = match cursor {
            Some(cursor) => read_cursor::<Key>(LIST, cursor)?,
            // Behind the end of the range, so every event of it comes before.
            None => (super::bounded(filter.range.to), String::new(), 0, 0, 0),
        };
        let sql = SEARCH.join(filter.scope.condition());
        let query = bind_filter(self.statement(&sql), filter)
            .param("key_ts", key.0)
            .param("key_topic", key.1)
            .param("key_partition", key.2)
            .param("key_offset", key.3)
            .param("key_index", key.4)
            .param("rows", limit.saturating_add(1));
        let events = tokio::time::timeout(self.store.timeout(), self.store.fetch_events(query))
            .await
            .map_err(|_| StoreError::from(clickhouse::error::Error::TimedOut))??;
        Ok(Page::cut(events, limit, LIST, key_of))
    }
}

fn bind_filter(query: Query, filter: &EventFilter) -> Query {
    let ip = filter.ip.map(|ip| ipv6(ip).to_string());
    let country = filter.country.map(|country| country.to_string());
    bind_range(filter.scope.bind(query), filter.range)
        .param("outcome", filter.outcome.map_or("", Outcome::name))
        .param("method", &filter.method)
        .param("country", country.unwrap_or_default())
        .param("ip", ip.unwrap_or_default())
        .param("q", &filter.q)
}

fn key_of(event: &AccessEvent<'static>) -> Key {
    let origin = &event.origin;
    (
        event.ts.as_micros(),
        origin.topic.as_deref().unwrap_or_default().to_owned(),
        origin.partition.unwrap_or(0),
        origin.offset.unwrap_or(0),
        origin.index,
    )
}
