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
        let sql =
            "SELECT ?fields FROM token_profiles FINAL WHERE checkpoint <= ? AND forgotten = 0";
        let query = self.client().query(sql).bind(checkpoint);
        let mut cursor = query.fetch::<TokenStateRow>()?;
        let mut tokens = Vec::new();
        while let Some(row) = cursor.next().await? {
            let id = row.token_id.parse().map_err(|_| StoreError::Corrupt {
                table: "token_profiles",
                detail: format!("{:?} is not a token", row.token_id),
            })?;
            tokens.push((id, row.state.0));
        }
        Ok(tokens)
    }
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
