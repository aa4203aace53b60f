//! `/session`: logging in, asking who one is, logging out.

use axum::Extension;
use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::input::Body;
use crate::auth::{
    CurrentUser, Login, SESSION_COOKIE, client_address, is_hashable, session_cookie,
};
use crate::metrics::{LoginLabels, LoginResult};
use crate::problem::ApiError;
use crate::state::DashboardState;

/// Longest name that is looked at.
const NAME_BYTES_LIMIT: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    username: String,
    password: SecretString,
}

#[derive(Serialize)]
struct SessionAnswer {
    user: UserAnswer,
}

#[derive(Serialize)]
struct UserAnswer {
    name: String,
    role: String,
}

impl From<CurrentUser> for SessionAnswer {
    fn from(user: CurrentUser) -> Self {
        Self {
            user: UserAnswer {
                name: user.name,
                role: user.role,
            },
        }
    }
}

pub(super) async fn show(Extension(user): Extension<CurrentUser>) -> impl IntoResponse {
    Json(SessionAnswer::from(user))
}

pub(super) async fn begin(
    State(state): State<DashboardState>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let address = client_address(&parts, &state.settings.trusted_proxies);
    let Body(asked): Body<Credentials> =
        Body::from_request(Request::from_parts(parts, body), &state).await?;
    if asked.username.len() > NAME_BYTES_LIMIT || !is_hashable(asked.password.expose_secret()) {
        return Err(ApiError::WrongPassword);
    }
    let now = state.clock.now();
    let login = state
        .auth
        .log_in(&state.store, address, &asked.username, asked.password, now)
        .await?;
    let count = |result| {
        let labels = LoginLabels { result };
        state.metrics.logins.get_or_create(&labels).inc();
    };
    match login {
        Login::Accepted(id, user) => {
            count(LoginResult::Accepted);
            let lifetime = state.settings.session.lifetime.as_secs();
            let cookie = cookie(&state, id.expose_secret(), lifetime)?;
            let answer = Json(SessionAnswer::from(user));
            Ok(([(SET_COOKIE, cookie)], answer).into_response())
        }
        Login::Refused => {
            count(LoginResult::Refused);
            Err(ApiError::WrongPassword)
        }
        Login::Throttled(retry_after) => {
            count(LoginResult::Throttled);
            Err(ApiError::Throttled { retry_after })
        }
    }
}

pub(super) async fn end(
    State(state): State<DashboardState>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    let address = client_address(&parts, &state.settings.trusted_proxies);
    if let Some(id) = session_cookie(&parts.headers) {
        let now = state.clock.now();
        state.auth.log_out(&state.store, address, id, now).await?;
    }
    let cookie = cookie(&state, "", 0)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

/// The session cookie; scripts cannot read it, other sites' requests do not carry it.
fn cookie(state: &DashboardState, value: &str, max_age: u64) -> Result<HeaderValue, ApiError> {
    let secure = if state.settings.secure_cookie {
        "; Secure"
    } else {
        ""
    };
    let text = format!(
        "{SESSION_COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age}{secure}"
    );
    let mut cookie = HeaderValue::from_str(&text).map_err(|_| ApiError::Internal)?;
    cookie.set_sensitive(true);
    Ok(cookie)
}
