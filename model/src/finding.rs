//! What detectors say: signals (raw hits) and findings (episodes that people see).

use serde::{Deserialize, Serialize};

use crate::{Detector, FindingId, Severity, Timestamp, TokenId};

/// A detector's raw hit: stored, shown on the token's page, notifies nobody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Event time at which the detector decided.
    pub ts: Timestamp,
    /// Which detector.
    pub detector: Detector,
    /// What it is about.
    pub subject: Subject,
    /// The token, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<FindingToken>,
    /// Weight in decibans.
    pub evidence_db: f64,
    /// One sentence.
    pub summary: String,
    /// The figures behind it.
    pub evidence: Evidence,
    /// The finding that it opened or belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding_id: Option<FindingId>,
}

/// An episode of one detector on one subject; later versions replace earlier ones of the same id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable: the same however often it is computed.
    pub id: FindingId,
    /// Counts the versions of this finding from 1; the highest is the newest.
    pub revision: u32,
    /// Which detector.
    pub detector: Detector,
    /// How grave.
    pub severity: Severity,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// Whether the episode goes on.
    pub status: FindingStatus,
    /// Weight in decibans.
    pub evidence_db: f64,
    /// What it is about.
    pub subject: Subject,
    /// The token, where the subject is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<FindingToken>,
    /// The first event of the episode.
    pub first_event_at: Timestamp,
    /// The last so far.
    pub last_event_at: Timestamp,
    /// Event time at which the detector decided.
    pub detected_at: Timestamp,
    /// How many events belong to the episode.
    pub event_count: u64,
    /// One sentence that an on-call person understands at 3 a.m.
    pub summary: String,
    /// The figures behind it.
    pub evidence: Evidence,
    /// The incident that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<String>,
    /// MITRE ATT&CK techniques.
    pub attack: Vec<String>,
    /// OWASP API Security risks.
    pub owasp: Vec<String>,
}

/// Whether an episode goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    /// It goes on.
    Open,
    /// It ended.
    Closed,
}

impl FindingStatus {
    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// What sort of thing.
    pub kind: SubjectKind,
    /// Its id: a token's id, an address or prefix, a consumer's name.
    pub id: String,
}

/// What sort of thing a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A token.
    Token,
    /// An address or prefix.
    Source,
    /// A consumer.
    Consumer,
    /// Everybody.
    Fleet,
}

impl SubjectKind {
    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Source => "source",
            Self::Consumer => "consumer",
            Self::Fleet => "fleet",
        }
    }
}

/// The token of a finding, as far as the events named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingToken {
    /// The token.
    pub id: TokenId,
    /// The gateway's name of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// The consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Whose it is, from the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The owner's team, from the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// `production`, `staging`, …, from the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// The figures behind a signal or finding; what does not apply is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was seen in the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<f64>,
    /// What the token's baseline expects in such a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
    /// The most that the token does in such a window on a usual day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub habitual_peak: Option<f64>,
    /// The window's length in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_s: Option<u64>,
    /// The window's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_start: Option<Timestamp>,
    /// The test, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub statistic: String,
    /// The probability of this under the token's habits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// How many days of habit the baseline rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_days: Option<u32>,
    /// What the token usually does, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<String>,
    /// Addresses seen, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_ips: Vec<String>,
    /// Countries seen, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Routes seen, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
    /// User agents seen, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_agents: Vec<String>,
    /// Requests to look at, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_ids: Vec<String>,
}
