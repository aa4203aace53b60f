//! What the deny list has to know: the journal of one target, and the other names of its tokens.

use std::collections::HashMap;

use clickhouse::Row;
use serde::Deserialize;
use tokenwatch_model::{Response, Timestamp, TokenId};

use crate::error::StoreError;
use crate::rows::ResponseRow;
use crate::store::Store;

/// Names of one token and kind; those that were seen last.
const NAMES_LIMIT: u32 = 64;
/// Tokens that are asked about at once.
const TOKENS_AT_ONCE: usize = 1_000;

/// A JWT's fingerprint is another one for every JWT of the grant, which is found without it.
const NAMES: &str = "\
SELECT ?fields FROM
(
    SELECT token_id, toUInt8(0) AS is_jwt_id, fingerprint AS name, max(ts) AS last FROM events
    WHERE token_id IN ? AND fingerprint != '' AND token_kind != 'jwt' GROUP BY token_id, name
    ORDER BY last DESC LIMIT ? BY token_id
    UNION ALL
    SELECT token_id, toUInt8(1) AS is_jwt_id, instance AS name, max(ts) AS last FROM events
    WHERE token_id IN ? AND instance != '' AND token_kind = 'jwt' AND NOT startsWith(instance, 'tok_')
    GROUP BY token_id, name ORDER BY last DESC LIMIT ? BY token_id
)
ORDER BY token_id, is_jwt_id, name";

/// What the events of a token say of its other names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherNames {
    /// Fingerprints of raw tokens that were seen beside a better identity.
    pub fingerprints: Vec<TokenId>,
    /// `jti` of the JWTs that were seen last.
    pub jwt_ids: Vec<String>,
}

#[derive(Row, Deserialize)]
struct NameRow {
    token_id: TokenId,
    is_jwt_id: u8,
    name: String,
}

impl Store {
    /// The newest line of every response by `target` that has one since `since`, oldest first.
    pub async fn responses_of_target(
        &self,
        target: &str,
        since: Timestamp,
    ) -> Result<Vec<Response>, StoreError> {
        let rows = self
            .client()
            .query(
                "SELECT ?fields FROM (SELECT * FROM responses \
                 WHERE target = ? AND at >= fromUnixTimestamp64Micro(toInt64(?)) \
                 ORDER BY id, at DESC, result != 'intended' DESC LIMIT 1 BY id) ORDER BY at, id",
            )
            .bind(target)
            .bind(since.as_micros())
            .fetch_all::<ResponseRow>()
            .await?;
        rows.into_iter().map(ResponseRow::into_response).collect()
    }

    /// The other names of these tokens; those of which no event has any are left out.
    pub async fn other_names(
        &self,
        tokens: &[TokenId],
    ) -> Result<HashMap<TokenId, OtherNames>, StoreError> {
        let mut found: HashMap<TokenId, OtherNames> = HashMap::new();
        for part in tokens.chunks(TOKENS_AT_ONCE) {
            let ids: Vec<String> = part.iter().map(ToString::to_string).collect();
            let query = self.client().query(NAMES);
            let query = query
                .bind(&ids)
                .bind(NAMES_LIMIT)
                .bind(&ids)
                .bind(NAMES_LIMIT);
            for row in query.fetch_all::<NameRow>().await? {
                let names = found.entry(row.token_id).or_default();
                if row.is_jwt_id == 1 {
                    names.jwt_ids.push(row.name);
                } else if let Ok(fingerprint) = row.name.parse() {
                    names.fingerprints.push(fingerprint);
                }
            }
        }
        Ok(found)
    }
}
