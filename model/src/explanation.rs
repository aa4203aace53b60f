//! Why there was, or was not, a finding: what each detector thinks of a token at one moment.

use serde::{Deserialize, Serialize};

use crate::{Detector, FindingId, Severity, Timestamp, TokenId};

/// What the engine thinks of one token, as of its newest event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The token.
    pub token_id: TokenId,
    /// Its newest event.
    pub as_of: Timestamp,
    /// Whole days with calls so far, and how many a habit needs to speak.
    pub baseline_days: u32,
    /// Days that a habit needs for findings of its own.
    pub mature_days: u32,
    /// Evidence of all families together, in decibans.
    pub evidence_db: f64,
    /// Families that weigh enough to count, and those with hard evidence.
    pub families: u32,
    /// Families with hard evidence.
    pub hard_families: u32,
    /// One entry for each detector that looks at tokens, in the order of the documentation.
    pub detectors: Vec<DetectorView>,
}

/// What one detector thinks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorView {
    /// The detector.
    pub detector: Detector,
    /// What it concluded.
    pub verdict: DetectorVerdict,
    /// One sentence: why it fired, or what was missing.
    pub reason: String,
    /// The figures that it compares, nearest to its threshold first.
    pub figures: Vec<ExplainedFigure>,
    /// The finding, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding_id: Option<FindingId>,
    /// Its severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// What a detector concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorVerdict {
    /// There is a finding.
    Finding,
    /// There is a signal, which is evidence but no finding.
    Signal,
    /// A count that is held for a minute, until the fleet is known to be well.
    Unconfirmed,
    /// A failure or surge of the fleet explains it.
    CommonMode,
    /// An exception covers it.
    Excepted,
    /// Switched off for this token.
    Off,
    /// The token's habit is too young.
    Learning,
    /// What the detector needs is not in the logs, or no policy says anything.
    NoData,
    /// Nothing unusual enough.
    BelowThreshold,
}

impl DetectorVerdict {
    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Signal => "signal",
            Self::Unconfirmed => "unconfirmed",
            Self::CommonMode => "common_mode",
            Self::Excepted => "excepted",
            Self::Off => "off",
            Self::Learning => "learning",
            Self::NoData => "no_data",
            Self::BelowThreshold => "below_threshold",
        }
    }
}

/// A figure and what it is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedFigure {
    /// What it is: `calls within 10 min`.
    pub name: String,
    /// What was seen.
    pub observed: f64,
    /// What is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
    /// From what on the detector looks closer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}
