//! The deny list: what gateways are to refuse, in memory, for those that poll it and those that ask about every request.
//!
//! The journal is the truth, the list what follows from it: a response to the target `denylist` is on it from the moment that it is
//! carried out, and after a restart, or in another instance, once the journal was read ([`DenyList::take_in`]). Whose outcome nobody
//! knows stays on it, since it was decided. Asking ([`DenyList::judge`]) reads memory alone, and never waits for a store.
//!
//! A version is a sum of digests of what is on the list, so every instance calls the same list by the same name, also after a restart.

mod changes;
mod entry;
mod throttle;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokenwatch_model::{Response, ResponseAction, ResponseResult, Timestamp, TokenId};
use tokenwatch_store::OtherNames;
use tokio::sync::Notify;

use changes::Changes;
pub use changes::Delta;
use entry::Entry;
pub use entry::{DeniedName, DeniedToken};

/// Entries: about 1 KB each with their names, so 100 MB. At most 1,000 responses come in an hour.
const ENTRIES_LIMIT: usize = 100_000;
/// For so long it is remembered that a response has left the list, so that an older line of the journal, read late, does not bring it
/// back.
const LEFT_KEPT: Duration = Duration::from_hours(1);

/// The deny list; clones are handles to one.
#[derive(Clone, Default)]
pub struct DenyList(Arc<Shared>);

#[derive(Default)]
struct Shared {
    list: RwLock<List>,
    changed: Notify,
}

/// What is on it.
#[derive(Default)]
struct List {
    /// Whether the journal was read.
    is_whole: bool,
    by_response: HashMap<String, Known>,
    /// By the token's id and by its other fingerprints.
    by_token: HashMap<TokenId, Vec<Arc<Entry>>>,
    version: u128,
    changes: Changes,
    entries: usize,
}

/// What is known of a response.
#[derive(Default)]
struct Known {
    /// When the line was written that says so.
    at: Timestamp,
    /// Nothing if it is not, or not any more, on the list.
    entry: Option<Arc<Entry>>,
}

/// What is to be done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyVerdict {
    /// None of its tokens is on the list.
    Allow,
    /// The token was revoked.
    Revoked,
    /// It is suspended.
    Suspended,
    /// It may be used from other networks alone.
    Restricted,
    /// It has made all the calls that it may make just now.
    Throttled {
        /// How soon the next one may be made.
        retry_after: Duration,
    },
    /// The journal was not read yet.
    NotReady,
}

/// The list as it is now.
#[derive(Clone, Debug)]
pub struct WholeList {
    /// Its name.
    pub version: String,
    /// What is on it, by the ids of the responses.
    pub entries: Vec<Arc<DeniedToken>>,
}

/// The list has as many entries as it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deny list is full")]
pub struct DenyListFull;

impl DenyList {
    /// Takes in the newest lines of responses; what is older than what is known changes nothing. `is_all` says that these are all that
    /// the journal has. Tells how many did not fit.
    pub fn take_in(&self, lines: &[Response], is_all: bool) -> usize {
        let mut list = self.write();
        let refused = lines.iter().filter(|line| list.take(line).is_err());
        let refused = refused.count();
        list.is_whole |= is_all;
        refused
    }

    /// Puts on the list what `line` asks for, or takes it off, whatever else the journal says.
    pub(crate) fn carry_out(&self, line: &Response) -> Result<(), DenyListFull> {
        let taken = self.write().take(line);
        self.0.changed.notify_one();
        taken
    }

    /// Whether a request with these tokens is let in. The gravest entry decides.
    pub fn judge(&self, tokens: &[TokenId], client: Option<IpAddr>, now: Timestamp) -> DenyVerdict {
        let list = self.read();
        if !list.is_whole {
            return DenyVerdict::NotReady;
        }
        let entries = tokens.iter().filter_map(|token| list.by_token.get(token));
        let mut gravest = DenyVerdict::Allow;
        // Several of a request's tokens may be one entry's, and a call counts once.
        let mut seen: Vec<&Arc<Entry>> = Vec::new();
        for entry in entries.flatten().filter(|entry| entry.holds(now)) {
            if seen.iter().any(|known| Arc::ptr_eq(known, entry)) {
                continue;
            }
            seen.push(entry);
            let verdict = entry.judge(client, now);
            if verdict.gravity() > gravest.gravity() {
                gravest = verdict;
            }
        }
        gravest
    }

    /// The name of the list as it is now; nothing before the journal was read.
    pub fn version(&self) -> Option<String> {
        let list = self.read();
        list.is_whole.then(|| name_of(list.version))
    }

    /// All of it; nothing before the journal was read.
    pub fn whole(&self) -> Option<WholeList> {
        let list = self.read();
        if !list.is_whole {
            return None;
        }
        let known = list.by_response.values();
        let mut entries: Vec<_> = known
            .filter_map(|known| Some(Arc::clone(&known.entry.as_ref()?.told)))
            .collect();
        entries.sort_by(|one, other| one.response_id.cmp(&other.response_id));
        Some(WholeList {
            version: name_of(list.version),
            entries,
        })
    }

    /// What has changed since the list had the name `version`; nothing if that is not remembered.
    pub fn since(&self, version: &str) -> Option<Delta> {
        let list = self.read();
        let since = u128::from_str_radix(version, 16).ok()?;
        let touched = list.changes.since(since, list.version)?;
        let mut delta = Delta {
            version: name_of(list.version),
            added: Vec::new(),
            removed: Vec::new(),
        };
        for id in touched {
            let entry = list
                .by_response
                .get(&id)
                .and_then(|known| known.entry.as_ref());
            match entry {
                Some(entry) => delta.added.push(Arc::clone(&entry.told)),
                None => delta.removed.push(id),
            }
        }
        list.is_whole.then_some(delta)
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.read().entries
    }

    /// The tokens whose other names are to be looked up: those that have none yet, and those that came after `since`.
    pub fn to_be_named(&self, since: Timestamp) -> Vec<TokenId> {
        let list = self.read();
        let known = list.by_response.values();
        let entries = known.filter_map(|known| known.entry.as_ref());
        let mut tokens: Vec<TokenId> = entries
            .filter(|entry| entry.names.is_none() || entry.told.since >= since)
            .map(|entry| entry.told.token.id)
            .collect();
        tokens.sort();
        tokens.dedup();
        tokens
    }

    /// Takes in the other names of a token.
    pub fn name(&self, token: TokenId, names: &OtherNames) {
        let mut list = self.write();
        let known = list.by_token.get(&token).cloned().unwrap_or_default();
        for entry in known {
            if entry.told.token.id == token && entry.names.as_ref() != Some(names) {
                list.replace(&entry, entry.named(names.clone()));
            }
        }
    }

    /// Takes off what has ended by itself, and forgets what has left long ago.
    pub fn sweep(&self, now: Timestamp) {
        let mut list = self.write();
        let known = list
            .by_response
            .values()
            .filter_map(|known| known.entry.clone());
        let ended: Vec<Arc<Entry>> = known.filter(|entry| !entry.holds(now)).collect();
        for entry in ended {
            list.remove(&entry);
        }
        list.by_response
            .retain(|_, known| known.entry.is_some() || now.since(known.at) <= LEFT_KEPT);
    }

    /// Until this instance has put something on the list or taken it off.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    fn read(&self) -> RwLockReadGuard<'_, List> {
        // Nothing in there panics half way through a change.
        self.0.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, List> {
        self.0.list.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn take(&mut self, line: &Response) -> Result<(), DenyListFull> {
        let known = self.by_response.get(&line.id);
        if known.is_some_and(|known| known.at >= line.at) {
            return Ok(());
        }
        let before = known.and_then(|known| known.entry.clone());
        let entry = is_in_force(line).then(|| Entry::of(line, before.as_deref()));
        let is_full = before.is_none() && self.entries >= ENTRIES_LIMIT;
        match (before, entry) {
            (_, Some(_)) if is_full => return Err(DenyListFull),
            (Some(before), Some(entry)) => self.replace(&before, entry),
            (None, Some(entry)) => self.insert(entry),
            (Some(before), None) => self.remove(&before),
            (None, None) => {}
        }
        self.known(&line.id).at = line.at;
        Ok(())
    }

    fn known(&mut self, response_id: &str) -> &mut Known {
        let known = self.by_response.entry(response_id.to_owned());
        known.or_default()
    }

    fn insert(&mut self, entry: Entry) {
        let entry = Arc::new(entry);
        self.note(&entry, entry.digest);
        self.entries += 1;
        for token in entry.tokens() {
            let entries = self.by_token.entry(token).or_default();
            entries.push(Arc::clone(&entry));
        }
        self.known(&entry.told.response_id).entry = Some(Arc::clone(&entry));
    }

    fn replace(&mut self, before: &Arc<Entry>, entry: Entry) {
        let is_news = before.digest != entry.digest;
        if !is_news && before.names == entry.names {
            return;
        }
        let version = self.version;
        self.remove(before);
        self.insert(entry);
        if !is_news {
            // Names alone that gateways are not told: the same list, under the same name.
            self.changes.undo(version);
        }
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        self.note(entry, entry.digest.wrapping_neg());
        self.entries -= 1;
        for token in entry.tokens() {
            if let Some(entries) = self.by_token.get_mut(&token) {
                entries.retain(|known| !Arc::ptr_eq(known, entry));
                if entries.is_empty() {
                    self.by_token.remove(&token);
                }
            }
        }
        self.known(&entry.told.response_id).entry = None;
    }

    /// The list changes by `digest`.
    fn note(&mut self, entry: &Entry, digest: u128) {
        self.changes.push(self.version, &entry.told.response_id);
        self.version = self.version.wrapping_add(digest);
    }
}

/// Whether the newest line of a response says that gateways are to refuse its token.
fn is_in_force(line: &Response) -> bool {
    use ResponseResult as Is;
    match line.result {
        // What was decided holds, also where the process died before it said so.
        Is::Intended | Is::Delivered | Is::Unknown | Is::UndoFailed => true,
        Is::Undoing
        | Is::Undone
        | Is::Failed
        | Is::WouldRespond
        | Is::Withheld
        | Is::Held
        | Is::Vetoed
        | Is::Lapsed => false,
    }
}

/// How a version is written.
fn name_of(version: u128) -> String {
    format!("{version:032x}")
}

impl DenyVerdict {
    /// The contract name, as in the header that says why and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Revoked => "revoked",
            Self::Suspended => "suspended",
            Self::Restricted => "restricted",
            Self::Throttled { .. } => "throttled",
            Self::NotReady => "not_ready",
        }
    }

    const fn gravity(self) -> u8 {
        match self {
            Self::Allow => 0,
            Self::Throttled { .. } => 1,
            Self::Restricted => 2,
            Self::Suspended => 3,
            Self::Revoked => 4,
            Self::NotReady => 5,
        }
    }

    const fn of_action(action: ResponseAction) -> Self {
        match action {
            ResponseAction::Revoke => Self::Revoked,
            ResponseAction::Suspend => Self::Suspended,
            ResponseAction::Restrict => Self::Restricted,
            ResponseAction::Throttle => Self::Throttled {
                retry_after: Duration::ZERO,
            },
        }
    }
}

impl fmt::Debug for DenyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenyList").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
