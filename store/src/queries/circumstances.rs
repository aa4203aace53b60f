//! What an explanation needs to know beside a token's events: its names, how late events came, when none came at all.

use std::time::Duration;

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Timestamp, TokenId};

use super::{Queries, TimeRange, bind_range};
use crate::error::StoreError;

/// Tokens with one name that are told; a gateway's name of a credential should be one token's.
const NAMED_LIMIT: u32 = 20;
/// The fleet's roll-ups are this fine.
const MINUTE: Duration = Duration::from_mins(1);

const NAMED: &str = "\
SELECT token_id FROM tokens WHERE credential_id = {name:String} GROUP BY token_id
ORDER BY max(last_seen) DESC, token_id LIMIT {rows:UInt32}";

const ARRIVALS: &str = "\
SELECT count() AS events,
       countIf(dateDiff('second', ts, stored_at) > {late:Int64}) AS late,
       max(dateDiff('second', ts, stored_at)) AS longest_s,
       countIf(dateDiff('second', stored_at, ts) > {ahead:Int64}) AS ahead
FROM events
WHERE token_id = {token:String}
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')";

const MINUTES: &str = "\
SELECT toInt64(toUnixTimestamp(minute)) AS minute_s FROM fleet_minute
WHERE minute >= toDateTime(intDiv({from:Int64}, 1000000), 'UTC')
  AND minute < toDateTime(intDiv({to:Int64}, 1000000), 'UTC')
GROUP BY minute HAVING sum(calls) > 0 ORDER BY minute LIMIT 100000";

/// When a token's events reached the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arrivals {
    /// Events in the range.
    pub events: u64,
    /// Those that were stored later than was asked for.
    pub late: u64,
    /// The longest that one took, in seconds.
    pub longest_s: i64,
    /// Those whose time lay further ahead of the store's clock than was asked for.
    pub ahead: u64,
}

#[derive(Row, Deserialize)]
struct NameRow {
    token_id: String,
}

#[derive(Row, Deserialize)]
struct ArrivalRow {
    events: u64,
    late: u64,
    longest_s: i64,
    ahead: u64,
}

#[derive(Row, Deserialize)]
struct MinuteRow {
    minute_s: i64,
}

impl Queries {
    /// The tokens that gateways call `credential_id`, the last used first.
    pub async fn tokens_named(&self, credential_id: &str) -> Result<Vec<TokenId>, StoreError> {
        let query = self.statement(NAMED).param("name", credential_id);
        let rows = self
            .rows::<NameRow>(query.param("rows", NAMED_LIMIT))
            .await?;
        let ids = rows.iter().map(|row| row.token_id.parse());
        ids.collect::<Result<_, _>>()
            .map_err(|error: tokenwatch_model::IdError| StoreError::Corrupt {
                table: "tokens",
                detail: error.to_string(),
            })
    }

    /// How the events of `token` in `range` reached the store: which of them took longer than `late`, and which are
    /// further ahead of the clock than `ahead`.
    pub async fn arrivals(
        &self,
        token: TokenId,
        range: TimeRange,
        late: Duration,
        ahead: Duration,
    ) -> Result<Arrivals, StoreError> {
        let query = bind_range(self.statement(ARRIVALS), range)
            .param("token", token.to_string())
            .param("late", late.as_secs())
            .param("ahead", ahead.as_secs());
        let row = self.row::<ArrivalRow>(query).await?;
        Ok(row.map_or_else(Arrivals::default, |row| Arrivals {
            events: row.events,
            late: row.late,
            longest_s: row.longest_s.max(0),
            ahead: row.ahead,
        }))
    }

    /// When, in `range`, no event of anybody is stored for at least `least`.
    pub async fn gaps(
        &self,
        range: TimeRange,
        least: Duration,
    ) -> Result<Vec<TimeRange>, StoreError> {
        let query = bind_range(self.statement(MINUTES), range);
        let rows = self.rows::<MinuteRow>(query).await?;
        let minutes = rows.iter().map(|row| Timestamp::from_secs(row.minute_s));
        Ok(gaps_between(range, minutes, least))
    }
}

/// What lies between `minutes`, and between them and the ends of `range`.
fn gaps_between(
    range: TimeRange,
    minutes: impl Iterator<Item = Timestamp>,
    least: Duration,
) -> Vec<TimeRange> {
    let mut gaps = Vec::new();
    let mut known_to = range.from;
    for minute in minutes.chain([range.to]) {
        let gap = TimeRange {
            from: known_to,
            to: minute,
        };
        if minute > known_to && gap.length() >= least {
            gaps.push(gap);
        }
        known_to = known_to.max(minute + MINUTE);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(of: &[i64]) -> impl Iterator<Item = Timestamp> {
        of.iter().map(|minute| Timestamp::from_secs(minute * 60))
    }

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange {
            from: Timestamp::from_secs(from * 60),
            to: Timestamp::from_secs(to * 60),
        }
    }

    #[test]
    fn gaps_are_told_between_events_and_at_both_ends() {
        let gaps = |of: &[i64], least: u64| {
            gaps_between(range(0, 60), minutes(of), Duration::from_mins(least))
        };
        assert_eq!(gaps(&[], 10), [range(0, 60)]);
        assert_eq!(
            gaps(&[10, 11, 40, 55], 10),
            [range(0, 10), range(12, 40), range(41, 55)]
        );
        assert_eq!(gaps(&[0, 9, 19, 29, 39, 49, 59], 10), []);
        assert_eq!(gaps(&[0, 10], 49), [range(11, 60)]);
    }
}
