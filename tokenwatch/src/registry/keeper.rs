//! What every origin says of every token, what counts of it, and whether a new inventory is to be believed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokenwatch_detectors::Registry;
use tokenwatch_ingest::TokenKey;
use tokenwatch_model::{Registration, RegistryKey, RegistryOrigin, Timestamp, TokenId};
use tokenwatch_store::RegistrationVersion;

use super::{Change, Refusal};

/// Entries of one origin: at 400 bytes each, 400 MB.
const ENTRIES_LIMIT: usize = 1_000_000;

/// What is known of all tokens.
#[derive(Debug)]
pub(crate) struct Keeper {
    said: HashMap<RegistryKey, BTreeMap<RegistryOrigin, Said>>,
    registry: Arc<Registry>,
    keep_share: f64,
    /// Makes the id of a token that a gateway names; where events are stored under it already, none is needed.
    key: Option<TokenKey>,
    /// No change counts from before the one before it.
    newest: Timestamp,
}

#[derive(Clone, Debug)]
struct Said {
    since: Timestamp,
    entry: Option<Registration>,
}

impl Keeper {
    /// One that knows the stored versions, the oldest first.
    pub(crate) fn new(
        versions: Vec<RegistrationVersion>,
        keep_share: f64,
        key: Option<TokenKey>,
    ) -> Self {
        let mut keeper = Self {
            said: HashMap::new(),
            registry: Arc::default(),
            keep_share,
            key,
            newest: Timestamp::default(),
        };
        keeper.apply(versions);
        keeper
    }

    /// The registry as it is now.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// Entries of an origin.
    pub(crate) fn count(&self, origin: RegistryOrigin) -> usize {
        self.of(origin).count()
    }

    /// Whether an origin ever said anything.
    pub(crate) fn knows(&self, origin: RegistryOrigin) -> bool {
        self.said.values().any(|said| said.contains_key(&origin))
    }

    /// The time from which a change counts that comes after all events up to `events`, at `now`.
    pub(crate) fn stamp(&self, now: Timestamp, events: Option<Timestamp>) -> Timestamp {
        let tick = std::time::Duration::from_micros(1);
        let after_events = events.map_or(now, |events| events + tick);
        let after_changes = self.newest + tick;
        now.max(after_events).max(after_changes)
    }

    /// The versions that `change` makes, from `since` on; none if it says what is known already.
    pub(crate) fn decide(
        &self,
        change: Change,
        since: Timestamp,
    ) -> Result<Vec<RegistrationVersion>, Refusal> {
        match change {
            Change::All { origin, entries } => {
                decide_replacement(self.count(origin), entries.len(), self.keep_share)?;
                Ok(self.decide_all(origin, entries, since))
            }
            Change::Withdrawn { origin } => Ok(self.decide_all(origin, Vec::new(), since)),
            Change::One { key, entry, actor } => self.decide_one(&key, entry, &actor, since),
            Change::Leaked {
                id,
                at,
                place,
                actor,
            } => {
                let id = self.registry.owner_of(id, since);
                let key = RegistryKey::Token(id);
                // The first report counts: what is told of it goes on.
                if self.latest(&key, RegistryOrigin::Leak).is_some() {
                    return Ok(Vec::new());
                }
                Ok(vec![RegistrationVersion {
                    entry: Some(Registration {
                        token: Some(id.to_string()),
                        leaked: Some(at),
                        leaked_in: Some(place),
                        ..Registration::default()
                    }),
                    key,
                    origin: RegistryOrigin::Leak,
                    since,
                    actor,
                }])
            }
            Change::Restored { id, at } => Ok(self.decide_restored(id, at, since)),
            Change::Revoked { id, at } => {
                let key = RegistryKey::Token(id);
                let known = self.latest(&key, RegistryOrigin::Response);
                let said = |known: &Said| known.entry.as_ref().and_then(|entry| entry.revoked);
                // The same response again or an earlier one, or one that a user has taken back since.
                if known.is_some_and(|known| match said(known) {
                    Some(revoked) => revoked >= at,
                    None => known.since >= at,
                }) {
                    return Ok(Vec::new());
                }
                Ok(vec![RegistrationVersion {
                    entry: Some(Registration {
                        token: Some(id.to_string()),
                        revoked: Some(at),
                        ..Registration::default()
                    }),
                    key,
                    origin: RegistryOrigin::Response,
                    since,
                    actor: String::new(),
                }])
            }
        }
    }

    /// The end of what a response had said, unless another response or a user has spoken since.
    fn decide_restored(
        &self,
        id: TokenId,
        at: Timestamp,
        since: Timestamp,
    ) -> Vec<RegistrationVersion> {
        let key = RegistryKey::Token(id);
        let known = self.latest(&key, RegistryOrigin::Response);
        let said = known.and_then(|known| known.entry.as_ref()?.revoked);
        if said != Some(at) {
            return Vec::new();
        }
        vec![RegistrationVersion {
            key,
            origin: RegistryOrigin::Response,
            since,
            actor: String::new(),
            entry: None,
        }]
    }

    /// Takes the versions over.
    pub(crate) fn apply(&mut self, versions: Vec<RegistrationVersion>) {
        if versions.is_empty() {
            return;
        }
        let registry = Arc::make_mut(&mut self.registry);
        for version in versions {
            self.newest = self.newest.max(version.since);
            let said = self.said.entry(version.key.clone()).or_default();
            let revoked = version.entry.as_ref().and_then(|entry| entry.revoked);
            let leak = (version.origin == RegistryOrigin::Leak).then(|| version.entry.clone());
            said.insert(
                version.origin,
                Said {
                    since: version.since,
                    entry: version.entry,
                },
            );
            if let (Some(leak), RegistryKey::Token(id)) = (leak, &version.key) {
                registry.leak(*id, version.since, leak);
                continue;
            }
            if version.origin == RegistryOrigin::Response {
                if let RegistryKey::Token(id) = version.key {
                    registry.revoke(id, version.since, revoked);
                }
                continue;
            }
            let decisive = said
                .iter()
                .rev()
                .filter(|(origin, _)| !origin.adds())
                .find_map(|(_, said)| said.entry.clone());
            if let Some(key) = &self.key {
                put_aliases(
                    registry,
                    key,
                    &version.key,
                    version.since,
                    decisive.as_ref(),
                );
            }
            registry.put(&version.key, version.since, decisive);
        }
    }

    fn decide_all(
        &self,
        origin: RegistryOrigin,
        entries: Vec<Registration>,
        since: Timestamp,
    ) -> Vec<RegistrationVersion> {
        let version = |key: RegistryKey, entry| RegistrationVersion {
            key,
            origin,
            since,
            actor: String::new(),
            entry,
        };
        let mut kept = std::collections::HashSet::with_capacity(entries.len());
        let mut versions = Vec::new();
        for entry in entries {
            let key = entry
                .check()
                .expect("an inventory's entries are checked when they are read");
            let known = self
                .latest(&key, origin)
                .and_then(|said| said.entry.as_ref());
            kept.insert(key.clone());
            if known != Some(&entry) {
                versions.push(version(key, Some(entry)));
            }
        }
        for (key, _) in self.of(origin) {
            if !kept.contains(key) {
                versions.push(version(key.clone(), None));
            }
        }
        versions.sort_by(|a, b| a.key.cmp(&b.key));
        versions
    }

    fn decide_one(
        &self,
        key: &RegistryKey,
        entry: Option<Box<Registration>>,
        actor: &str,
        since: Timestamp,
    ) -> Result<Vec<RegistrationVersion>, Refusal> {
        let version = |origin, entry: Option<Registration>| RegistrationVersion {
            key: key.clone(),
            origin,
            since,
            actor: actor.to_owned(),
            entry,
        };
        let is_said = |origin| {
            self.latest(key, origin)
                .is_some_and(|said| said.entry.is_some())
        };
        let mut versions = Vec::new();
        let entry = entry.map(|entry| *entry);
        if entry.is_some() || is_said(RegistryOrigin::Api) {
            versions.push(version(RegistryOrigin::Api, entry));
        }
        // A user's word comes after the response, and counts instead of it.
        if is_said(RegistryOrigin::Response) {
            versions.push(version(RegistryOrigin::Response, None));
        }
        if versions.is_empty() {
            return Err(Refusal::Unknown);
        }
        Ok(versions)
    }

    fn latest(&self, key: &RegistryKey, origin: RegistryOrigin) -> Option<&Said> {
        self.said.get(key)?.get(&origin)
    }

    fn of(&self, origin: RegistryOrigin) -> impl Iterator<Item = (&RegistryKey, &Registration)> {
        self.said
            .iter()
            .filter_map(move |(key, said)| Some((key, said.get(&origin)?.entry.as_ref()?)))
    }
}

/// Hands on by which other names a token goes.
fn put_aliases(
    registry: &mut Registry,
    token_key: &TokenKey,
    key: &RegistryKey,
    since: Timestamp,
    entry: Option<&Registration>,
) {
    let id = match (key, entry.and_then(|entry| entry.gateway)) {
        (RegistryKey::Token(id), _) => *id,
        (RegistryKey::Credential(name), Some(format)) => token_key.credential_id(format, name),
        // It has no aliases, or none any more.
        (RegistryKey::Credential(_), None) => TokenId::from_bits(0),
        (RegistryKey::Consumer(_), _) => return,
    };
    let names = entry.map_or(&[][..], |entry| &entry.aliases);
    registry.put_aliases(key, id, since, names);
}

/// Whether an inventory of `now` entries may replace one of `before`.
fn decide_replacement(before: usize, now: usize, keep_share: f64) -> Result<(), Refusal> {
    if now > ENTRIES_LIMIT {
        return Err(Refusal::TooMany {
            now,
            limit: ENTRIES_LIMIT,
        });
    }
    if now == 0 && before > 0 && keep_share > 0.0 {
        return Err(Refusal::Empty { before });
    }
    if (now as f64) < keep_share * before as f64 {
        return Err(Refusal::Shrunk { before, now });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
