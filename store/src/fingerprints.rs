//! Under which fingerprints a raw token may be known: by its id, or by an alias that was seen beside a better identity.

use std::collections::HashMap;

use clickhouse::Row;
use serde::Deserialize;
use tokenwatch_model::TokenId;

use crate::error::StoreError;
use crate::store::Store;

/// How long reading all of them may take: aliases are read from the events.
const READ_LIMIT: std::time::Duration = std::time::Duration::from_mins(5);

/// Ids of names (a credential's, a grant's) are no fingerprint of anything, and harmless: nothing has them.
const ALL: &str = "\
SELECT token_id AS fingerprint, token_id FROM tokens GROUP BY token_id
UNION ALL
SELECT name AS fingerprint, name AS token_id FROM registrations FINAL WHERE kind = 'token' AND body != '' GROUP BY name
UNION ALL
SELECT fingerprint, max(events.token_id) AS token_id FROM events WHERE fingerprint != '' AND events.token_id != '' GROUP BY fingerprint";

#[derive(Row, Deserialize)]
struct FingerprintRow {
    fingerprint: TokenId,
    token_id: TokenId,
}

/// The same of a few.
const SOME: &str = "\
SELECT fingerprint, max(token_id) AS token_id FROM
(
    SELECT token_id AS fingerprint, token_id FROM tokens WHERE token_id IN {ids:Array(String)}
    UNION ALL
    SELECT name AS fingerprint, name AS token_id FROM registrations FINAL
    WHERE kind = 'token' AND body != '' AND name IN {ids:Array(String)}
    UNION ALL
    SELECT fingerprint, token_id FROM events WHERE fingerprint IN {ids:Array(String)} AND token_id != ''
)
GROUP BY fingerprint";

impl Store {
    /// The tokens that these fingerprints belong to; those of none are left out.
    pub async fn tokens_of(
        &self,
        fingerprints: &[TokenId],
    ) -> Result<HashMap<TokenId, TokenId>, StoreError> {
        let ids: Vec<String> = fingerprints.iter().map(ToString::to_string).collect();
        let query = self.client().query(SOME).param("ids", ids);
        match tokio::time::timeout(READ_LIMIT, query.fetch_all::<FingerprintRow>()).await {
            Ok(rows) => Ok(rows?
                .into_iter()
                .map(|row| (row.fingerprint, row.token_id))
                .collect()),
            Err(_) => Err(clickhouse::error::Error::TimedOut.into()),
        }
    }

    /// Every fingerprint and the token that it belongs to.
    pub async fn fingerprints(&self) -> Result<Vec<(TokenId, TokenId)>, StoreError> {
        let query = self.client().query(ALL).fetch_all::<FingerprintRow>();
        match tokio::time::timeout(READ_LIMIT, query).await {
            Ok(rows) => Ok(rows?
                .into_iter()
                .map(|row| (row.fingerprint, row.token_id))
                .collect()),
            Err(_) => Err(clickhouse::error::Error::TimedOut.into()),
        }
    }
}
