//! What operators say of findings and incidents: that they deal with them; and what every change has in common.

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{FindingId, Timestamp};
use tokenwatch_store::{ACKNOWLEDGED, AuditRow, VerdictRow, WITHDRAWN};

use super::findings::Items;
use super::input::{Asked, Body, Id, limit};
use crate::auth::{CurrentUser, Role};
use crate::problem::ApiError;
use crate::state::DashboardState;

/// Characters of a note.
pub(super) const NOTE_LIMIT: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrailInput {
    limit: Option<u32>,
}

/// A line of the audit trail.
#[derive(Serialize)]
struct TrailLine {
    at: Timestamp,
    actor: String,
    action: String,
    subject: String,
    detail: String,
}

/// Somebody deals with a finding.
pub(super) async fn acknowledge_finding(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<FindingId>,
    Body(asked): Body<Note>,
) -> Result<impl IntoResponse, ApiError> {
    require_finding(&state, id).await?;
    say(&state, &user, &id.to_string(), ACKNOWLEDGED, &asked.note).await
}

/// Nobody deals with it after all.
pub(super) async fn withdraw_finding(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<FindingId>,
) -> Result<impl IntoResponse, ApiError> {
    require_finding(&state, id).await?;
    say(&state, &user, &id.to_string(), WITHDRAWN, "").await
}

/// Somebody deals with everything of an incident so far.
pub(super) async fn acknowledge_incident(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<String>,
    Body(asked): Body<Note>,
) -> Result<impl IntoResponse, ApiError> {
    require_incident(&state, &id).await?;
    say(&state, &user, &id, ACKNOWLEDGED, &asked.note).await
}

/// Nobody deals with it after all.
pub(super) async fn withdraw_incident(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<String>,
) -> Result<impl IntoResponse, ApiError> {
    require_incident(&state, &id).await?;
    say(&state, &user, &id, WITHDRAWN, "").await
}

async fn require_finding(state: &DashboardState, id: FindingId) -> Result<(), ApiError> {
    let found = state.store.queries().finding(id).await?;
    found.map(|_| ()).ok_or(ApiError::NotFound)
}

async fn require_incident(state: &DashboardState, id: &str) -> Result<(), ApiError> {
    let found = state.store.queries().incident(id).await?;
    found.map(|_| ()).ok_or(ApiError::NotFound)
}

async fn say(
    state: &DashboardState,
    user: &CurrentUser,
    subject: &str,
    verdict: &str,
    note: &str,
) -> Result<StatusCode, ApiError> {
    require_admin(user)?;
    let now = state.clock.now();
    let row = VerdictRow {
        finding_id: subject.to_owned(),
        at: now.as_micros(),
        actor: user.name.clone(),
        verdict: verdict.to_owned(),
        note: text("note", note, 0, NOTE_LIMIT)?,
    };
    let detail = row.note.clone();
    state.store.insert_verdicts(&[row]).await?;
    audit(state, user, verdict, subject, detail, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Viewers look; what changes something is for administrators.
pub(super) fn require_admin(user: &CurrentUser) -> Result<(), ApiError> {
    if user.role == Role::Admin.name() {
        Ok(())
    } else {
        Err(ApiError::Forbidden("only administrators may do this"))
    }
}

/// A text that somebody wrote, of `least` to `most` characters.
pub(super) fn text(name: &str, value: &str, least: usize, most: usize) -> Result<String, ApiError> {
    let value = value.trim();
    let length = value.chars().count();
    if (least..=most).contains(&length) {
        Ok(value.to_owned())
    } else {
        let message = format!("{name}: must have {least} to {most} characters");
        Err(ApiError::BadRequest(message))
    }
}

/// A line of the audit trail.
pub(super) async fn audit(
    state: &DashboardState,
    user: &CurrentUser,
    action: &str,
    subject: &str,
    detail: String,
    now: Timestamp,
) -> Result<(), ApiError> {
    let line = AuditRow {
        at: now.as_micros(),
        actor: user.name.clone(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail,
    };
    Ok(state.store.audit(&line).await?)
}

/// What operators did, newest first.
pub(super) async fn trail(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Asked(asked): Asked<TrailInput>,
) -> Result<impl IntoResponse, ApiError> {
    require_admin(&user)?;
    let limit = limit(asked.limit, 100, 1_000)?;
    let rows = state.store.audit_trail(limit).await?;
    let items = rows
        .into_iter()
        .map(|row| TrailLine {
            at: Timestamp::from_micros(row.at),
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            detail: row.detail,
        })
        .collect();
    Ok(Json(Items { items }))
}
