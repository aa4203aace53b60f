//! The names of an issuer's keys, which change while the decoder runs: issuers replace their keys every few weeks.

use std::sync::{Arc, PoisonError, RwLock};

/// The `kid` of an issuer's keys; clones are the same set.
#[derive(Clone, Debug, Default)]
pub struct JwtKeyIds(Arc<RwLock<Ids>>);

#[derive(Debug, Default)]
struct Ids {
    configured: Vec<String>,
    file: Vec<String>,
}

impl JwtKeyIds {
    pub(super) fn new(configured: Vec<String>, file: Vec<String>) -> Self {
        Self(Arc::new(RwLock::new(Ids { configured, file })))
    }

    /// What the issuer's file says now, in the place of what it said before. Counts for every token decoded from now on.
    pub fn replace_file(&self, file: Vec<String>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).file = file;
    }

    /// Whether a token may name `id`, or none: any may while no key is known.
    pub(super) fn allow(&self, id: Option<&str>) -> bool {
        let ids = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = ids.configured.iter().chain(&ids.file).peekable();
        all.peek().is_none() || id.is_some_and(|id| all.any(|known| known == id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_says_anew_counts_for_all_who_hold_the_set() {
        let ids = JwtKeyIds::default();
        assert!(ids.allow(None) && ids.allow(Some("k1")));
        let ids = JwtKeyIds::new(vec!["k0".to_owned()], vec!["k1".to_owned()]);
        let same = ids.clone();
        ids.replace_file(vec!["k2".to_owned()]);
        for (id, expected) in [("k0", true), ("k1", false), ("k2", true)] {
            assert_eq!(same.allow(Some(id)), expected, "{id}");
        }
        assert!(!same.allow(None));
    }
}
