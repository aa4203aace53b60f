-- The life of a response: it may wait for people, be taken back, and is watched for its effect. `pending`: something is still to be
-- done about it. `details` is all else that is known of it, as JSON.
ALTER TABLE responses MODIFY COLUMN result Enum8('intended' = 0, 'delivered' = 1, 'failed' = 2, 'would_respond' = 3, 'withheld' = 4,
    'unknown' = 5, 'held' = 6, 'vetoed' = 7, 'lapsed' = 8, 'undoing' = 9, 'undone' = 10, 'undo_failed' = 11);
ALTER TABLE responses ADD COLUMN IF NOT EXISTS pending UInt8 AFTER reason;
ALTER TABLE responses ADD COLUMN IF NOT EXISTS details String CODEC(ZSTD(1)) AFTER pending;
-- What people say about responses: approve, veto, undo. The instance that acts reads it.
CREATE TABLE response_orders
(
    response_id String,
    at DateTime64(6, 'UTC'),
    actor String,
    verb LowCardinality(String),
    note String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (response_id, at, actor, verb)
TTL toDateTime(at) + toIntervalDay(400);
