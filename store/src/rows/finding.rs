//! The rows of `signals` and `findings`: columns to search by, and the whole noun as JSON.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Finding, FindingStatus, Signal};

use super::to_json;

/// One row of `signals`.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct SignalRow {
    pub ts: i64,
    pub detector: String,
    pub subject_kind: String,
    pub subject_id: String,
    pub token_id: String,
    pub finding_id: String,
    pub evidence_db: f64,
    pub summary: String,
    pub body: String,
}

/// One row of `findings`.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct FindingRow {
    pub id: String,
    pub revision: u32,
    pub detector: String,
    pub severity: i8,
    pub status: i8,
    pub confidence: f64,
    pub evidence_db: f64,
    pub subject_kind: String,
    pub subject_id: String,
    pub token_id: String,
    pub credential_id: String,
    pub consumer: String,
    pub owner: String,
    pub first_event_at: i64,
    pub last_event_at: i64,
    pub detected_at: i64,
    pub event_count: u64,
    pub incident_id: String,
    pub summary: String,
    pub body: String,
}

impl SignalRow {
    /// The row that stores `signal`.
    pub fn of(signal: &Signal) -> Self {
        Self {
            ts: signal.ts.as_micros(),
            detector: signal.detector.name().to_owned(),
            subject_kind: signal.subject.kind.name().to_owned(),
            subject_id: signal.subject.id.clone(),
            token_id: text(signal.token.as_ref().map(|token| token.id)),
            finding_id: text(signal.finding_id),
            evidence_db: signal.evidence_db,
            summary: signal.summary.clone(),
            body: to_json(signal),
        }
    }
}

impl FindingRow {
    /// The row that stores `finding`.
    pub fn of(finding: &Finding) -> Self {
        let token = finding.token.as_ref();
        let name = |name: Option<&String>| name.cloned().unwrap_or_default();
        Self {
            id: finding.id.to_string(),
            revision: finding.revision,
            detector: finding.detector.name().to_owned(),
            severity: finding.severity as i8,
            status: match finding.status {
                FindingStatus::Open => 0,
                FindingStatus::Closed => 1,
            },
            confidence: finding.confidence,
            evidence_db: finding.evidence_db,
            subject_kind: finding.subject.kind.name().to_owned(),
            subject_id: finding.subject.id.clone(),
            token_id: text(token.map(|token| token.id)),
            credential_id: name(token.and_then(|token| token.credential_id.as_ref())),
            consumer: name(token.and_then(|token| token.consumer.as_ref())),
            owner: name(token.and_then(|token| token.owner.as_ref())),
            first_event_at: finding.first_event_at.as_micros(),
            last_event_at: finding.last_event_at.as_micros(),
            detected_at: finding.detected_at.as_micros(),
            event_count: finding.event_count,
            incident_id: finding.incident_id.clone().unwrap_or_default(),
            summary: finding.summary.clone(),
            body: to_json(finding),
        }
    }
}

fn text(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}
