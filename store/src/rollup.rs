//! Puts the roll-ups right after an interrupted insert.
//!
//! Materialized views write to their tables beside `events`, not in one transaction with it: a kill may leave either
//! without the other's rows. The repair compares the two over a span of minutes and inserts the signed difference, so
//! that doing it twice, or half of it, does no harm. Distinct counts are unions, which only need the missing added.
//!
//! It assumes that nobody else inserts events of these minutes meanwhile, as is so at a start and between the attempts
//! of one batch; another process's insert that is half done then could be counted early, until its next repair.

use std::time::Duration;

use tokenwatch_model::Timestamp;

use crate::error::StoreError;
use crate::store::Store;

const MINUTE: Duration = Duration::from_mins(1);

const REPAIR_ROLLUP: &str = "
INSERT INTO rollup_minute
    (minute, token_id, method, route, calls, failures, denied, bytes_in, bytes_out, latency_us, ips)
SELECT minute, token_id, method, route, sum(c), sum(f), sum(d), sum(i), sum(o), sum(l), uniqCombinedMergeState(12)(u)
FROM
(
    SELECT toStartOfMinute(toDateTime(ts, 'UTC')) AS minute, token_id, method, route,
        toInt64(count()) AS c, toInt64(countIf(outcome != 'ok')) AS f, toInt64(countIf(outcome = 'denied')) AS d,
        toInt64(sum(ifNull(bytes_in, 0))) AS i, toInt64(sum(ifNull(bytes_out, 0))) AS o,
        toInt64(sum(ifNull(latency_us, 0))) AS l, uniqCombinedState(12)(ip) AS u
    FROM events WHERE ts >= fromUnixTimestamp64Micro({from:Int64}) AND ts < fromUnixTimestamp64Micro({to:Int64})
    GROUP BY minute, token_id, method, route
    UNION ALL
    SELECT minute, token_id, method, route,
        -sum(calls), -sum(failures), -sum(denied), -sum(bytes_in), -sum(bytes_out), -sum(latency_us),
        uniqCombinedMergeState(12)(ips)
    FROM rollup_minute
    WHERE minute >= fromUnixTimestamp64Micro({from:Int64}) AND minute < fromUnixTimestamp64Micro({to:Int64})
    GROUP BY minute, token_id, method, route
)
GROUP BY minute, token_id, method, route
HAVING sum(c) != 0 OR sum(f) != 0 OR sum(i) != 0 OR sum(o) != 0 OR sum(l) != 0";

const REPAIR_FLEET: &str = "
INSERT INTO fleet_minute (minute, calls, failures, denied, tokens)
SELECT minute, sum(c), sum(f), sum(d), uniqCombinedMergeState(14)(u)
FROM
(
    SELECT toStartOfMinute(toDateTime(ts, 'UTC')) AS minute, toInt64(count()) AS c,
        toInt64(countIf(outcome != 'ok')) AS f, toInt64(countIf(outcome = 'denied')) AS d,
        uniqCombinedStateIf(14)(token_id, token_id != '') AS u
    FROM events WHERE ts >= fromUnixTimestamp64Micro({from:Int64}) AND ts < fromUnixTimestamp64Micro({to:Int64})
    GROUP BY minute
    UNION ALL
    SELECT minute, -sum(calls), -sum(failures), -sum(denied), uniqCombinedMergeState(14)(tokens)
    FROM fleet_minute
    WHERE minute >= fromUnixTimestamp64Micro({from:Int64}) AND minute < fromUnixTimestamp64Micro({to:Int64})
    GROUP BY minute
)
GROUP BY minute
HAVING sum(c) != 0 OR sum(f) != 0";

const REPAIR_TOKENS: &str = "
INSERT INTO tokens (token_id, kind, credential_id, consumer, first_seen, last_seen)
SELECT token_id, max(token_kind), max(e.credential_id), max(e.consumer), min(ts), max(ts)
FROM events AS e
WHERE token_id != '' AND ts >= fromUnixTimestamp64Micro({from:Int64}) AND ts < fromUnixTimestamp64Micro({to:Int64})
GROUP BY token_id";

impl Store {
    /// Makes the roll-ups of the minutes from that of `from` to that of `to` agree with the events.
    pub(crate) async fn repair_rollups(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(), StoreError> {
        // Events past their retention may be gone while their roll-ups stay: those are left alone.
        let oldest = self.state_keeper().now() - self.retention().events + MINUTE;
        let from = from.max(oldest).floor_to(MINUTE);
        let to = to.floor_to(MINUTE) + MINUTE;
        if from >= to {
            return Ok(());
        }
        for sql in [REPAIR_ROLLUP, REPAIR_FLEET, REPAIR_TOKENS] {
            self.until_done(|| async {
                let query = self.client().query_raw(sql);
                let query = query
                    .param("from", from.as_micros())
                    .param("to", to.as_micros());
                Ok(query.execute().await?)
            })
            .await?;
        }
        self.metrics().rollups_repaired();
        Ok(())
    }
}
