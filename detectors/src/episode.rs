//! One episode of one detector on one subject: opened by a hit, updated while it goes on, closed after quiet.
//!
//! What a closed episode says depends on its events alone, not on when the watermark noticed that it had ended. A soft
//! hit (`confirm`) opens an episode that nobody sees for a minute: then it becomes a finding, or a common cause explains it.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    AccessEvent, Detector, Evidence, Finding, FindingId, FindingStatus, FindingToken, Outcome,
    Severity, Signal, Timestamp, TokenId,
};

use crate::commons::Groups;
use crate::hit::{Belonging, Bulk, Hit, Story, Tier};
use crate::risk;
use crate::samples::Samples;
use crate::subject::SubjectKey;
use crate::token::micros;
use crate::wording;

/// An update is due after this long even if nothing changed much.
const REFRESH_S: i64 = 3_600;
/// And whenever the size has grown by this factor.
const GROWTH: f64 = 2.0;
/// The episode of a count ends after this long even if the count stays high.
const MAX_DURATION: std::time::Duration = std::time::Duration::from_hours(24);
/// A fact of the registry is as sure as anything here.
const FACT_CONFIDENCE: f64 = 0.999;
/// How long a soft hit is held: its half-minute of the fleet has been sealed by then.
pub(crate) const CONFIRM_AFTER: std::time::Duration = std::time::Duration::from_mins(1);

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
    pub(crate) detected_at: Timestamp,
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
    pub(crate) standing: Standing,
    pub(crate) event_count: u64,
    pub(crate) refused: u64,
    pub(crate) succeeded: u64,
    pub(crate) evidence_db: f64,
    pub(crate) hard: bool,
    pub(crate) total_db: f64,
    /// Largest size so far, and that of the last version.
    pub(crate) size: f64,
    size_told: f64,
    quiet_s: i64,
    pub(crate) story: Story,
    pub(crate) samples: Samples,
    /// Detectors whose evidence raised the severity.
    pub(crate) raised_with: Vec<Detector>,
    pub(crate) credential_id: Option<String>,
    pub(crate) consumer: Option<String>,
    /// Groups of the token, whose failing would explain it.
    pub(crate) groups: Groups,
    /// Stream of the last event: its watermark ends the episode.
    pub(crate) stream: u32,
}

/// Who sees an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// Nobody: it groups signals.
    Signals,
    /// Nobody yet: a finding from this second on, unless the fleet explains it.
    Unconfirmed(i64),
    /// Nobody: the fleet explains it.
    CommonMode,
    /// Everybody: it is a finding.
    Finding,
}

/// The moment in hand, as episodes see it.
pub(crate) struct Scene<'e, 'a> {
    /// The event; none where a sealed window or the passing of time is looked at.
    pub(crate) event: Option<&'e AccessEvent<'a>>,
    /// The subject's newest event time: when decisions are made.
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
        let token = scene.event.and_then(|event| event.token.as_ref());
        let begins = scene.event.map_or(scene.now, |event| event.ts);
        let counted = match hit.story.belonging {
            Belonging::Count { .. } => hit.story.figures.observed.map_or(1, |count| count as u64),
            Belonging::OwnHits
            | Belonging::Standing
            | Belonging::Together(_)
            | Belonging::Newcomer
            | Belonging::Place(_)
            | Belonging::Client(_)
            | Belonging::Ranges { .. } => 1,
        };
        let mut episode = Self {
            window_start: hit.window_start,
            first_event_at: hit.window_start.min(begins),
            last_event_at: begins,
            detected_at: scene.now,
            opened_at: scene.now,
            deadline: scene.now,
            revised_at: scene.now,
            revision: 0,
            severity: hit.severity,
            open: true,
            standing: standing_of(&hit, scene.now),
            event_count: counted.saturating_sub(1),
            refused: 0,
            succeeded: 0,
            evidence_db: hit.evidence_db,
            hard: hit.hard,
            total_db: hit.evidence_db,
            size: hit.size,
            size_told: 0.0,
            quiet_s: hit.quiet_s,
            story: hit.story,
            samples: Samples::default(),
            raised_with: Vec::new(),
            credential_id: token.and_then(|t| t.credential_id.as_deref().map(str::to_owned)),
            consumer: token.and_then(|t| t.consumer.as_deref().map(str::to_owned)),
            groups: scene.event.map(Groups::of).unwrap_or_default(),
            stream: scene.stream,
        };
        match hit.bulk {
            Some(bulk) => {
                episode.event_count = 0;
                episode.absorb(&bulk);
                episode.postpone(scene.now);
            }
            None => episode.join(scene, true),
        }
        episode
    }

    /// The detector.
    pub(crate) fn detector(&self) -> Detector {
        self.story.detector
    }

    /// Whether it is a finding.
    pub(crate) fn visible(&self) -> bool {
        self.standing == Standing::Finding
    }

    /// Adds the event; a hot one postpones the end.
    pub(crate) fn join(&mut self, scene: &Scene<'_, '_>, hot: bool) {
        let Some(event) = scene.event else {
            return;
        };
        self.event_count += 1;
        self.learn_names(event);
        match event.outcome {
            Outcome::Denied => self.refused += 1,
            Outcome::Ok => self.succeeded += 1,
            Outcome::NotFound
            | Outcome::Throttled
            | Outcome::ClientError
            | Outcome::ServerError
            | Outcome::Aborted => {}
        }
        self.last_event_at = self.last_event_at.max(event.ts);
        self.first_event_at = self.first_event_at.min(event.ts);
        self.samples.add(event);
        self.stream = scene.stream;
        if hot {
            self.postpone(scene.now);
        }
        if !self.is_count() {
            self.size = self.size.max(self.event_count as f64);
        }
    }

    /// What was opened without an event has its names from the first that comes.
    fn learn_names(&mut self, event: &AccessEvent<'_>) {
        let Some(token) = &event.token else {
            return;
        };
        let own = |text: &Option<tokenwatch_model::Text<'_>>| text.as_deref().map(str::to_owned);
        if self.credential_id.is_none() && self.consumer.is_none() {
            self.credential_id = own(&token.credential_id);
            self.consumer = own(&token.consumer);
        }
    }

    /// Adds the events of a sealed window.
    pub(crate) fn absorb(&mut self, bulk: &Bulk) {
        self.event_count += bulk.events;
        self.refused += bulk.refused;
        self.succeeded += bulk.succeeded;
        self.first_event_at = self
            .first_event_at
            .min(Timestamp::from_secs(bulk.first_event_s));
        self.last_event_at = self
            .last_event_at
            .max(Timestamp::from_secs(bulk.last_event_s));
        self.samples.absorb(&bulk.samples);
    }

    /// Whether the hit that was just taken over, which belongs so, keeps the episode going: what befalls another group than
    /// the one that is told does not.
    pub(crate) fn is_kept_by(&self, belonging: Belonging) -> bool {
        match (self.story.belonging, belonging) {
            (Belonging::Together(told), Belonging::Together(newer)) => told.is_same(newer),
            _ => true,
        }
    }

    /// Whether a hit of many tokens is part of what the episode tells.
    pub(crate) fn unfolds_into(&self, hit: &Hit, now: Timestamp) -> bool {
        matches!(
            (self.story.belonging, hit.story.belonging),
            (Belonging::Together(told), Belonging::Together(newer))
                if told.includes(newer, self.opened_at, now)
        )
    }

    /// Puts its end off.
    pub(crate) fn postpone(&mut self, now: Timestamp) {
        let deadline = now + std::time::Duration::from_secs(self.quiet_s.unsigned_abs());
        // A count that stays high for a day is the new normal, which the habit learns.
        let bounded = if self.is_count() {
            deadline.min(self.opened_at + MAX_DURATION)
        } else {
            deadline
        };
        self.deadline = self.deadline.max(bounded);
    }

    fn is_count(&self) -> bool {
        matches!(
            self.story.belonging,
            Belonging::Count { .. } | Belonging::Ranges { .. }
        )
    }

    /// Takes over what a further hit says, if it says more.
    pub(crate) fn strengthen(&mut self, hit: Hit, sealed: bool, now: Timestamp) {
        // From common mode, too: it goes on, or comes back, after the fleet has recovered.
        if hit.tier == Tier::Finding
            && matches!(self.standing, Standing::Signals | Standing::CommonMode)
        {
            self.standing = standing_of(&hit, now);
        }
        self.quiet_s = self.quiet_s.max(hit.quiet_s);
        self.evidence_db = self.evidence_db.max(hit.evidence_db);
        self.hard |= hit.hard;
        let larger = hit.size > self.size && (sealed || self.is_count());
        let newest = hit.story.belonging == Belonging::Standing;
        if newest
            || hit.story.rank > self.story.rank
            || (hit.story.rank == self.story.rank && larger)
        {
            self.story = hit.story;
        } else if let (Belonging::Together(told), Belonging::Together(newer)) =
            (&mut self.story.belonging, hit.story.belonging)
            && told.is_same(newer)
        {
            told.tokens = newer.tokens;
        }
        self.size = self.size.max(hit.size);
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
        if self.visible() {
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
    pub(crate) fn finding(&self, key: &SubjectKey, incident_id: String) -> Finding {
        let subject = key.subject();
        let detector = self.detector();
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Finding {
            id: self.finding_id(&subject.id),
            revision: self.revision,
            detector,
            severity: self.severity,
            confidence: if detector.is_advice() {
                FACT_CONFIDENCE
            } else {
                risk::confidence(self.total_db)
            },
            status: if self.open {
                FindingStatus::Open
            } else {
                FindingStatus::Closed
            },
            evidence_db: rounded(self.total_db),
            subject,
            token: key.token().map(|id| self.token(id)),
            first_event_at: self.first_event_at,
            last_event_at: self.last_event_at,
            detected_at: self.detected_at,
            event_count: self.event_count,
            summary: self.summary(key),
            evidence: self.evidence(),
            incident_id: Some(incident_id),
            attack: texts(detector.attack()),
            owasp: texts(detector.owasp()),
        }
    }

    /// The signal that the hit just taken over amounts to.
    pub(crate) fn signal(&self, key: &SubjectKey, now: Timestamp) -> Signal {
        let subject = key.subject();
        Signal {
            ts: now,
            detector: self.detector(),
            finding_id: self.visible().then(|| self.finding_id(&subject.id)),
            subject,
            token: key.token().map(|id| self.token(id)),
            evidence_db: rounded(self.evidence_db),
            summary: self.summary(key),
            evidence: self.evidence(),
        }
    }

    fn token(&self, id: TokenId) -> FindingToken {
        FindingToken {
            id,
            credential_id: self.credential_id.clone(),
            consumer: self.consumer.clone(),
            owner: None,
            team: None,
            environment: None,
        }
    }

    /// The sentence about it.
    pub(crate) fn summary(&self, key: &SubjectKey) -> String {
        let name = match key {
            SubjectKey::Token(id) => {
                wording::token(*id, self.credential_id.as_deref(), self.consumer.as_deref())
            }
            SubjectKey::Source(id) | SubjectKey::Fleet(id) => id.clone(),
        };
        wording::summary(self, &name)
    }

    fn evidence(&self) -> Evidence {
        let mut evidence = self.story.figures.clone();
        if evidence.observed.is_none() {
            evidence.observed = Some(self.event_count as f64);
        }
        evidence.window_start = Some(self.window_start);
        self.samples.fill(&mut evidence);
        evidence
    }
}

/// What a hit makes of an episode that was none, or only signals.
fn standing_of(hit: &Hit, now: Timestamp) -> Standing {
    match (hit.tier, hit.confirm) {
        (Tier::Signal, _) => Standing::Signals,
        (Tier::Finding, true) => Standing::Unconfirmed((now + CONFIRM_AFTER).as_secs()),
        (Tier::Finding, false) => Standing::Finding,
    }
}

/// Decibans as they are shown: one digit.
pub(crate) fn rounded(db: f64) -> f64 {
    libm::round(10.0 * db) / 10.0
}
