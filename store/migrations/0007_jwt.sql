-- What was noticed about a JWT: its algorithm, a digest of its issuer, facts from a closed list; empty for other tokens.
ALTER TABLE events ADD COLUMN IF NOT EXISTS jwt_algorithm LowCardinality(String);
ALTER TABLE events ADD COLUMN IF NOT EXISTS jwt_issuer UInt32;
ALTER TABLE events ADD COLUMN IF NOT EXISTS jwt_facts Array(LowCardinality(String));
