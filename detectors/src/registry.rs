//! The token registry as the engine sees it: what was known of a token at an event's time.
//!
//! A value that somebody else fills, from files, an inventory service or the API; nothing here reads anything. Every entry
//! has the event time from which it counts, so the same events give the same findings however often, and whenever, they
//! are judged. A token's own entry counts before one for its credential's name, and that before its consumer's; entries
//! are not mixed. Other names of a token lead to it ([`Registry::resolve`]).

mod aliases;

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;
use tokenwatch_model::{Registration, RegistryKey, Timestamp, TokenId, TokenUse};

use aliases::Aliases;

/// Versions kept of an entry: what is older than the oldest of them is judged as if the token were not registered.
const VERSIONS_LIMIT: usize = 8;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// All entries and their latest versions.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    tokens: Map<TokenId, Versions>,
    credentials: Map<String, Versions>,
    consumers: Map<String, Versions>,
    /// Which token replaces which.
    successors: Map<RegistryKey, RegistryKey>,
    /// Tokens that a response revoked, whatever else is said of them.
    revoked: Map<TokenId, Versions>,
    /// Tokens that were exposed, likewise.
    leaks: Map<TokenId, Versions>,
    aliases: Aliases,
    /// What is said of a token that was only revoked.
    nothing: Registration,
}

/// What was said of one token or consumer, oldest first.
#[derive(Clone, Debug, Default)]
struct Versions(SmallVec<[Version; 1]>);

#[derive(Clone, Debug)]
struct Version {
    since: Timestamp,
    /// None once it was taken out again.
    entry: Option<Arc<Registration>>,
}

/// What the registry says of a token at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered<'r> {
    pub(crate) entry: &'r Registration,
    /// When it was revoked, whoever says so.
    pub(crate) revoked: Option<Timestamp>,
    /// Since when it says so.
    pub(crate) since: Timestamp,
    /// When and where it was exposed.
    pub(crate) leak: Option<Leak<'r>>,
    /// The token that replaces this one.
    pub(crate) successor: Option<Successor<'r>>,
}

/// An exposure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leak<'r> {
    /// When it was reported, as an event time.
    pub(crate) reported: Timestamp,
    /// When it was exposed, by the report.
    pub(crate) exposed: Timestamp,
    /// Where.
    pub(crate) place: &'r str,
}

/// A token that replaces another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Successor<'r> {
    /// Its name.
    pub(crate) name: &'r str,
    /// Since when both are there.
    pub(crate) since: Timestamp,
}

impl Registry {
    /// Says what counts for `key` from `since` on; no entry takes it out. Later versions of a key come later.
    pub fn put(&mut self, key: &RegistryKey, since: Timestamp, entry: Option<Registration>) {
        if let Some(old) = entry.as_ref().and_then(|entry| entry.replaces.as_deref()) {
            self.successors
                .insert(RegistryKey::of_token(old), key.clone());
        }
        let versions = match key {
            RegistryKey::Token(id) => self.tokens.entry(*id).or_default(),
            RegistryKey::Credential(name) => self.credentials.entry(name.clone()).or_default(),
            RegistryKey::Consumer(name) => self.consumers.entry(name.clone()).or_default(),
        };
        versions.put(since, entry.map(Arc::new));
    }

    /// Says from `since` on by which other names the token `id`, registered under `key`, goes.
    pub fn put_aliases(
        &mut self,
        key: &RegistryKey,
        id: TokenId,
        since: Timestamp,
        names: &[String],
    ) {
        self.aliases.put(key, id, since, names);
    }

    /// Whether any token ever went by other names.
    pub fn has_aliases(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// Puts a token's own identity in the place of another name of it, as was known at `at`. To be done before an event is
    /// judged or stored.
    pub fn resolve(&self, used: &mut TokenUse<'_>, at: Timestamp) {
        self.aliases.resolve(used, at);
    }

    /// The token that `id` is another name of at `at`; itself if it is none.
    pub fn owner_of(&self, id: TokenId, at: Timestamp) -> TokenId {
        self.aliases.owner_of(id, at)
    }

    /// Says from `since` on that a response revoked the token at `revoked`, or that it did not.
    pub fn revoke(&mut self, id: TokenId, since: Timestamp, revoked: Option<Timestamp>) {
        let entry = revoked.map(|revoked| {
            Arc::new(Registration {
                revoked: Some(revoked),
                ..Registration::default()
            })
        });
        self.revoked.entry(id).or_default().put(since, entry);
    }

    /// Says from `since` on that the token was exposed, as `leaked` and `leaked_in` of the entry tell.
    pub fn leak(&mut self, id: TokenId, since: Timestamp, entry: Option<Registration>) {
        let versions = self.leaks.entry(id).or_default();
        versions.put(since, entry.map(Arc::new));
    }

    /// The tokens that were ever said to be exposed, in the order of their ids.
    pub(crate) fn leaked(&self) -> Vec<TokenId> {
        let mut ids: Vec<TokenId> = self.leaks.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Whether nothing was ever said of any token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
            && self.credentials.is_empty()
            && self.consumers.is_empty()
            && self.revoked.is_empty()
            && self.leaks.is_empty()
    }

    /// What is said of the token of a call at `at`.
    pub(crate) fn find(&self, used: &TokenUse<'_>, at: Timestamp) -> Option<Registered<'_>> {
        self.find_by(
            used.id,
            used.credential_id.as_deref(),
            used.consumer.as_deref(),
            at,
        )
    }

    /// What is said of the token of these names at `at`.
    pub(crate) fn find_by(
        &self,
        id: TokenId,
        credential: Option<&str>,
        consumer: Option<&str>,
        at: Timestamp,
    ) -> Option<Registered<'_>> {
        if self.is_empty() {
            return None;
        }
        let by_credential = || self.credentials.get(credential?)?.at(at);
        let by_consumer = || self.consumers.get(consumer?)?.at(at);
        let by_id = self.tokens.get(&id).and_then(|versions| versions.at(at));
        let said = by_id.or_else(by_credential).or_else(by_consumer);
        let done = self.revoked.get(&id).and_then(|versions| versions.at(at));
        let exposed = self.leaks.get(&id).and_then(|versions| versions.at(at));
        let only = || done.or(exposed).map(|(since, _)| (since, &self.nothing));
        let (since, entry) = said.or_else(only)?;
        let leak = exposed.and_then(|(reported, entry)| {
            Some(Leak {
                reported,
                exposed: entry.leaked?,
                place: entry.leaked_in.as_deref().unwrap_or("a public place"),
            })
        });
        Some(Registered {
            entry,
            revoked: Registration::earlier(
                entry.revoked,
                done.and_then(|(_, entry)| entry.revoked),
            ),
            since,
            leak,
            successor: self.successor(id, credential, at),
        })
    }

    fn successor(
        &self,
        id: TokenId,
        credential: Option<&str>,
        at: Timestamp,
    ) -> Option<Successor<'_>> {
        if self.successors.is_empty() {
            return None;
        }
        let by_name = || {
            let name = credential?.to_owned();
            self.successors
                .get_key_value(&RegistryKey::Credential(name))
        };
        let by_id = self.successors.get_key_value(&RegistryKey::Token(id));
        let (old, new) = by_id.or_else(by_name)?;
        let versions = match new {
            RegistryKey::Token(id) => self.tokens.get(id),
            RegistryKey::Credential(name) => self.credentials.get(name),
            RegistryKey::Consumer(_) => None,
        };
        let (since, entry) = versions.and_then(|known| known.at(at))?;
        let replaces = entry.replaces.as_deref().map(RegistryKey::of_token);
        // A successor that ended, or that no longer claims to be one, replaces nothing.
        let ended = [entry.expires, entry.revoked]
            .into_iter()
            .flatten()
            .any(|end| end <= at);
        if replaces.as_ref() != Some(old) || ended {
            return None;
        }
        Some(Successor {
            name: entry.token.as_deref().unwrap_or("another token"),
            since: entry.created.unwrap_or(since),
        })
    }
}

impl Versions {
    fn put(&mut self, since: Timestamp, entry: Option<Arc<Registration>>) {
        self.0.retain(|version| version.since < since);
        self.0.push(Version { since, entry });
        if self.0.len() > VERSIONS_LIMIT {
            self.0.remove(0);
        }
    }

    fn at(&self, at: Timestamp) -> Option<(Timestamp, &Registration)> {
        let version = self.0.iter().rev().find(|version| version.since <= at)?;
        Some((version.since, version.entry.as_deref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn entry(token: &str, owner: &str) -> Registration {
        Registration {
            token: Some(token.to_owned()),
            owner: Some(owner.to_owned()),
            ..Registration::default()
        }
    }

    fn owner(registry: &Registry, credential: &str, secs: i64) -> Option<String> {
        let id = TokenId::from_bits(7);
        let found = registry.find_by(id, Some(credential), Some("acme"), at(secs));
        found.and_then(|known| known.entry.owner.clone())
    }

    #[test]
    fn an_entry_counts_from_its_time_until_the_next() {
        let mut registry = Registry::default();
        let key = RegistryKey::of_token("5cbc");
        registry.put(&key, at(10), Some(entry("5cbc", "Ada")));
        registry.put(&key, at(20), Some(entry("5cbc", "Bob")));
        registry.put(&key, at(30), None);
        for (secs, want) in [
            (9, None),
            (10, Some("Ada")),
            (19, Some("Ada")),
            (20, Some("Bob")),
            (30, None),
        ] {
            assert_eq!(owner(&registry, "5cbc", secs).as_deref(), want, "{secs}");
        }
    }

    #[test]
    fn the_narrowest_entry_decides_and_is_not_mixed_with_others() {
        let mut registry = Registry::default();
        let put = |registry: &mut Registry, key: RegistryKey, owner: &str| {
            registry.put(&key, at(0), Some(entry("x", owner)));
        };
        put(
            &mut registry,
            RegistryKey::Consumer("acme".into()),
            "consumer",
        );
        assert_eq!(owner(&registry, "5cbc", 1).as_deref(), Some("consumer"));
        put(
            &mut registry,
            RegistryKey::Credential("5cbc".into()),
            "name",
        );
        assert_eq!(owner(&registry, "5cbc", 1).as_deref(), Some("name"));
        put(
            &mut registry,
            RegistryKey::Token(TokenId::from_bits(7)),
            "id",
        );
        assert_eq!(owner(&registry, "5cbc", 1).as_deref(), Some("id"));
    }

    #[test]
    fn a_response_revokes_and_says_nothing_else() {
        let mut registry = Registry::default();
        let (id, key) = (TokenId::from_bits(7), RegistryKey::of_token("5cbc"));
        registry.put(&key, at(0), Some(entry("5cbc", "Ada")));
        registry.revoke(id, at(10), Some(at(9)));
        registry.revoke(TokenId::from_bits(8), at(10), Some(at(9)));
        registry.revoke(id, at(20), None);
        let found = |id, secs| registry.find_by(id, Some("5cbc"), None, at(secs));
        let revoked = |secs| found(id, secs).and_then(|known| known.revoked);
        assert_eq!(revoked(9), None);
        assert_eq!(revoked(10), Some(at(9)));
        assert_eq!(revoked(20), None);
        assert_eq!(owner(&registry, "5cbc", 10).as_deref(), Some("Ada"));
        let other = registry.find_by(TokenId::from_bits(8), None, None, at(10));
        assert_eq!(other.and_then(|known| known.revoked), Some(at(9)));
    }

    #[test]
    fn versions_are_bounded() {
        let mut registry = Registry::default();
        let key = RegistryKey::of_token("5cbc");
        for secs in 0..100 {
            registry.put(&key, at(secs), Some(entry("5cbc", "Ada")));
        }
        assert_eq!(registry.credentials["5cbc"].0.len(), VERSIONS_LIMIT);
        assert_eq!(owner(&registry, "5cbc", 91), None);
        assert_eq!(owner(&registry, "5cbc", 92).as_deref(), Some("Ada"));
    }

    #[test]
    fn a_successor_replaces_while_it_is_alive_and_says_so() {
        let mut registry = Registry::default();
        let old = RegistryKey::of_token("old");
        registry.put(&old, at(0), Some(entry("old", "Ada")));
        let new = RegistryKey::of_token("new");
        let mut successor = entry("new", "Ada");
        successor.replaces = Some("old".to_owned());
        successor.created = Some(at(5));
        registry.put(&new, at(10), Some(successor.clone()));
        let since = |registry: &Registry, secs| {
            let known = registry.find_by(TokenId::from_bits(1), Some("old"), None, at(secs));
            known.and_then(|known| known.successor.map(|s| s.since.as_secs()))
        };
        assert_eq!(since(&registry, 9), None);
        assert_eq!(since(&registry, 10), Some(5));
        successor.revoked = Some(at(20));
        registry.put(&new, at(15), Some(successor));
        assert_eq!(since(&registry, 19), Some(5));
        assert_eq!(since(&registry, 20), None);
        registry.put(&new, at(30), Some(entry("new", "Ada")));
        assert_eq!(since(&registry, 31), None);
    }
}
