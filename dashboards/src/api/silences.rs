//! `/silences`: who muted what until when, and why; and what a silence would mute, before it is made.

use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Finding, FindingMatcher, FindingStatus, Severity, Silence, Timestamp};
use tokenwatch_store::{SILENCES_LIMIT, SilenceRow};

use super::findings::Items;
use super::input::{Body, Id};
use super::operators::{audit, require_admin, text};
use crate::auth::CurrentUser;
use crate::problem::ApiError;
use crate::state::DashboardState;

/// The longest silence: what lasts longer is a change of configuration.
const LONGEST: Duration = Duration::from_hours(90 * 24);
/// Silences that ended are listed this long.
const LISTED_AFTER_END: Duration = Duration::from_hours(30 * 24);
/// How far back findings are looked at for a preview.
const PREVIEW_SPAN: Duration = Duration::from_hours(7 * 24);
/// Findings that a preview looks at; a count beyond says so.
const PREVIEW_LIMIT: usize = 20_000;
/// Findings in one read.
const PAGE_LIMIT: usize = 1_000;
/// Findings that a preview shows.
const SHOWN_LIMIT: usize = 50;
/// Characters of a reason.
const REASON_LIMIT: usize = 500;
/// Values in one list of a matcher.
const VALUES_LIMIT: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSilence {
    starts_at: Option<Timestamp>,
    ends_at: Timestamp,
    reason: String,
    matcher: FindingMatcher,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedSilence {
    ends_at: Option<Timestamp>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewInput {
    matcher: FindingMatcher,
}

#[derive(Serialize)]
struct SilenceAnswer {
    #[serde(flatten)]
    silence: Silence,
    state: &'static str,
}

#[derive(Default, Serialize)]
struct Preview {
    /// Open findings that it would mute.
    open: usize,
    /// All of the last seven days.
    matched: usize,
    /// How many findings were looked at.
    looked_at: usize,
    /// Whether there were more.
    is_partial: bool,
    /// Some of them, open ones first.
    findings: Vec<Finding>,
}

pub(super) async fn list(
    State(state): State<DashboardState>,
) -> Result<impl IntoResponse, ApiError> {
    let now = state.clock.now();
    let silences = state.store.silences(now - LISTED_AFTER_END).await?;
    let items = silences
        .into_iter()
        .map(|silence| answer(silence, now))
        .collect();
    Ok(Json(Items { items }))
}

pub(super) async fn create(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Body(asked): Body<NewSilence>,
) -> Result<impl IntoResponse, ApiError> {
    require_admin(&user)?;
    let now = state.clock.now();
    let starts_at = asked.starts_at.unwrap_or(now).max(now);
    check_end(starts_at, asked.ends_at, now)?;
    check_matcher(&asked.matcher)?;
    if state.store.silences(now).await?.len() >= SILENCES_LIMIT {
        let message = format!("there are {SILENCES_LIMIT} silences already");
        return Err(ApiError::BadRequest(message));
    }
    let silence = Silence {
        id: new_id()?,
        starts_at,
        ends_at: asked.ends_at,
        created_by: user.name.clone(),
        reason: text("reason", &asked.reason, 1, REASON_LIMIT)?,
        matcher: asked.matcher,
    };
    store(&state, &user, &silence, "silence_created", now).await?;
    Ok((StatusCode::CREATED, Json(answer(silence, now))))
}

/// Moves the end, or says more of the reason. What a silence mutes stays: another one is made for that.
pub(super) async fn change(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<String>,
    Body(asked): Body<ChangedSilence>,
) -> Result<impl IntoResponse, ApiError> {
    require_admin(&user)?;
    let now = state.clock.now();
    let mut silence = find(&state, &id, now).await?;
    if let Some(ends_at) = asked.ends_at {
        check_end(silence.starts_at, ends_at, now)?;
        silence.ends_at = ends_at;
    }
    if let Some(reason) = asked.reason {
        silence.reason = text("reason", &reason, 1, REASON_LIMIT)?;
    }
    silence.created_by.clone_from(&user.name);
    store(&state, &user, &silence, "silence_changed", now).await?;
    Ok(Json(answer(silence, now)))
}

/// Ends a silence now.
pub(super) async fn end(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Id(id): Id<String>,
) -> Result<impl IntoResponse, ApiError> {
    require_admin(&user)?;
    let now = state.clock.now();
    let mut silence = find(&state, &id, now).await?;
    silence.ends_at = now;
    store(&state, &user, &silence, "silence_ended", now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a silence of this matcher would mute.
pub(super) async fn preview(
    State(state): State<DashboardState>,
    Body(asked): Body<PreviewInput>,
) -> Result<impl IntoResponse, ApiError> {
    check_matcher(&asked.matcher)?;
    let since = state.clock.now() - PREVIEW_SPAN;
    let mut preview = Preview::default();
    let mut after = None;
    loop {
        let page = state
            .store
            .findings_page(since, Severity::Info, after, PAGE_LIMIT)
            .await?;
        let is_last = page.len() < PAGE_LIMIT;
        after = page.last().map(|finding| finding.id);
        preview.look_at(page, &asked.matcher);
        if is_last {
            break;
        }
        if preview.looked_at >= PREVIEW_LIMIT {
            preview.is_partial = true;
            break;
        }
    }
    Ok(Json(preview))
}

impl Preview {
    fn look_at(&mut self, page: Vec<Finding>, matcher: &FindingMatcher) {
        self.looked_at += page.len();
        for finding in page.into_iter().filter(|finding| matcher.matches(finding)) {
            self.matched += 1;
            let is_open = finding.status == FindingStatus::Open;
            self.open += usize::from(is_open);
            if is_open {
                self.findings.insert(0, finding);
                self.findings.truncate(SHOWN_LIMIT);
            } else if self.findings.len() < SHOWN_LIMIT {
                self.findings.push(finding);
            }
        }
    }
}

async fn find(state: &DashboardState, id: &str, now: Timestamp) -> Result<Silence, ApiError> {
    let silences = state.store.silences(now).await?;
    let found = silences.into_iter().find(|silence| silence.id == id);
    found.ok_or(ApiError::NotFound)
}

async fn store(
    state: &DashboardState,
    user: &CurrentUser,
    silence: &Silence,
    action: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    let row = SilenceRow::of(silence, now);
    let detail = format!("until {}: {}", silence.ends_at, silence.reason);
    state.store.insert_silences(&[row]).await?;
    audit(state, user, action, &silence.id, detail, now).await
}

fn answer(silence: Silence, now: Timestamp) -> SilenceAnswer {
    let state = if silence.is_active(now) {
        "active"
    } else if silence.starts_at > now {
        "pending"
    } else {
        "ended"
    };
    SilenceAnswer { silence, state }
}

fn check_end(starts_at: Timestamp, ends_at: Timestamp, now: Timestamp) -> Result<(), ApiError> {
    let message = if ends_at <= starts_at.max(now) {
        "ends_at: must lie ahead, and after starts_at"
    } else if ends_at.since(now) > LONGEST {
        "ends_at: a silence ends within 90 days"
    } else {
        return Ok(());
    };
    Err(ApiError::BadRequest(message.to_owned()))
}

fn check_matcher(matcher: &FindingMatcher) -> Result<(), ApiError> {
    if matcher.is_empty() {
        let message = "matcher: what mutes everything is no silence; name what it is about";
        return Err(ApiError::BadRequest(message.to_owned()));
    }
    let lists = [
        &matcher.tokens,
        &matcher.consumers,
        &matcher.owners,
        &matcher.teams,
        &matcher.environments,
        &matcher.tags,
        &matcher.incidents,
    ];
    let is_long = |list: &&Vec<String>| {
        list.len() > VALUES_LIMIT || list.iter().any(|value| value.len() > REASON_LIMIT)
    };
    if lists.iter().any(is_long) || matcher.findings.len() > VALUES_LIMIT {
        let message = format!("matcher: at most {VALUES_LIMIT} values in a list");
        return Err(ApiError::BadRequest(message));
    }
    Ok(())
}

/// `sil_` and 128 bits of chance.
fn new_id() -> Result<String, ApiError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|_| ApiError::Internal)?;
    let id = tokenwatch_model::FindingId::from_bits(u128::from_be_bytes(bits)).to_string();
    Ok(id.replacen("fnd_", "sil_", 1))
}
