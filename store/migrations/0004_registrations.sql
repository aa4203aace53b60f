-- When a token says itself that it was issued, and ends; 1970 if it does not say.
ALTER TABLE events ADD COLUMN IF NOT EXISTS token_issued_at DateTime64(6, 'UTC') CODEC(ZSTD(1));
ALTER TABLE events ADD COLUMN IF NOT EXISTS token_expires_at DateTime64(6, 'UTC') CODEC(ZSTD(1));

-- The token registry: what was said of a token or consumer, by whom, from which event time on. `kind` is token, credential
-- or consumer; `origin` is file, http, api or response; `body` is the registration as JSON, '' once it was taken out. Every
-- version is kept: what counted at an event's time can always be told.
CREATE TABLE registrations
(
    kind LowCardinality(String),
    name String,
    origin LowCardinality(String),
    since DateTime64(6, 'UTC'),
    actor String,
    body String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (kind, name, origin, since);
