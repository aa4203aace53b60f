-- What incidents are searched and sorted by. The noun itself stays in `body`.
ALTER TABLE incidents
    ADD COLUMN IF NOT EXISTS confidence Float64 AFTER evidence_db,
    ADD COLUMN IF NOT EXISTS token_id String AFTER subject_id,
    ADD COLUMN IF NOT EXISTS credential_id String AFTER token_id,
    ADD COLUMN IF NOT EXISTS consumer String AFTER credential_id,
    ADD COLUMN IF NOT EXISTS owner String AFTER consumer,
    ADD COLUMN IF NOT EXISTS detected_at DateTime64(6, 'UTC') AFTER last_event_at,
    ADD COLUMN IF NOT EXISTS detectors Array(LowCardinality(String)) AFTER confidence,
    ADD COLUMN IF NOT EXISTS finding_ids Array(String) CODEC(ZSTD(1)) AFTER detectors,
    ADD COLUMN IF NOT EXISTS summary String CODEC(ZSTD(1)) AFTER finding_ids;
