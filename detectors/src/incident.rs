//! The incident of a case: everything about one subject within a day of each other, and what it weighed at its height.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    Detector, FamilyEvidence, FindingId, FindingStatus, FindingToken, Incident, Severity, Timestamp,
};

use crate::calendar::DAY;
use crate::case::incident_id;
use crate::episode::{Episode, rounded};
use crate::risk::{self, Ledger, Standing};
use crate::subject::SubjectKey;
use crate::token::micros;

/// Findings that an incident names; a detector has few episodes within the days of one incident.
const MAX_FINDINGS: usize = 64;

/// What is kept of an incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IncidentRecord {
    #[serde(with = "micros")]
    start: Timestamp,
    #[serde(with = "micros")]
    newest: Timestamp,
    told: Option<Told>,
    changed: bool,
}

/// What its findings say.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Told {
    revision: u32,
    severity: Severity,
    open: bool,
    evidence_db: f64,
    evidence: Vec<FamilyEvidence>,
    credential_id: Option<String>,
    consumer: Option<String>,
    #[serde(with = "micros")]
    first_event_at: Timestamp,
    #[serde(with = "micros")]
    last_event_at: Timestamp,
    #[serde(with = "micros")]
    detected_at: Timestamp,
    detectors: Vec<Detector>,
    finding_ids: Vec<FindingId>,
    /// The sentence of its gravest finding, and how grave that is.
    summary: String,
    summary_severity: Severity,
}

impl IncidentRecord {
    /// One that begins at `now`, with nothing to tell yet.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            start: now,
            newest: now,
            told: None,
            changed: false,
        }
    }

    /// Its id.
    pub(crate) fn id(&self, key: &SubjectKey) -> String {
        incident_id(&key.subject().id, self.start)
    }

    /// Whether what happens at `now` belongs to another one.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now.as_secs() - self.newest.as_secs() > DAY
    }

    /// Notes that something happened at `now`.
    pub(crate) fn touch(&mut self, now: Timestamp) {
        self.newest = self.newest.max(now);
        if self.told.is_none() && now < self.start {
            self.start = now;
        }
    }

    /// Notes what all evidence weighs together, if it is more than before.
    pub(crate) fn weigh(&mut self, ledger: &Ledger, standing: Standing, now: Timestamp) {
        let told = self.told.get_or_insert_with(|| Told::new(now));
        if standing.total_db >= told.evidence_db {
            told.evidence_db = standing.total_db;
            told.evidence = ledger.by_family(now);
        }
    }

    /// Notes a version of a finding.
    pub(crate) fn note(&mut self, episode: &Episode, key: &SubjectKey) {
        let subject = key.subject();
        let told = self
            .told
            .get_or_insert_with(|| Told::new(episode.detected_at));
        let id = episode.finding_id(&subject.id);
        if !told.finding_ids.contains(&id) && told.finding_ids.len() < MAX_FINDINGS {
            told.finding_ids.push(id);
        }
        if !told.detectors.contains(&episode.detector()) {
            told.detectors.push(episode.detector());
        }
        if told.summary.is_empty() || episode.severity >= told.summary_severity {
            told.summary = episode.summary(key);
            told.summary_severity = episode.severity;
        }
        told.severity = told.severity.max(episode.severity);
        told.evidence_db = told.evidence_db.max(episode.total_db);
        told.first_event_at = told.first_event_at.min(episode.first_event_at);
        told.last_event_at = told.last_event_at.max(episode.last_event_at);
        told.detected_at = told.detected_at.min(episode.detected_at);
        told.credential_id.clone_from(&episode.credential_id);
        told.consumer.clone_from(&episode.consumer);
        self.changed = true;
    }

    /// The new version, if one is due.
    pub(crate) fn due(&mut self, key: &SubjectKey, open: bool) -> Option<Incident> {
        let told = self.told.as_ref()?;
        if !self.changed && open == told.open {
            return None;
        }
        self.changed = false;
        let id = self.id(key);
        let told = self.told.as_mut()?;
        told.open = open;
        told.revision += 1;
        Some(Incident {
            id,
            revision: told.revision,
            status: if open {
                FindingStatus::Open
            } else {
                FindingStatus::Closed
            },
            severity: told.severity,
            confidence: risk::confidence(told.evidence_db),
            evidence_db: rounded(told.evidence_db),
            subject: key.subject(),
            token: key.token().map(|id| FindingToken {
                id,
                credential_id: told.credential_id.clone(),
                consumer: told.consumer.clone(),
                owner: None,
                team: None,
                environment: None,
            }),
            first_event_at: told.first_event_at,
            last_event_at: told.last_event_at,
            detected_at: told.detected_at,
            detectors: told.detectors.clone(),
            evidence: told.evidence.clone(),
            finding_ids: told.finding_ids.clone(),
            summary: told.summary.clone(),
        })
    }
}

impl Told {
    fn new(at: Timestamp) -> Self {
        Self {
            revision: 0,
            severity: Severity::Info,
            open: true,
            evidence_db: 0.0,
            evidence: Vec::new(),
            credential_id: None,
            consumer: None,
            first_event_at: at,
            last_event_at: at,
            detected_at: at,
            detectors: Vec::new(),
            finding_ids: Vec::new(),
            summary: String::new(),
            summary_severity: Severity::Info,
        }
    }
}
