-- Every access event. `topic`, `partition`, `offset` and `record_index` name the record that it was read from, so that a replay
-- recognises what is stored. Absent texts are '', absent numbers NULL (status and asn: 0), an absent address '::'.
-- A week a partition: 13 of them at 90 days, and whole parts are dropped when they are too old.
CREATE TABLE events
(
    ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    format LowCardinality(String),
    request_id String CODEC(ZSTD(1)),
    token_id String CODEC(ZSTD(1)),
    token_kind Enum8('unknown' = 0, 'api_key' = 1, 'jwt' = 2, 'session' = 3),
    credential_id String CODEC(ZSTD(1)),
    instance String CODEC(ZSTD(1)),
    consumer LowCardinality(String),
    scopes Array(LowCardinality(String)) CODEC(ZSTD(1)),
    fingerprint String CODEC(ZSTD(1)),
    ip IPv6 CODEC(ZSTD(1)),
    country LowCardinality(String),
    city LowCardinality(String),
    latitude Nullable(Float32) CODEC(ZSTD(1)),
    longitude Nullable(Float32) CODEC(ZSTD(1)),
    asn UInt32 CODEC(ZSTD(1)),
    as_org LowCardinality(String),
    user_agent LowCardinality(String),
    ja4 LowCardinality(String),
    method LowCardinality(String),
    host LowCardinality(String),
    path String CODEC(ZSTD(1)),
    route LowCardinality(String),
    status UInt16 CODEC(ZSTD(1)),
    bytes_in Nullable(UInt64) CODEC(ZSTD(1)),
    bytes_out Nullable(UInt64) CODEC(ZSTD(1)),
    latency_us Nullable(UInt32) CODEC(ZSTD(1)),
    tls_version LowCardinality(String),
    outcome Enum8('ok' = 0, 'denied' = 1, 'not_found' = 2, 'throttled' = 3, 'client_error' = 4, 'server_error' = 5,
                  'aborted' = 6) CODEC(ZSTD(1)),
    flags Array(LowCardinality(String)) CODEC(ZSTD(1)),
    gateway LowCardinality(String),
    topic LowCardinality(String),
    partition Int32 CODEC(ZSTD(1)),
    offset Int64 CODEC(Delta(8), ZSTD(1)),
    record_index UInt32 CODEC(ZSTD(1)),
    stored_at DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    INDEX offset_range offset TYPE minmax GRANULARITY 1,
    INDEX request_id_bloom request_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX ip_bloom ip TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX route_set route TYPE set(64) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toMonday(ts)
ORDER BY (token_id, ts)
TTL toDateTime(ts) + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

-- Calls per minute, token and route. Sums are signed, so that a repair can add what is missing or take away what is
-- too much.
CREATE TABLE rollup_minute
(
    minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    token_id String CODEC(ZSTD(1)),
    method LowCardinality(String),
    route LowCardinality(String),
    calls SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    failures SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    denied SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    bytes_in SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    bytes_out SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    latency_us SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    ips AggregateFunction(uniqCombined(12), IPv6) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toMonday(minute)
ORDER BY (token_id, minute, method, route)
TTL minute + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW rollup_minute_view TO rollup_minute AS
SELECT
    toStartOfMinute(toDateTime(ts, 'UTC')) AS minute,
    token_id,
    method,
    route,
    toInt64(count()) AS calls,
    toInt64(countIf(outcome != 'ok')) AS failures,
    toInt64(countIf(outcome = 'denied')) AS denied,
    toInt64(sum(ifNull(bytes_in, 0))) AS bytes_in,
    toInt64(sum(ifNull(bytes_out, 0))) AS bytes_out,
    toInt64(sum(ifNull(latency_us, 0))) AS latency_us,
    uniqCombinedState(12)(ip) AS ips
FROM events
GROUP BY minute, token_id, method, route;

-- Calls per minute of everybody, for the overview.
CREATE TABLE fleet_minute
(
    minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    calls SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    failures SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    denied SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    tokens AggregateFunction(uniqCombined(14), String) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY minute
TTL minute + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW fleet_minute_view TO fleet_minute AS
SELECT
    toStartOfMinute(toDateTime(ts, 'UTC')) AS minute,
    toInt64(count()) AS calls,
    toInt64(countIf(outcome != 'ok')) AS failures,
    toInt64(countIf(outcome = 'denied')) AS denied,
    uniqCombinedStateIf(14)(token_id, token_id != '') AS tokens
FROM events
GROUP BY minute;

-- Every token that was ever seen, with its names.
CREATE TABLE tokens
(
    token_id String,
    kind SimpleAggregateFunction(max, Enum8('unknown' = 0, 'api_key' = 1, 'jwt' = 2, 'session' = 3)),
    credential_id SimpleAggregateFunction(max, String),
    consumer SimpleAggregateFunction(max, String),
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY token_id;

CREATE MATERIALIZED VIEW tokens_view TO tokens AS
SELECT
    token_id,
    max(token_kind) AS kind,
    max(e.credential_id) AS credential_id,
    max(e.consumer) AS consumer,
    min(ts) AS first_seen,
    max(ts) AS last_seen
FROM events AS e
WHERE token_id != ''
GROUP BY token_id;

-- A detector's raw hits. `body` is the whole signal as JSON; the columns are what one searches by. The same signal
-- written twice is one row.
CREATE TABLE signals
(
    ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    detector LowCardinality(String),
    subject_kind LowCardinality(String),
    subject_id String CODEC(ZSTD(1)),
    token_id String CODEC(ZSTD(1)),
    finding_id String CODEC(ZSTD(1)),
    evidence_db Float64,
    summary String CODEC(ZSTD(1)),
    body String CODEC(ZSTD(3)),
    INDEX finding_bloom finding_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (subject_id, ts, detector, summary)
TTL toDateTime(ts) + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1;

-- Findings, the newest revision of each id; read them with FINAL. `body` is the whole finding as JSON.
CREATE TABLE findings
(
    id String,
    revision UInt32,
    detector LowCardinality(String),
    severity Enum8('info' = 0, 'low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4),
    status Enum8('open' = 0, 'closed' = 1),
    confidence Float64,
    evidence_db Float64,
    subject_kind LowCardinality(String),
    subject_id String,
    token_id String,
    credential_id String,
    consumer String,
    owner String,
    first_event_at DateTime64(6, 'UTC'),
    last_event_at DateTime64(6, 'UTC'),
    detected_at DateTime64(6, 'UTC'),
    event_count UInt64,
    incident_id String,
    summary String CODEC(ZSTD(1)),
    body String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY id
TTL toDateTime(last_event_at) + toIntervalDay(400);

-- Findings on one subject that belong together, the newest revision of each id.
CREATE TABLE incidents
(
    id String,
    revision UInt32,
    severity Enum8('info' = 0, 'low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4),
    status Enum8('open' = 0, 'closed' = 1),
    subject_kind LowCardinality(String),
    subject_id String,
    first_event_at DateTime64(6, 'UTC'),
    last_event_at DateTime64(6, 'UTC'),
    evidence_db Float64,
    body String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY id
TTL toDateTime(last_event_at) + toIntervalDay(400);

-- What the engine has learned of each token, as of the newest whole checkpoint: `state` is the engine's own, `profile`
-- the readable baseline as JSON. Read with FINAL.
CREATE TABLE token_profiles
(
    token_id String,
    checkpoint UInt64,
    forgotten UInt8,
    state String CODEC(ZSTD(1)),
    profile String CODEC(ZSTD(3)),
    written_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(checkpoint, forgotten)
ORDER BY token_id
TTL written_at + toIntervalDay(30) DELETE WHERE forgotten = 1;

-- The token rows of the checkpoint under way: a redo log in front of `token_profiles`, emptied once they are there.
CREATE TABLE checkpoint_tokens
(
    checkpoint UInt64,
    token_id String,
    forgotten UInt8,
    state String CODEC(ZSTD(1)),
    profile String CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (checkpoint, token_id)
SETTINGS old_parts_lifetime = 10;

-- The row that makes a checkpoint visible. A few slots, each of which keeps its newest.
CREATE TABLE checkpoints
(
    slot UInt8,
    id UInt64,
    positions String CODEC(ZSTD(1)),
    engine_state String CODEC(ZSTD(1)),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(id)
ORDER BY slot
SETTINGS old_parts_lifetime = 10;

-- The ledger of notifications: one row per message and result. Read with FINAL.
CREATE TABLE notifications
(
    finding_id String,
    id String,
    receiver LowCardinality(String),
    channel LowCardinality(String),
    severity Enum8('info' = 0, 'low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4),
    at DateTime64(6, 'UTC'),
    attempts UInt32,
    result Enum8('sending' = 0, 'sent' = 1, 'failed' = 2, 'muted' = 3),
    reason String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (finding_id, id, at, result)
TTL toDateTime(at) + toIntervalDay(400);

-- The journal of responses: one row before, one after. Read with FINAL.
CREATE TABLE responses
(
    finding_id String,
    id String,
    token_id String,
    action LowCardinality(String),
    target LowCardinality(String),
    mode Enum8('off' = 0, 'dry_run' = 1, 'enforce' = 2),
    at DateTime64(6, 'UTC'),
    result Enum8('intended' = 0, 'delivered' = 1, 'failed' = 2, 'would_respond' = 3, 'withheld' = 4, 'unknown' = 5),
    reason String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (finding_id, id, at, result)
TTL toDateTime(at) + toIntervalDay(400);

-- What analysts said of findings.
CREATE TABLE verdicts
(
    finding_id String,
    at DateTime64(6, 'UTC'),
    actor String,
    verdict LowCardinality(String),
    note String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (finding_id, at, actor)
TTL toDateTime(at) + toIntervalDay(400);

-- Silences, the newest version of each id. `matchers` is JSON.
CREATE TABLE silences
(
    id String,
    version UInt64,
    starts_at DateTime64(6, 'UTC'),
    ends_at DateTime64(6, 'UTC'),
    created_by String,
    reason String,
    matchers String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id;

-- What operators did.
CREATE TABLE audit
(
    at DateTime64(6, 'UTC'),
    actor String,
    action LowCardinality(String),
    subject String,
    detail String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (at, actor, action, subject)
TTL toDateTime(at) + toIntervalDay(400);

-- Who may log in, the newest version of each name.
CREATE TABLE users
(
    name String,
    password_hash String,
    role LowCardinality(String),
    created_at DateTime64(6, 'UTC'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name;
