//! `/verdicts`: what people say of findings and incidents, one or many at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokenwatch_model::{FindingId, Saying, Timestamp, Word};
use tokenwatch_store::{AuditRow, VerdictRow};

use super::input::Body;
use super::operators::{NOTE_LIMIT, require_admin, text};
use crate::auth::CurrentUser;
use crate::problem::ApiError;
use crate::state::DashboardState;

/// Findings and incidents that are spoken of at once: a page of a list.
const SUBJECTS_LIMIT: usize = 200;
/// Findings that this comes to: an incident's are spoken of with it.
const SAYINGS_LIMIT: usize = 5_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewVerdict {
    subjects: Vec<String>,
    verdict: Word,
    duplicate_of: Option<FindingId>,
    /// Whether there is nothing left to do.
    #[serde(default)]
    close: bool,
    #[serde(default)]
    note: String,
}

#[derive(Serialize)]
struct Said {
    /// Findings and incidents that the word was given to.
    said_of: usize,
}

pub(super) async fn say(
    State(state): State<DashboardState>,
    Extension(user): Extension<CurrentUser>,
    Body(asked): Body<NewVerdict>,
) -> Result<impl IntoResponse, ApiError> {
    let words = Words {
        note: text("note", &asked.note, 0, NOTE_LIMIT)?,
        word: asked.verdict,
        duplicate_of: asked.duplicate_of,
        close: asked.close,
    };
    words.check(&asked.subjects)?;
    if let Some(original) = words.duplicate_of {
        let found = state.store.queries().finding(original).await?;
        found.ok_or_else(|| bad("duplicate_of: there is no such finding"))?;
    }
    let said_of = speak(&state, &user, &asked.subjects, &words).await?;
    Ok(Json(Said { said_of }))
}

/// What is said of each of several subjects.
pub(super) struct Words {
    pub(super) word: Word,
    pub(super) duplicate_of: Option<FindingId>,
    pub(super) close: bool,
    pub(super) note: String,
}

impl Words {
    fn check(&self, subjects: &[String]) -> Result<(), ApiError> {
        let message = if subjects.is_empty() || subjects.len() > SUBJECTS_LIMIT {
            "subjects: name 1 to 200 findings or incidents"
        } else if (self.word == Word::Duplicate) != self.duplicate_of.is_some() {
            "duplicate_of: a duplicate names the finding that it repeats, and nothing else does"
        } else if self
            .duplicate_of
            .is_some_and(|id| subjects.contains(&id.to_string()))
        {
            "duplicate_of: a finding does not repeat itself"
        } else if self.close && !self.word.is_verdict() {
            "close: goes with a verdict"
        } else {
            return Ok(());
        };
        Err(bad(message))
    }

    /// The words about one subject, in their order.
    fn of(&self, subject: &str, actor: &str, now: Timestamp) -> Vec<Saying> {
        let saying = Saying {
            subject: subject.to_owned(),
            at: now,
            actor: actor.to_owned(),
            word: self.word,
            duplicate_of: self.duplicate_of,
            note: self.note.clone(),
        };
        let closing = self.close.then(|| Saying {
            // One person says one thing at a time: the table's key.
            at: now + Duration::from_micros(1),
            word: Word::Closed,
            duplicate_of: None,
            note: String::new(),
            ..saying.clone()
        });
        [Some(saying), closing].into_iter().flatten().collect()
    }
}

/// Gives `words` to `subjects`, and to the findings that the incidents among them have so far; tells to how many.
pub(super) async fn speak(
    state: &DashboardState,
    user: &CurrentUser,
    subjects: &[String],
    words: &Words,
) -> Result<usize, ApiError> {
    require_admin(user)?;
    let now = state.clock.now();
    let all = with_findings(state, subjects).await?;
    let sayings = all
        .iter()
        .flat_map(|subject| words.of(subject, &user.name, now));
    let rows: Vec<VerdictRow> = sayings.map(|saying| VerdictRow::of(&saying)).collect();
    let lines = subjects.iter().flat_map(|subject| {
        words
            .of(subject, &user.name, now)
            .into_iter()
            .map(|saying| AuditRow {
                at: saying.at.as_micros(),
                actor: user.name.clone(),
                action: saying.word.name().to_owned(),
                subject: subject.clone(),
                detail: VerdictRow::of(&saying).note,
            })
    });
    // The trail first: nothing is changed without a trace.
    let lines: Vec<AuditRow> = lines.collect();
    state.store.insert_audit(&lines).await?;
    state.store.insert_verdicts(&rows).await?;
    Ok(all.len())
}

/// `subjects` and the findings of the incidents among them; all of them have to be there.
async fn with_findings(
    state: &DashboardState,
    subjects: &[String],
) -> Result<BTreeSet<String>, ApiError> {
    let queries = state.store.queries();
    let mut all: BTreeSet<String> = subjects.iter().cloned().collect();
    let ids: Vec<FindingId> = all.iter().filter_map(|id| id.parse().ok()).collect();
    let found = queries.findings_by_id(&ids).await?.len();
    let mut incidents = 0;
    for id in all.clone().iter().filter(|id| id.starts_with("inc_")) {
        let incident = queries.incident(id).await?.ok_or(ApiError::NotFound)?;
        incidents += 1;
        all.extend(incident.finding_ids.iter().map(ToString::to_string));
    }
    let named = subjects.iter().collect::<BTreeSet<_>>().len();
    if found + incidents < named {
        return Err(ApiError::NotFound);
    }
    if all.len() > SAYINGS_LIMIT {
        let message = format!("subjects: they have more than {SAYINGS_LIMIT} findings");
        return Err(ApiError::BadRequest(message));
    }
    Ok(all)
}

fn bad(message: &str) -> ApiError {
    ApiError::BadRequest(message.to_owned())
}
