//! Sessions: a random id in the browser's cookie, its SHA-256 in the store, the ones in use in memory.
//!
//! The store is the truth, so that a restart logs nobody out and a logout holds in every process. Memory answers for a
//! minute before the store is asked again; while the store is away, sessions that were known go on within their limits,
//! because an outage is when people need to see the console.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use lru::LruCache;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokenwatch_model::Timestamp;
use tokenwatch_store::{SessionRecord, Store, StoreError, UserRow};
use tokio::sync::watch;

use crate::config::SessionLimits;

/// Sessions in memory; at about 300 bytes each, 3 MB. Beyond, the one unused for longest is read from the store again.
const CACHED_LIMIT: NonZeroUsize = NonZeroUsize::new(10_000).expect("it is not zero");
/// How long memory answers before the store is asked whether a session or its user ended.
const RECHECK_AFTER: Duration = Duration::from_mins(1);
/// How old the stored time of last use may get: a restart shortens the idle limit by this much at most.
const PERSIST_USE_AFTER: Duration = Duration::from_mins(5);
/// Random bytes of an id.
const ID_BYTES: usize = 32;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CurrentUser {
    pub(crate) name: String,
    pub(crate) role: String,
}

/// The sessions of this deployment.
#[derive(Debug)]
pub(crate) struct Sessions {
    limits: SessionLimits,
    cached: Mutex<LruCache<String, Session>>,
    /// Counts logouts, to wake live streams that may belong to the session.
    logouts: watch::Sender<u64>,
}

/// Whether looking at a session counts as using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Use,
    Look,
}

#[derive(Clone, Debug)]
struct Session {
    record: SessionRecord,
    role: String,
    checked_at: Timestamp,
    persisted_use_at: Timestamp,
}

/// Why a session is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionEnd {
    LoggedOut,
    Lifetime,
    Idle,
    UserGone,
    PasswordChanged,
}

impl Sessions {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            cached: Mutex::new(LruCache::new(CACHED_LIMIT)),
            logouts: watch::Sender::new(0),
        }
    }

    /// Changes whenever a session of this process is logged out.
    pub(crate) fn logouts(&self) -> watch::Receiver<u64> {
        self.logouts.subscribe()
    }

    /// Starts a session of `user`; gives the id for the cookie.
    pub(crate) async fn start(
        &self,
        store: &Store,
        user: &UserRow,
        now: Timestamp,
    ) -> Result<SecretString, StoreError> {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).expect("the operating system has random numbers");
        let id = SecretString::from(BASE64URL_NOPAD.encode(&id));
        let record = SessionRecord {
            id_hash: id_hash(id.expose_secret()).expect("the id has the form of an id"),
            user: user.name.clone(),
            issued_at: now,
            last_used_at: now,
            ended: false,
        };
        store.put_session(&record).await?;
        self.remember(Session {
            record,
            role: user.role.clone(),
            checked_at: now,
            persisted_use_at: now,
        });
        Ok(id)
    }

    /// Whether memory knows the session with this `id`; what it does not know costs a question to the store.
    pub(crate) fn is_cached(&self, id: &str) -> bool {
        id_hash(id).is_some_and(|hash| self.recall(&hash).is_some())
    }

    /// The user of the session with this `id`, if it goes on.
    pub(crate) async fn find(
        &self,
        store: &Store,
        id: &str,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<CurrentUser>, StoreError> {
        let Some(hash) = id_hash(id) else {
            return Ok(None);
        };
        let cached = self.recall(&hash);
        let fresh = cached
            .as_ref()
            .is_some_and(|session| now.since(session.checked_at) < RECHECK_AFTER);
        let session = match (cached, fresh) {
            (Some(session), true) => Some(session),
            (cached, _) => match self.load(store, &hash, cached.as_ref(), now).await {
                Err(error) if error.is_retryable() && cached.is_some() => cached,
                loaded => loaded?,
            },
        };
        let Some(mut session) = session else {
            return Ok(None);
        };
        if decide_end(&session.record, self.limits, now).is_some() {
            self.remember(session);
            return Ok(None);
        }
        let user = CurrentUser {
            name: session.record.user.clone(),
            role: session.role.clone(),
        };
        if touch == Touch::Use {
            session.record.last_used_at = session.record.last_used_at.max(now);
            self.persist_use(store, &mut session, now).await;
        }
        self.remember(session);
        Ok(Some(user))
    }

    /// Ends the session with this `id`, here at once and everywhere once the store has it; gives its user.
    pub(crate) async fn end(
        &self,
        store: &Store,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some(mut session) = id_hash(id).and_then(|hash| self.recall(&hash)) else {
            return Ok(None);
        };
        session.record.ended = true;
        session.record.last_used_at = session.record.last_used_at.max(now);
        self.remember(session.clone());
        self.logouts
            .send_modify(|count| *count = count.wrapping_add(1));
        store.put_session(&session.record).await?;
        Ok(Some(session.record.user))
    }

    /// Reads a session and its user; `None` if either is gone or the password changed since.
    async fn load(
        &self,
        store: &Store,
        hash: &str,
        cached: Option<&Session>,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let Some(mut record) = store.session(hash).await? else {
            return Ok(None);
        };
        let stored_use_at = record.last_used_at;
        if let Some(cached) = cached {
            record.last_used_at = record.last_used_at.max(cached.record.last_used_at);
            record.ended |= cached.record.ended;
        }
        let user = store.user(&record.user).await?;
        let end = decide_user_end(&record, user.as_ref());
        record.ended |= end.is_some();
        Ok(Some(Session {
            record,
            role: user.map(|user| user.role).unwrap_or_default(),
            checked_at: now,
            persisted_use_at: stored_use_at,
        }))
    }

    /// Stores the time of last use now and then; failing to only shortens the session after a restart.
    async fn persist_use(&self, store: &Store, session: &mut Session, now: Timestamp) {
        if now.since(session.persisted_use_at) < PERSIST_USE_AFTER {
            return;
        }
        session.persisted_use_at = now;
        if let Err(error) = store.put_session(&session.record).await {
            tracing::warn!(%error, "could not store when a session was last used");
        }
    }

    fn recall(&self, hash: &str) -> Option<Session> {
        self.cached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .cloned()
    }

    /// Puts a session into memory; an end that another request noted meanwhile stays.
    fn remember(&self, mut session: Session) {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cached.peek(&session.record.id_hash) {
            session.record.ended |= known.record.ended;
        }
        cached.put(session.record.id_hash.clone(), session);
    }
}

/// Whether a session is over by itself.
fn decide_end(record: &SessionRecord, limits: SessionLimits, now: Timestamp) -> Option<SessionEnd> {
    if record.ended {
        Some(SessionEnd::LoggedOut)
    } else if now.since(record.issued_at) >= limits.lifetime {
        Some(SessionEnd::Lifetime)
    } else if now.since(record.last_used_at) >= limits.idle {
        Some(SessionEnd::Idle)
    } else {
        None
    }
}

/// Whether a session is over because of what became of its user.
fn decide_user_end(record: &SessionRecord, user: Option<&UserRow>) -> Option<SessionEnd> {
    match user {
        None => Some(SessionEnd::UserGone),
        Some(user) if user.version > record.issued_at.as_micros().unsigned_abs() => {
            Some(SessionEnd::PasswordChanged)
        }
        Some(_) => None,
    }
}

/// What the store knows a session by; `None` if `id` is not one that we could have given out.
fn id_hash(id: &str) -> Option<String> {
    let bytes = BASE64URL_NOPAD.decode(id.as_bytes()).ok()?;
    (bytes.len() == ID_BYTES).then(|| HEXLOWER.encode(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SessionLimits = SessionLimits {
        lifetime: Duration::from_hours(12),
        idle: Duration::from_hours(1),
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + secs)
    }

    fn session(last_used: i64) -> SessionRecord {
        SessionRecord {
            id_hash: "00".repeat(32),
            user: "admin".to_owned(),
            issued_at: at(0),
            last_used_at: at(last_used),
            ended: false,
        }
    }

    #[test]
    fn a_session_ends_idle_or_at_the_end_of_its_life() {
        let check = |last_used, now, end| {
            assert_eq!(decide_end(&session(last_used), LIMITS, at(now)), end);
        };
        check(0, 3599, None);
        check(0, 3600, Some(SessionEnd::Idle));
        check(43_100, 43_199, None);
        check(43_100, 43_200, Some(SessionEnd::Lifetime));
    }

    #[test]
    fn a_session_ends_with_its_user_or_a_new_password() {
        let mut user = UserRow {
            name: "admin".to_owned(),
            role: "admin".to_owned(),
            password_hash: String::new(),
            created_at: 0,
            version: at(-5).as_micros().unsigned_abs(),
        };
        let record = session(0);
        assert_eq!(decide_user_end(&record, Some(&user)), None);
        user.version = at(1).as_micros().unsigned_abs();
        assert_eq!(
            decide_user_end(&record, Some(&user)),
            Some(SessionEnd::PasswordChanged)
        );
        assert_eq!(decide_user_end(&record, None), Some(SessionEnd::UserGone));
    }

    #[test]
    fn what_is_no_id_never_reaches_the_store() {
        assert!(id_hash("").is_none());
        assert!(id_hash("'; DROP TABLE sessions --").is_none());
        assert!(id_hash(&BASE64URL_NOPAD.encode(&[7; 31])).is_none());
        assert_eq!(
            id_hash(&BASE64URL_NOPAD.encode(&[7; 32])).unwrap().len(),
            64
        );
    }

    #[test]
    fn an_end_outlasts_a_request_that_was_under_way() {
        let sessions = Sessions::new(LIMITS);
        let open = Session {
            record: session(0),
            role: "admin".to_owned(),
            checked_at: at(0),
            persisted_use_at: at(0),
        };
        let mut ended = open.clone();
        ended.record.ended = true;
        sessions.remember(ended);
        sessions.remember(open.clone());
        assert!(sessions.recall(&open.record.id_hash).unwrap().record.ended);
    }
}
