//! The tokens of this deployment, by the fingerprints under which a raw token may be known.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use tokenwatch_model::TokenId;

/// Fingerprints and the tokens that they belong to: about 50 bytes each, so a million take 50 MB.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<TokenId, TokenId>);

impl Known {
    /// Those in the file at `path`: a `tok_…` a line, `#` begins a comment.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let told = || path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(told)?;
        let mut known = Self::default();
        for (index, line) in text.lines().enumerate() {
            let id = line.split('#').next().unwrap_or_default().trim();
            if id.is_empty() {
                continue;
            }
            let id = id
                .parse()
                .with_context(|| format!("{}:{}", path.display(), index + 1))?;
            known.insert(id, id);
        }
        ensure!(!known.0.is_empty(), "{}: names no token", path.display());
        Ok(known)
    }

    /// Adds a fingerprint of `token`.
    pub(crate) fn insert(&mut self, fingerprint: TokenId, token: TokenId) {
        self.0.insert(fingerprint, token);
    }

    /// The token of this fingerprint.
    pub(crate) fn find(&self, fingerprint: TokenId) -> Option<TokenId> {
        self.0.get(&fingerprint).copied()
    }
}
