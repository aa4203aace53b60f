//! Who may use the API: accounts, login, sessions, and the guards that stand before the handlers.

mod accounts;
mod address;
mod origin;
mod password;
mod sessions;
mod throttle;

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::COOKIE;
use secrecy::SecretString;
use tokenwatch_model::Timestamp;
use tokenwatch_store::{AuditRow, Store};
use tokio::sync::watch;

use crate::config::SessionLimits;
use crate::problem::ApiError;
use crate::state::DashboardState;

pub use accounts::{
    AccountError, FIRST_ADMIN, Role, create_user, ensure_first_admin, set_password,
};
pub(crate) use address::client_address;
pub(crate) use origin::guard as guard_origin;
pub(crate) use password::HashError;
pub(crate) use sessions::{CurrentUser, Touch};

/// The session cookie's name.
pub(crate) const SESSION_COOKIE: &str = "tokenwatch_session";

/// Failed logins per name: ten at once, then one every half minute.
const LOGINS_PER_USER: throttle::Limit = throttle::Limit {
    burst: 10,
    refill: Duration::from_secs(30),
};
/// Failed logins per address: twenty at once, then one every ten seconds.
const LOGINS_PER_ADDRESS: throttle::Limit = throttle::Limit {
    burst: 20,
    refill: Duration::from_secs(10),
};
/// Sessions per address that memory does not know and the store is asked for.
const LOOKUPS_PER_ADDRESS: throttle::Limit = throttle::Limit {
    burst: 60,
    refill: Duration::from_secs(1),
};
/// Longest password that is hashed at all.
const PASSWORD_BYTES_LIMIT: usize = 1024;

/// Everything that decides who somebody is.
#[derive(Debug)]
pub(crate) struct Auth {
    passwords: password::Passwords,
    sessions: sessions::Sessions,
    by_user: throttle::Throttle,
    by_address: throttle::Throttle,
    lookups: throttle::Throttle,
}

/// What became of a login.
#[derive(Debug)]
pub(crate) enum Login {
    /// The session's id for the cookie, and the user.
    Accepted(SecretString, CurrentUser),
    /// Name or password is wrong.
    Refused,
    /// Come back later.
    Throttled(Duration),
}

impl Auth {
    pub(crate) fn new(limits: SessionLimits) -> Result<Self, HashError> {
        Ok(Self {
            passwords: password::Passwords::new()?,
            sessions: sessions::Sessions::new(limits),
            by_user: throttle::Throttle::new(LOGINS_PER_USER),
            by_address: throttle::Throttle::new(LOGINS_PER_ADDRESS),
            lookups: throttle::Throttle::new(LOOKUPS_PER_ADDRESS),
        })
    }

    /// Checks a name and a password, and starts a session.
    pub(crate) async fn log_in(
        &self,
        store: &Store,
        address: IpAddr,
        name: &str,
        password: SecretString,
        now: Timestamp,
    ) -> Result<Login, ApiError> {
        let key = address::throttle_key(address);
        let admitted = self
            .by_address
            .admit(&key, now)
            .and_then(|()| self.by_user.admit(name, now));
        if let Err(wait) = admitted {
            return Ok(Login::Throttled(wait));
        }
        let user = match accounts::check_name(name) {
            Ok(()) => store.user(name).await?,
            Err(_) => None,
        };
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let matches = self.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|_| matches) else {
            let claimed: String = name.chars().take(64).collect();
            audit(store, now, &claimed, address, "login_failed").await?;
            return Ok(Login::Refused);
        };
        self.by_user.forgive(name);
        self.by_address.forgive(&key);
        let id = self.sessions.start(store, &user, now).await?;
        audit(store, now, &user.name, address, "login").await?;
        let user = CurrentUser {
            name: user.name,
            role: user.role,
        };
        Ok(Login::Accepted(id, user))
    }

    /// Ends the session with this `id`.
    pub(crate) async fn log_out(
        &self,
        store: &Store,
        address: IpAddr,
        id: &str,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        if let Some(user) = self.sessions.end(store, id, now).await? {
            audit(store, now, &user, address, "logout").await?;
        }
        Ok(())
    }

    /// Changes whenever a session of this process is logged out.
    pub(crate) fn logouts(&self) -> watch::Receiver<u64> {
        self.sessions.logouts()
    }

    /// The user of the session with this `id`.
    pub(crate) async fn user(
        &self,
        store: &Store,
        address: IpAddr,
        id: &str,
        touch: Touch,
        now: Timestamp,
    ) -> Result<CurrentUser, ApiError> {
        if !self.sessions.is_cached(id) {
            self.lookups
                .admit(&address::throttle_key(address), now)
                .map_err(|retry_after| ApiError::Throttled { retry_after })?;
        }
        self.sessions
            .find(store, id, touch, now)
            .await?
            .ok_or(ApiError::Unauthenticated)
    }
}

/// Lets a request pass if it belongs to a session; the handlers find the [`CurrentUser`] among its extensions.
pub(crate) async fn require_session(
    State(state): State<DashboardState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let id = session_cookie(&parts.headers).ok_or(ApiError::Unauthenticated)?;
    let address = client_address(&parts, &state.settings.trusted_proxies);
    let now = state.clock.now();
    let user = state
        .auth
        .user(&state.store, address, id, Touch::Use, now)
        .await?;
    parts.extensions.insert(user);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// The session's id among the cookies.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == SESSION_COOKIE).then_some(value))
}

/// Whether `password` is short enough to be hashed.
pub(crate) fn is_hashable(password: &str) -> bool {
    (1..=PASSWORD_BYTES_LIMIT).contains(&password.len())
}

async fn audit(
    store: &Store,
    at: Timestamp,
    actor: &str,
    address: IpAddr,
    action: &str,
) -> Result<(), ApiError> {
    let line = AuditRow {
        at: at.as_micros(),
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: "console".to_owned(),
        detail: address.to_string(),
    };
    Ok(store.audit(&line).await?)
}
