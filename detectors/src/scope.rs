//! What a token is used for: its endpoints, privileges, and steps between ids.
//!
//! 24 bytes for every token; what only busy or curious ones need is among its [`Parts`].

use serde::{Deserialize, Serialize};

use crate::distinct::Steps;
use crate::endpoints::Endpoints;
use crate::parts::Parts;
use crate::privilege::Privileges;

/// The scope of one token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Scope {
    endpoints: Endpoints,
    pub(crate) steps: Steps,
    pub(crate) privileges: Privileges,
}

impl Scope {
    /// Notes a call on `day` to the endpoint of this hash; whether it is the first to it, as far as is known.
    pub(crate) fn visit(&mut self, parts: &mut Parts, hash: u64, day: u16) -> bool {
        if let Some(many) = parts.many_mut() {
            return many.visit(hash, day);
        }
        if let Some(is_new) = self.endpoints.visit(hash) {
            return is_new;
        }
        parts.begin_many(&self.endpoints, day).visit(hash, day)
    }

    /// Whether the token called the endpoint of this hash, as far as is known.
    pub(crate) fn knows(&self, parts: &Parts, hash: u64) -> bool {
        match parts.many() {
            Some(many) => many.knows(hash),
            None => self.endpoints.knows(hash),
        }
    }

    /// Remembers that a token that is not new itself took up a new endpoint today.
    pub(crate) fn mark_novel(&mut self) {
        self.endpoints.mark_novel();
    }

    /// How surprising a new endpoint is for a token with `days` days of history, in decibans.
    pub(crate) fn surprise_db(&self, days: f64) -> f64 {
        self.endpoints.surprise_db(days)
    }

    /// How many endpoints are known.
    pub(crate) fn endpoint_count(&self, parts: &Parts) -> usize {
        parts.many_count().max(self.endpoints.count())
    }

    /// Ends a day.
    pub(crate) fn end_day(&mut self) {
        self.endpoints.end_day();
        self.steps.end_day();
        self.privileges.end_day();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        crate::hash_text(&number.to_string())
    }

    #[test]
    fn an_endpoint_is_new_once() {
        let (mut scope, mut parts) = (Scope::default(), Parts::default());
        for number in 0..20 {
            assert!(scope.visit(&mut parts, hash(number), 100), "{number}");
            assert_eq!(scope.endpoint_count(&parts), number as usize + 1);
        }
        for number in 0..20 {
            assert!(!scope.visit(&mut parts, hash(number), 101), "{number}");
        }
    }

    #[test]
    fn the_one_unused_for_longest_makes_room() {
        let (mut scope, mut parts) = (Scope::default(), Parts::default());
        for number in 0..32 {
            scope.visit(
                &mut parts,
                hash(number),
                if number == 15 { 90 } else { 100 },
            );
        }
        assert!(scope.visit(&mut parts, hash(99), 101));
        assert_eq!(scope.endpoint_count(&parts), 32);
        assert!(scope.visit(&mut parts, hash(15), 101), "it was forgotten");
        assert!(!scope.visit(&mut parts, hash(99), 101));
    }

    #[test]
    fn it_takes_24_bytes() {
        assert_eq!(size_of::<Scope>(), 24);
    }
}
