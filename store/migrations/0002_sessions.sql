-- Sessions of the console, by the SHA-256 of their id. What is written of one session merges in any order: the latest
-- use, and whether it was ended, which no later use undoes. Gone a month after the login, the longest that one lasts.
CREATE TABLE sessions
(
    id_hash String,
    user SimpleAggregateFunction(max, String),
    issued_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_used_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    ended SimpleAggregateFunction(max, UInt8)
)
ENGINE = AggregatingMergeTree
ORDER BY id_hash
TTL toDateTime(issued_at) + toIntervalDay(31);
