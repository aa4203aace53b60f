//! Checkpoints: positions and learned state, visible as a whole or not at all.
//!
//! `token_profiles` holds one row per token, the newest by checkpoint. Were a checkpoint's rows written there before
//! it is visible, merges could drop an older, visible version in favour of one that never becomes visible. So a
//! checkpoint is a redo log:
//!
//! 1. its token rows go to `checkpoint_tokens`;
//! 2. one row in `checkpoints` makes it visible;
//! 3. the token rows are copied to `token_profiles`;
//! 4. `checkpoint_tokens` is emptied.
//!
//! A process killed before 2 leaves rows that nothing looks at; one killed after it leaves a copy to be done again,
//! which is harmless, for equal rows collapse. [`Store::load_checkpoint`] does both before anything else is written.
//! Storage does not grow with the number of checkpoints: `checkpoints` has four slots, each of which keeps its newest.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Position, TokenId, TokenProfile};

use crate::error::StoreError;
use crate::rows::{Blob, from_json, to_json};
use crate::store::Store;

/// One would do; a few let an operator look at what was before.
const SLOTS: u64 = 4;

/// Tokens whose states are read at once: about 30 MB, for the embedded engine makes a result whole before it sends it.
const TOKENS_PER_READ: u64 = 100_000;
/// Behind every token's id: the letter after the underscore of `tok_`.
const BEHIND_ALL: &str = "tok`";

/// What changed since the checkpoint before.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// One more than that of the checkpoint before; the first is 1.
    pub id: u64,
    /// Where reading each stream goes on: every stream that shall be gone on with, not only those that changed.
    pub positions: Vec<Position>,
    /// The engine-wide state.
    pub engine_state: Vec<u8>,
    /// The tokens whose state changed.
    pub tokens: Vec<TokenRow>,
    /// The tokens that the engine forgot.
    pub forgotten: Vec<TokenId>,
}

/// A token's state as of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenRow {
    /// The token.
    pub id: TokenId,
    /// The engine's own.
    pub state: Vec<u8>,
    /// What people read.
    pub profile: TokenProfile,
}

/// The newest whole checkpoint, with the newest state of every token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadedCheckpoint {
    /// Its number.
    pub id: u64,
    /// Where reading each stream goes on.
    pub positions: Vec<Position>,
    /// The engine-wide state.
    pub engine_state: Vec<u8>,
    /// Every token's state.
    pub tokens: Vec<(TokenId, Vec<u8>)>,
}

#[derive(Clone, Debug, Row, Serialize, Deserialize)]
struct CheckpointRow {
    slot: u8,
    id: u64,
    positions: String,
    engine_state: Blob,
}

#[derive(Clone, Debug, Row, Serialize, Deserialize)]
struct CheckpointTokenRow {
    checkpoint: u64,
    token_id: String,
    forgotten: u8,
    state: Blob,
    profile: String,
}

#[derive(Debug, Row, Deserialize)]
struct TokenStateRow {
    token_id: String,
    state: Blob,
}

impl Store {
    /// Makes `checkpoint` the newest; when this returns, a restart finds it.
    pub async fn write_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let mut log_is_clean = self.checkpoint_log().lock().await;
        if !*log_is_clean {
            // An earlier call was given up half way; its rows must not mix with ours.
            self.settle_log().await?;
        }
        *log_is_clean = false;
        let tokens = token_rows(checkpoint);
        self.insert_rows("checkpoint_tokens", &tokens).await?;
        let row = CheckpointRow {
            slot: (checkpoint.id % SLOTS) as u8,
            id: checkpoint.id,
            positions: to_json(&checkpoint.positions),
            engine_state: Blob(checkpoint.engine_state.clone()),
        };
        self.insert_rows("checkpoints", &[row]).await?;
        if !tokens.is_empty() {
            self.apply_log(checkpoint.id).await?;
        }
        *log_is_clean = true;
        Ok(())
    }

    /// The newest whole checkpoint; `None` if there is none yet. Call it once, before anything is written.
    pub async fn load_checkpoint(&self) -> Result<Option<LoadedCheckpoint>, StoreError> {
        let mut log_is_clean = self.checkpoint_log().lock().await;
        let newest = self.settle_log().await?;
        *log_is_clean = true;
        let Some(newest) = newest else {
            return Ok(None);
        };
        let tokens = self
            .until_done(|| async { self.token_states(newest.id).await })
            .await?;
        Ok(Some(LoadedCheckpoint {
            id: newest.id,
            positions: from_json("checkpoints", &newest.positions)?,
            engine_state: newest.engine_state.0,
            tokens,
        }))
    }

    /// The readable baseline of a token, as of the newest checkpoint.
    pub async fn token_profile(&self, id: TokenId) -> Result<Option<TokenProfile>, StoreError> {
        let sql = "SELECT profile FROM token_profiles FINAL WHERE token_id = ? AND forgotten = 0";
        let query = self.client().query(sql).bind(id.to_string());
        let profile = query.fetch_optional::<String>().await?;
        profile
            .map(|profile| from_json("token_profiles", &profile))
            .transpose()
    }

    /// Finishes the newest visible checkpoint and throws away what never became visible.
    async fn settle_log(&self) -> Result<Option<CheckpointRow>, StoreError> {
        let newest = self
            .until_done(|| async {
                let sql = "SELECT ?fields FROM checkpoints ORDER BY id DESC LIMIT 1";
                Ok(self.client().query(sql).fetch_optional().await?)
            })
            .await?;
        self.apply_log(newest.as_ref().map_or(0, |row: &CheckpointRow| row.id))
            .await?;
        Ok(newest)
    }

    /// Copies the token rows of a visible checkpoint to their table and empties the log.
    async fn apply_log(&self, checkpoint: u64) -> Result<(), StoreError> {
        let copy = format!(
            "INSERT INTO token_profiles (token_id, checkpoint, forgotten, state, profile) \
             SELECT token_id, checkpoint, forgotten, state, profile FROM checkpoint_tokens \
             WHERE checkpoint = {checkpoint}"
        );
        for sql in [copy.as_str(), "TRUNCATE TABLE checkpoint_tokens"] {
            self.until_done(|| async { Ok(self.client().query_raw(sql).execute().await?) })
                .await?;
        }
        Ok(())
    }

    async fn token_states(&self, checkpoint: u64) -> Result<Vec<(TokenId, Vec<u8>)>, StoreError> {
        let sql = "SELECT count() FROM token_profiles";
        let rows = self.client().query_raw(sql).fetch_one::<u64>().await?;
        let mut tokens = Vec::with_capacity(usize::try_from(rows).unwrap_or(0));
        for (first, behind) in id_ranges(rows.div_ceil(TOKENS_PER_READ)) {
            self.read_token_states(checkpoint, &first, &behind, &mut tokens)
                .await?;
        }
        Ok(tokens)
    }

    /// Adds the states of the tokens from `first` to before `behind` to `tokens`.
    async fn read_token_states(
        &self,
        checkpoint: u64,
        first: &str,
        behind: &str,
        tokens: &mut Vec<(TokenId, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT ?fields FROM token_profiles FINAL \
                   WHERE token_id >= ? AND token_id < ? AND checkpoint <= ? AND forgotten = 0";
        let query = self.client().query(sql);
        let query = query.bind(first).bind(behind).bind(checkpoint);
        let mut cursor = query.fetch::<TokenStateRow>()?;
        while let Some(row) = cursor.next().await? {
            let id = row.token_id.parse().map_err(|_| StoreError::Corrupt {
                table: "token_profiles",
                detail: format!("{:?} is not a token", row.token_id),
            })?;
            tokens.push((id, row.state.0));
        }
        Ok(())
    }
}

/// Ranges of ids, at least `parts` of them, of about as many tokens each: ids are as even as the digests that they are cut
/// from.
fn id_ranges(parts: u64) -> Vec<(String, String)> {
    let parts = u32::try_from(parts).unwrap_or(u32::MAX).clamp(1, 1 << 16);
    let bits = parts.next_power_of_two().ilog2();
    let bound = |part: u32| match u128::from(part).checked_shl(u128::BITS - bits) {
        Some(first) if part < 1 << bits => TokenId::from_bits(first).to_string(),
        None if part == 0 => TokenId::from_bits(0).to_string(),
        _ => BEHIND_ALL.to_owned(),
    };
    (0..1 << bits)
        .map(|part| (bound(part), bound(part + 1)))
        .collect()
}

fn token_rows(checkpoint: &Checkpoint) -> Vec<CheckpointTokenRow> {
    let changed = checkpoint.tokens.iter().map(|token| CheckpointTokenRow {
        checkpoint: checkpoint.id,
        token_id: token.id.to_string(),
        forgotten: 0,
        state: Blob(token.state.clone()),
        profile: to_json(&token.profile),
    });
    let forgotten = checkpoint.forgotten.iter().map(|id| CheckpointTokenRow {
        checkpoint: checkpoint.id,
        token_id: id.to_string(),
        forgotten: 1,
        state: Blob(Vec::new()),
        profile: String::new(),
    });
    changed.chain(forgotten).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ids_join_and_hold_every_id() {
        for parts in [0, 1, 2, 3, 100] {
            let ranges = id_ranges(parts);
            assert!(
                ranges.len() as u64 >= parts && ranges.len() <= 128,
                "{parts}"
            );
            assert_eq!(ranges[0].0, TokenId::from_bits(0).to_string());
            assert!(ranges[ranges.len() - 1].1 > TokenId::from_bits(u128::MAX).to_string());
            for (earlier, later) in ranges.iter().zip(&ranges[1..]) {
                assert_eq!(earlier.1, later.0);
                assert!(earlier.0 < earlier.1);
            }
        }
    }
}
