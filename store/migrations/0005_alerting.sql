-- What a message was about, with which group it went, and which repetition or step of an escalation it was.
ALTER TABLE notifications MODIFY COLUMN result Enum8('sending' = 0, 'sent' = 1, 'failed' = 2, 'muted' = 3, 'waiting' = 4);
ALTER TABLE notifications ADD COLUMN IF NOT EXISTS occasion LowCardinality(String) AFTER reason;
ALTER TABLE notifications ADD COLUMN IF NOT EXISTS group_id String AFTER occasion;
ALTER TABLE notifications ADD COLUMN IF NOT EXISTS step UInt32 AFTER group_id;
ALTER TABLE notifications ADD COLUMN IF NOT EXISTS begun_at DateTime64(6, 'UTC') DEFAULT at AFTER step;
-- Which of several instances announces findings: one row per instance, the newest counts. Read with FINAL.
CREATE TABLE leases
(
    name String,
    holder String,
    version UInt64,
    claimed_at DateTime64(6, 'UTC'),
    held_until DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (name, holder);
