//! Incidents: the findings on one subject that belong together, with the evidence summed over families.

use serde::{Deserialize, Serialize};

use crate::{
    Detector, Family, FindingId, FindingStatus, FindingToken, Severity, Subject, Timestamp,
};

/// What happened to one subject; later versions replace earlier ones of the same id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// `inc_` and 26 characters: the same however often it is computed.
    pub id: String,
    /// Counts the versions from 1; the highest is the newest.
    pub revision: u32,
    /// Open while any of its findings is.
    pub status: FindingStatus,
    /// The gravest severity of its findings.
    pub severity: Severity,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// The most that the evidence of all families weighed together, in decibans.
    pub evidence_db: f64,
    /// What it is about.
    pub subject: Subject,
    /// The token, where the subject is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<FindingToken>,
    /// The first event of any of its findings.
    pub first_event_at: Timestamp,
    /// The last so far.
    pub last_event_at: Timestamp,
    /// Event time at which its first finding was decided.
    pub detected_at: Timestamp,
    /// Detectors that have findings in it, in the order of their first.
    pub detectors: Vec<Detector>,
    /// Families with evidence at its height, and what each weighed.
    pub evidence: Vec<FamilyEvidence>,
    /// Its findings, in the order of their detection.
    pub finding_ids: Vec<FindingId>,
    /// One sentence.
    pub summary: String,
}

/// What one family of evidence weighs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilyEvidence {
    /// The family.
    pub family: Family,
    /// The detector with the strongest evidence in it.
    pub detector: Detector,
    /// Decibans.
    pub db: f64,
    /// It cannot be explained by a change of habit.
    pub hard: bool,
}
