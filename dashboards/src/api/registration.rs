//! `/tokens/{id}/registration`: what the registry says of a token, and what a user says of it.

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tokenwatch_model::{Registration, RegistryKey, Timestamp, TokenId};
use tokenwatch_store::queries::TokenRow;
use tokenwatch_store::{AuditRow, KnownRegistration, Store};

use super::input::{Body, Id};
use crate::auth::{CurrentUser, Role};
use crate::problem::ApiError;
use crate::registrar::RegistrarError;
use crate::state::DashboardState;

/// What was registered, and from which event time on it counts.
#[derive(Serialize)]
struct Registered {
    since: Timestamp,
    registration: Registration,
}

pub(super) async fn show(
    State(state): State<DashboardState>,
    Id(id): Id<TokenId>,
) -> Result<impl IntoResponse, ApiError> {
    let token = state.store.queries().token(id, state.clock.now()).await?;
    let known = of_token(&state.store, id, token.as_ref()).await?;
    Ok(Json(known.ok_or(ApiError::NotFound)?))
}

/// What is said of a token by any of the names that its calls had.
pub(super) async fn of_token(
    store: &Store,
    id: TokenId,
    token: Option<&TokenRow>,
) -> Result<Option<KnownRegistration>, ApiError> {
    let credential = token.and_then(|token| token.credential_id.as_deref());
    let consumer = token.and_then(|token| token.consumer.as_deref());
    Ok(store.registration(id, credential, consumer).await?)
}

pub(super) async fn put(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<TokenId>,
    Body(body): Body<Value>,
) -> Result<impl IntoResponse, ApiError> {
    let name = only_admins(user)?;
    let mut entry = read(&body)?;
    if entry.token.is_some() || entry.consumer.is_some() {
        return Err(ApiError::BadRequest(
            "token: the address says already whose registration this is".to_owned(),
        ));
    }
    entry.token = Some(id.to_string());
    let key = entry
        .check()
        .map_err(|error| ApiError::BadRequest(error.to_string()))?;
    let written = Some(Box::new(entry.clone()));
    let since = register(&state, key, written, &name, "registration_put").await?;
    Ok(Json(Registered {
        since,
        registration: entry,
    }))
}

pub(super) async fn remove(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<TokenId>,
) -> Result<impl IntoResponse, ApiError> {
    let name = only_admins(user)?;
    let key = RegistryKey::Token(id);
    register(&state, key, None, &name, "registration_delete").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An entry; a complaint begins with the name of the field that it is about.
fn read(body: &Value) -> Result<Registration, ApiError> {
    let whole = serde_json::from_value(body.clone());
    whole.map_err(|error| {
        let fields = body.as_object().into_iter().flatten();
        let wrong = fields.into_iter().find_map(|(name, value)| {
            let alone = Value::Object([(name.clone(), value.clone())].into_iter().collect());
            let error = serde_json::from_value::<Registration>(alone).err()?;
            Some(format!("{name}: {error}"))
        });
        ApiError::BadRequest(wrong.unwrap_or_else(|| error.to_string()))
    })
}

fn only_admins(user: CurrentUser) -> Result<String, ApiError> {
    if user.role == Role::Admin.name() {
        Ok(user.name)
    } else {
        Err(ApiError::Forbidden("only administrators register tokens"))
    }
}

async fn register(
    state: &DashboardState,
    key: RegistryKey,
    entry: Option<Box<Registration>>,
    user: &str,
    action: &str,
) -> Result<Timestamp, ApiError> {
    let line = AuditRow {
        at: state.clock.now().as_micros(),
        actor: user.to_owned(),
        action: action.to_owned(),
        subject: key.name(),
        detail: entry
            .as_deref()
            .and_then(|entry| serde_json::to_string(entry).ok())
            .unwrap_or_default(),
    };
    // The trail first: nothing is changed without a trace.
    state.store.audit(&line).await?;
    let registered = state.registrar.register(key, entry, user.to_owned()).await;
    registered.map_err(|error| match error {
        RegistrarError::Unknown => ApiError::NotFound,
        RegistrarError::Refused(why) => ApiError::BadRequest(why),
        RegistrarError::Store(error) => error.into(),
    })
}
