//! One episode of one detector on one token: opened by a hit, updated while it goes on, closed after quiet.
//!
//! What a closed episode says depends on its events alone, not on when the watermark noticed that it had ended.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    AccessEvent, Detector, Evidence, Finding, FindingId, FindingStatus, FindingToken, Outcome,
    Severity, Signal, Subject, SubjectKind, Timestamp, TokenId,
};

use crate::hit::{Heat, Hit, Story, Tier};
use crate::risk;
use crate::samples::Samples;
use crate::token::micros;
use crate::wording;

/// An update is due after this long even if nothing changed much.
const REFRESH_S: i64 = 3_600;
/// And whenever the size has grown by this factor.
const GROWTH: f64 = 2.0;
/// The episode of a count ends after this long even if the count stays high.
const MAX_DURATION: std::time::Duration = std::time::Duration::from_hours(24);

/// An episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Episode {
    #[serde(with = "micros")]
    pub(crate) window_start: Timestamp,
    #[serde(with = "micros")]
    pub(crate) first_event_at: Timestamp,
    #[serde(with = "micros")]
    pub(crate) last_event_at: Timestamp,
    #[serde(with = "micros")]
    detected_at: Timestamp,
    /// When it was opened, or taken up again.
    #[serde(with = "micros")]
    pub(crate) opened_at: Timestamp,
    /// Without further cause it has ended by then.
    #[serde(with = "micros")]
    pub(crate) deadline: Timestamp,
    #[serde(with = "micros")]
    revised_at: Timestamp,
    pub(crate) revision: u32,
    pub(crate) severity: Severity,
    pub(crate) open: bool,
    /// It is a finding; otherwise it only groups signals.
    pub(crate) visible: bool,
    pub(crate) event_count: u64,
    pub(crate) refused: u64,
    pub(crate) succeeded: u64,
    evidence_db: f64,
    pub(crate) total_db: f64,
    /// Largest size so far, and that of the last version.
    pub(crate) size: f64,
    size_told: f64,
    quiet_s: i64,
    pub(crate) heat: Option<Heat>,
    pub(crate) story: Story,
    pub(crate) samples: Samples,
    /// Detectors whose evidence raised the severity.
    pub(crate) raised_with: Vec<Detector>,
    credential_id: Option<String>,
    consumer: Option<String>,
    /// Stream of the last event: its watermark ends the episode.
    pub(crate) stream: u32,
}

/// The event in hand, as episodes see it.
pub(crate) struct Scene<'e, 'a> {
    pub(crate) event: &'e AccessEvent<'a>,
    /// The token's newest event time: when decisions are made.
    pub(crate) now: Timestamp,
    pub(crate) stream: u32,
}

/// Why a new version of a finding is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    /// It has doubled.
    Grown,
    /// It is graver.
    Graver,
    /// An hour has passed.
    Refresh,
}

impl Episode {
    /// An episode that begins with `hit`.
    pub(crate) fn open(hit: Hit, scene: &Scene<'_, '_>) -> Self {
        let token = scene.event.token.as_ref();
        let counted = match &hit.story {
            Story::Rate(story) => u64::from(story.judgement.count),
            Story::Failures(story) => u64::from(story.judgement.count),
            Story::Place(_) | Story::Scope(_) => 1,
        };
        let mut episode = Self {
            window_start: hit.window_start,
            first_event_at: hit.window_start.min(scene.event.ts),
            last_event_at: scene.event.ts,
            detected_at: scene.now,
            opened_at: scene.now,
            deadline: scene.now,
            revised_at: scene.now,
            revision: 0,
            severity: hit.severity,
            open: true,
            visible: hit.tier == Tier::Finding,
            event_count: counted.saturating_sub(1),
            refused: 0,
            succeeded: 0,
            evidence_db: hit.evidence_db,
            total_db: hit.evidence_db,
            size: hit.size,
            size_told: 0.0,
            quiet_s: hit.quiet_s,
            heat: hit.heat,
            story: hit.story,
            samples: Samples::default(),
            raised_with: Vec::new(),
            credential_id: token.and_then(|t| t.credential_id.as_deref().map(str::to_owned)),
            consumer: token.and_then(|t| t.consumer.as_deref().map(str::to_owned)),
            stream: scene.stream,
        };
        episode.join(scene, true);
        episode
    }

    /// The detector.
    pub(crate) fn detector(&self) -> Detector {
        self.story.detector()
    }

    /// Adds the event; a hot one postpones the end.
    pub(crate) fn join(&mut self, scene: &Scene<'_, '_>, hot: bool) {
        self.event_count += 1;
        match scene.event.outcome {
            Outcome::Denied => self.refused += 1,
            Outcome::Ok => self.succeeded += 1,
            Outcome::NotFound
            | Outcome::Throttled
            | Outcome::ClientError
            | Outcome::ServerError
            | Outcome::Aborted => {}
        }
        self.last_event_at = self.last_event_at.max(scene.event.ts);
        self.first_event_at = self.first_event_at.min(scene.event.ts);
        self.samples.add(scene.event);
        self.stream = scene.stream;
        if hot {
            let quiet = std::time::Duration::from_secs(self.quiet_s.unsigned_abs());
            let last = self.opened_at + MAX_DURATION;
            let deadline = scene.now + quiet;
            // A count that stays high for a day is the new normal, which the habit learns.
            let bounded = if self.heat.is_some() {
                deadline.min(last)
            } else {
                deadline
            };
            self.deadline = self.deadline.max(bounded);
        }
        if matches!(self.story, Story::Place(_) | Story::Scope(_)) {
            self.size = self.event_count as f64;
        }
    }

    /// Takes over what a further hit says, if it says more.
    pub(crate) fn strengthen(&mut self, hit: Hit) {
        self.visible |= hit.tier == Tier::Finding;
        self.quiet_s = self.quiet_s.max(hit.quiet_s);
        self.evidence_db = self.evidence_db.max(hit.evidence_db);
        match (&mut self.story, hit.story) {
            (Story::Scope(known), Story::Scope(new)) => {
                if new.privileged && !known.privileged {
                    *known = new;
                }
            }
            (Story::Place(known), Story::Place(new)) => {
                known.concurrent |= new.concurrent;
                if new.new_country && !known.new_country {
                    new.place.clone_into(&mut known.place);
                    known.new_country = true;
                    known.surprise_db = known.surprise_db.max(new.surprise_db);
                }
            }
            (known, new) => {
                if hit.size > self.size {
                    self.size = hit.size;
                    self.heat = hit.heat;
                    *known = new;
                }
            }
        }
    }

    /// Raises the severity; it never falls.
    pub(crate) fn raise(&mut self, severity: Severity, with: Vec<Detector>) -> bool {
        if severity <= self.severity {
            return false;
        }
        self.severity = severity;
        if !with.is_empty() {
            self.raised_with = with;
        }
        true
    }

    /// Whether a new version is due at `now`.
    pub(crate) fn decide_update(&self, now: Timestamp, graver: bool) -> Option<Update> {
        if graver {
            Some(Update::Graver)
        } else if self.size >= GROWTH * self.size_told {
            Some(Update::Grown)
        } else if now.as_secs() - self.revised_at.as_secs() >= REFRESH_S {
            Some(Update::Refresh)
        } else {
            None
        }
    }

    /// Marks that a new version is told at `now`.
    pub(crate) fn tell(&mut self, now: Timestamp) {
        self.revised_at = self.revised_at.max(now);
        self.size_told = self.size_told.max(self.size);
        if self.visible {
            if self.revision == 0 {
                self.detected_at = now;
            }
            self.revision += 1;
        }
    }

    /// The id that every version has.
    pub(crate) fn finding_id(&self, subject: &str) -> FindingId {
        FindingId::of_episode(
            self.detector().name(),
            subject,
            self.window_start.as_micros(),
        )
    }

    /// The newest version of the finding.
    pub(crate) fn finding(&self, id: TokenId, incident_id: String) -> Finding {
        let subject = subject_of(id);
        let detector = self.detector();
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Finding {
            id: self.finding_id(&subject.id),
            revision: self.revision,
            detector,
            severity: self.severity,
            confidence: risk::confidence(self.total_db),
            status: if self.open {
                FindingStatus::Open
            } else {
                FindingStatus::Closed
            },
            evidence_db: rounded(self.total_db),
            subject,
            token: Some(self.token(id)),
            first_event_at: self.first_event_at,
            last_event_at: self.last_event_at,
            detected_at: self.detected_at,
            event_count: self.event_count,
            summary: self.summary(id),
            evidence: self.evidence(),
            incident_id: Some(incident_id),
            attack: texts(detector.attack()),
            owasp: texts(detector.owasp()),
        }
    }

    /// The signal that the hit just taken over amounts to.
    pub(crate) fn signal(&self, id: TokenId, now: Timestamp) -> Signal {
        let subject = subject_of(id);
        Signal {
            ts: now,
            detector: self.detector(),
            finding_id: self.visible.then(|| self.finding_id(&subject.id)),
            subject,
            token: Some(self.token(id)),
            evidence_db: rounded(self.evidence_db),
            summary: self.summary(id),
            evidence: self.evidence(),
        }
    }

    fn token(&self, id: TokenId) -> FindingToken {
        FindingToken {
            id,
            credential_id: self.credential_id.clone(),
            consumer: self.consumer.clone(),
            owner: None,
        }
    }

    fn summary(&self, id: TokenId) -> String {
        let name = wording::token(id, self.credential_id.as_deref(), self.consumer.as_deref());
        wording::summary(self, &name)
    }

    fn evidence(&self) -> Evidence {
        let mut evidence = self.story.figures(self.event_count);
        evidence.window_start = Some(self.window_start);
        self.samples.fill(&mut evidence);
        evidence
    }
}

fn subject_of(id: TokenId) -> Subject {
    Subject {
        kind: SubjectKind::Token,
        id: id.to_string(),
    }
}

fn rounded(db: f64) -> f64 {
    libm::round(10.0 * db) / 10.0
}
