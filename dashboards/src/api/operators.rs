//! What operators say of findings and incidents: that they deal with them; and what every change has in common.

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Deserialize;
use tokenwatch_model::{FindingId, Timestamp, Word};
use tokenwatch_store::AuditRow;

use super::input::{Body, Id};
use super::verdicts::{Words, speak};
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

/// Somebody deals with a finding.
pub(super) async fn acknowledge_finding(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<FindingId>,
    Body(asked): Body<Note>,
) -> Result<impl IntoResponse, ApiError> {
    say(
        &state,
        &user,
        &id.to_string(),
        Word::Acknowledged,
        &asked.note,
    )
    .await
}

/// Nobody deals with it after all.
pub(super) async fn withdraw_finding(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<FindingId>,
) -> Result<impl IntoResponse, ApiError> {
    say(
        &state,
        &user,
        &id.to_string(),
        Word::AcknowledgementWithdrawn,
        "",
    )
    .await
}

/// Somebody deals with everything of an incident so far.
pub(super) async fn acknowledge_incident(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<String>,
    Body(asked): Body<Note>,
) -> Result<impl IntoResponse, ApiError> {
    say(&state, &user, &id, Word::Acknowledged, &asked.note).await
}

/// Nobody deals with it after all.
pub(super) async fn withdraw_incident(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<String>,
) -> Result<impl IntoResponse, ApiError> {
    say(&state, &user, &id, Word::AcknowledgementWithdrawn, "").await
}

async fn say(
    state: &DashboardState,
    user: &CurrentUser,
    subject: &str,
    word: Word,
    note: &str,
) -> Result<StatusCode, ApiError> {
    let words = Words {
        word,
        duplicate_of: None,
        close: false,
        note: text("note", note, 0, NOTE_LIMIT)?,
    };
    speak(state, user, &[subject.to_owned()], &words).await?;
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
