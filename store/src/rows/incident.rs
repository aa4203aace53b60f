//! The row of `incidents`: columns to search by, and the whole noun as JSON.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{FindingStatus, Incident};

use super::to_json;

/// One row of `incidents`.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct IncidentRow {
    pub id: String,
    pub revision: u32,
    pub severity: i8,
    pub status: i8,
    pub subject_kind: String,
    pub subject_id: String,
    pub token_id: String,
    pub credential_id: String,
    pub consumer: String,
    pub owner: String,
    pub first_event_at: i64,
    pub last_event_at: i64,
    pub detected_at: i64,
    pub evidence_db: f64,
    pub confidence: f64,
    pub detectors: Vec<String>,
    pub finding_ids: Vec<String>,
    pub summary: String,
    pub body: String,
}

impl IncidentRow {
    /// The row that stores `incident`.
    pub fn of(incident: &Incident) -> Self {
        let token = incident.token.as_ref();
        let name = |name: Option<&String>| name.cloned().unwrap_or_default();
        Self {
            id: incident.id.clone(),
            revision: incident.revision,
            severity: incident.severity as i8,
            status: match incident.status {
                FindingStatus::Open => 0,
                FindingStatus::Closed => 1,
            },
            subject_kind: incident.subject.kind.name().to_owned(),
            subject_id: incident.subject.id.clone(),
            token_id: token.map(|token| token.id.to_string()).unwrap_or_default(),
            credential_id: name(token.and_then(|token| token.credential_id.as_ref())),
            consumer: name(token.and_then(|token| token.consumer.as_ref())),
            owner: name(token.and_then(|token| token.owner.as_ref())),
            first_event_at: incident.first_event_at.as_micros(),
            last_event_at: incident.last_event_at.as_micros(),
            detected_at: incident.detected_at.as_micros(),
            evidence_db: incident.evidence_db,
            confidence: incident.confidence,
            detectors: incident
                .detectors
                .iter()
                .map(|detector| detector.name().to_owned())
                .collect(),
            finding_ids: incident
                .finding_ids
                .iter()
                .map(ToString::to_string)
                .collect(),
            summary: incident.summary.clone(),
            body: to_json(incident),
        }
    }
}
