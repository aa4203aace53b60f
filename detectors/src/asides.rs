//! What is remembered of few tokens beside their habits: weaknesses that were told, two TLS clients of one name,
//! what became of one that leaked.
//!
//! An entry exists once there is something to remember, of about a hundred bytes, and goes with its token.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Timestamp, TokenId};

use crate::detect::binding_mismatch::Duel;
use crate::detect::leaked_token::LeakUse;

/// The tokens of which there is something to remember.
#[derive(Debug, Default)]
pub(crate) struct Asides {
    of: HashMap<TokenId, Aside, foldhash::fast::FixedState>,
    /// Tokens with a duel, so that most calls need not look.
    duels: usize,
}

/// What is remembered of one token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Aside {
    /// What was told of its JWTs, by the numbers of `jwt_weakness`'s kinds.
    told_weaknesses: u16,
    duel: Option<Duel>,
    leak: Option<LeakUse>,
}

impl Asides {
    /// Whether the weakness of this number was not told before; it counts as told from now on.
    pub(crate) fn tell_weakness(&mut self, id: TokenId, number: u8) -> bool {
        let told = &mut self.of.entry(id).or_default().told_weaknesses;
        let is_new = *told & (1 << number) == 0;
        *told |= 1 << number;
        is_new
    }

    /// Two TLS clients of one program, if there are.
    pub(crate) fn duel_mut(&mut self, id: TokenId) -> Option<&mut Duel> {
        if self.duels == 0 {
            return None;
        }
        self.of.get_mut(&id)?.duel.as_mut()
    }

    /// Begins or ends a duel.
    pub(crate) fn set_duel(&mut self, id: TokenId, duel: Option<Duel>) {
        let aside = self.of.entry(id).or_default();
        self.duels -= usize::from(aside.duel.is_some());
        self.duels += usize::from(duel.is_some());
        aside.duel = duel;
        if aside.is_empty() {
            self.of.remove(&id);
        }
    }

    /// What became of a token that was reported at this time to have leaked, once that is told.
    pub(crate) fn leak_mut(&mut self, id: TokenId, reported: Timestamp) -> Option<&mut LeakUse> {
        let leak = self.of.get_mut(&id)?.leak.as_mut();
        leak.filter(|leak| leak.reported == reported)
    }

    /// Begins to watch a token that leaked.
    pub(crate) fn set_leak(&mut self, id: TokenId, leak: LeakUse) {
        self.of.entry(id).or_default().leak = Some(leak);
    }

    /// What a checkpoint holds of a token.
    pub(crate) fn get(&self, id: TokenId) -> Option<&Aside> {
        self.of.get(&id)
    }

    /// Goes on with what a checkpoint held.
    pub(crate) fn restore(&mut self, id: TokenId, known: Aside) {
        self.forget(id);
        self.duels += usize::from(known.duel.is_some());
        self.of.insert(id, known);
    }

    /// Forgets a token.
    pub(crate) fn forget(&mut self, id: TokenId) {
        if let Some(aside) = self.of.remove(&id) {
            self.duels -= usize::from(aside.duel.is_some());
        }
    }

    /// Bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.of.capacity() * (size_of::<(TokenId, Aside)>() + 1)
    }
}

impl Aside {
    fn is_empty(&self) -> bool {
        self.told_weaknesses == 0 && self.duel.is_none() && self.leak.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weakness_is_told_once_also_after_a_restart() {
        let id = TokenId::from_bits(7);
        let mut asides = Asides::default();
        assert!(asides.get(id).is_none());
        assert!(asides.tell_weakness(id, 3));
        assert!(!asides.tell_weakness(id, 3));
        assert!(asides.tell_weakness(id, 15));
        let mut restored = Asides::default();
        restored.restore(id, asides.get(id).expect("it was told").clone());
        assert!(!restored.tell_weakness(id, 15));
        restored.forget(id);
        assert!(restored.tell_weakness(id, 15));
    }
}
