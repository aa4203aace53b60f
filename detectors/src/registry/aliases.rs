//! One token under several names: which identities the registry says belong to another token, from when on.
//!
//! What is said counts by event time, as everything in the registry does, so events that are judged again are judged
//! under the same token. A name leads to one token and not further: the alias of an alias is none.

use std::sync::Arc;

use smallvec::SmallVec;
use tokenwatch_model::{RegistryKey, Text, Timestamp, TokenId, TokenUse};

use super::{Map, VERSIONS_LIMIT};

/// Who goes by other names, too.
#[derive(Clone, Debug, Default)]
pub(super) struct Aliases {
    ids: Map<TokenId, Claims>,
    credentials: Map<String, Claims>,
    /// What each entry claims now.
    claimed: Map<RegistryKey, Claimed>,
}

/// Whom an entry is about, and the other names that it has.
type Claimed = (Arc<Owner>, Vec<RegistryKey>);

/// The token that an alias belongs to.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    id: TokenId,
    /// The gateway's name of it, where its entry has that.
    credential: Option<String>,
}

/// Whose an alias was, oldest first.
#[derive(Clone, Debug, Default)]
struct Claims(SmallVec<[Claim; 1]>);

#[derive(Clone, Debug)]
struct Claim {
    since: Timestamp,
    /// None once it is nobody's again.
    owner: Option<Arc<Owner>>,
}

impl Aliases {
    /// Says from `since` on that the token `id`, registered under `key`, goes by `names` and no others.
    pub(super) fn put(
        &mut self,
        key: &RegistryKey,
        id: TokenId,
        since: Timestamp,
        names: &[String],
    ) {
        let before = self.claimed.remove(key);
        if before.is_none() && names.is_empty() {
            return;
        }
        let names: Vec<RegistryKey> = names
            .iter()
            .map(|name| RegistryKey::of_token(name))
            .collect();
        let owner = Arc::new(Owner {
            id,
            credential: match key {
                RegistryKey::Credential(name) => Some(name.clone()),
                _ => None,
            },
        });
        if let Some((owner, before)) = before {
            for gone in before.iter().filter(|name| !names.contains(name)) {
                self.claims(gone).end(&owner, since);
            }
        }
        for name in &names {
            self.claims(name).put(since, Some(Arc::clone(&owner)));
        }
        if !names.is_empty() {
            self.claimed.insert(key.clone(), (owner, names));
        }
    }

    /// Whether nothing was ever claimed.
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.credentials.is_empty()
    }

    /// Puts a token's own identity in the place of an alias of it.
    pub(super) fn resolve(&self, used: &mut TokenUse<'_>, at: Timestamp) {
        let by_id = self.ids.get(&used.id).and_then(|claims| claims.at(at));
        let by_credential = || self.credentials.get(used.credential_id.as_deref()?)?.at(at);
        let Some(owner) = by_id.or_else(by_credential) else {
            return;
        };
        if owner.id == used.id {
            return;
        }
        // What was found exposed is still the token's.
        used.fingerprint.get_or_insert(used.id);
        used.id = owner.id;
        if let Some(name) = &owner.credential {
            used.credential_id = Some(Text::Owned(name.clone()));
        }
    }

    /// The token that `id` is an alias of, else itself.
    pub(super) fn owner_of(&self, id: TokenId, at: Timestamp) -> TokenId {
        let owner = self.ids.get(&id).and_then(|claims| claims.at(at));
        owner.map_or(id, |owner| owner.id)
    }

    fn claims(&mut self, name: &RegistryKey) -> &mut Claims {
        match name {
            RegistryKey::Token(id) => self.ids.entry(*id).or_default(),
            RegistryKey::Credential(name) | RegistryKey::Consumer(name) => {
                self.credentials.entry(name.clone()).or_default()
            }
        }
    }
}

impl Claims {
    fn put(&mut self, since: Timestamp, owner: Option<Arc<Owner>>) {
        if self.0.last().is_some_and(|last| last.owner == owner) {
            return;
        }
        self.0.retain(|claim| claim.since < since);
        self.0.push(Claim { since, owner });
        if self.0.len() > VERSIONS_LIMIT {
            self.0.remove(0);
        }
    }

    /// Ends the claim of `owner`, unless another has taken over since.
    fn end(&mut self, owner: &Owner, since: Timestamp) {
        let last = self.0.last().and_then(|last| last.owner.as_deref());
        if last == Some(owner) {
            self.put(since, None);
        }
    }

    fn at(&self, at: Timestamp) -> Option<&Owner> {
        let claim = self.0.iter().rev().find(|claim| claim.since <= at)?;
        claim.owner.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::TokenKind;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn id(bits: u128) -> TokenId {
        TokenId::from_bits(bits)
    }

    fn used(bits: u128, credential: Option<&'static str>) -> TokenUse<'static> {
        TokenUse {
            id: id(bits),
            kind: TokenKind::ApiKey,
            credential_id: credential.map(Text::Borrowed),
            instance: None,
            consumer: None,
            scopes: Vec::new(),
            fingerprint: None,
            issued_at: None,
            expires_at: None,
            jwt: None,
        }
    }

    fn resolved(aliases: &Aliases, token: &TokenUse<'static>, secs: i64) -> TokenUse<'static> {
        let mut token = token.clone();
        aliases.resolve(&mut token, at(secs));
        token
    }

    #[test]
    fn an_alias_is_its_owner_from_the_time_on_that_says_so() {
        let mut aliases = Aliases::default();
        let key = RegistryKey::Credential("5cbc".to_owned());
        let others = [id(7).to_string(), "old-name".to_owned()];
        aliases.put(&key, id(1), at(10), &others);
        let raw = used(7, None);
        assert_eq!(resolved(&aliases, &raw, 9), raw);
        let token = resolved(&aliases, &raw, 10);
        assert_eq!(token.id, id(1));
        assert_eq!(token.credential_id.as_deref(), Some("5cbc"));
        assert_eq!(token.fingerprint, Some(id(7)));
        let named = resolved(&aliases, &used(8, Some("old-name")), 10);
        assert_eq!(
            (named.id, named.credential_id.as_deref()),
            (id(1), Some("5cbc"))
        );
        let itself = used(1, Some("5cbc"));
        assert_eq!(resolved(&aliases, &itself, 10), itself);
        assert_eq!(aliases.owner_of(id(7), at(10)), id(1));
        assert_eq!(aliases.owner_of(id(9), at(10)), id(9));
    }

    #[test]
    fn a_raw_key_beside_a_credential_of_ones_own_is_no_alias() {
        // Whoever calls chooses what stands in a header that the gateway does not check.
        let mut aliases = Aliases::default();
        aliases.put(
            &RegistryKey::Token(id(1)),
            id(1),
            at(0),
            &[id(7).to_string()],
        );
        let mut thief = used(2, Some("thief"));
        thief.fingerprint = Some(id(7));
        assert_eq!(resolved(&aliases, &thief, 5), thief);
    }

    #[test]
    fn what_is_not_claimed_any_more_is_itself_again_and_the_last_claim_counts() {
        let mut aliases = Aliases::default();
        let (first, second) = (RegistryKey::Token(id(1)), RegistryKey::Token(id(2)));
        let names = [id(7).to_string()];
        aliases.put(&first, id(1), at(10), &names);
        aliases.put(&second, id(2), at(20), &names);
        // Somebody else's by now.
        aliases.put(&first, id(1), at(30), &[]);
        aliases.put(&second, id(2), at(40), &[]);
        for (secs, want) in [(15, 1), (25, 2), (35, 2), (40, 7)] {
            assert_eq!(
                resolved(&aliases, &used(7, None), secs).id,
                id(want),
                "{secs}"
            );
        }
    }
}
