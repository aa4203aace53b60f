//! The catalogue of detectors: their contract names and the family of evidence that each belongs to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A detector, under the name it has in findings, configuration, metrics and documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// More calls than this token makes at its busiest.
    RateSpike,
    /// Calls from a country or network that this token does not come from.
    NewGeography,
    /// More failed calls than this token has at its worst.
    FailureBurst,
    /// Calls that policy does not allow this token to make.
    OutOfScope,
}

/// A family of evidence: within one, only the strongest counts; across families, evidence adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Where the token is used from.
    Location,
    /// How much it is used.
    Volume,
    /// How often it fails.
    Abuse,
    /// What it is used for.
    Scope,
}

impl Detector {
    /// Every detector, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::RateSpike,
        Self::NewGeography,
        Self::FailureBurst,
        Self::OutOfScope,
    ];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateSpike => "rate_spike",
            Self::NewGeography => "new_geography",
            Self::FailureBurst => "failure_burst",
            Self::OutOfScope => "out_of_scope",
        }
    }

    /// The family of its evidence.
    pub const fn family(self) -> Family {
        match self {
            Self::RateSpike => Family::Volume,
            Self::NewGeography => Family::Location,
            Self::FailureBurst => Family::Abuse,
            Self::OutOfScope => Family::Scope,
        }
    }

    /// MITRE ATT&CK techniques that its findings point at.
    pub const fn attack(self) -> &'static [&'static str] {
        match self {
            Self::RateSpike => &["T1550.001", "T1530"],
            Self::NewGeography | Self::OutOfScope => &["T1550.001", "T1078.004"],
            Self::FailureBurst => &["T1110", "T1595.003"],
        }
    }

    /// OWASP API Security Top 10 (2023) risks that its findings point at.
    pub const fn owasp(self) -> &'static [&'static str] {
        match self {
            Self::RateSpike => &["API4:2023", "API2:2023"],
            Self::NewGeography => &["API2:2023"],
            Self::FailureBurst => &["API2:2023", "API1:2023"],
            Self::OutOfScope => &["API5:2023"],
        }
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Detector {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|detector| detector.name() == name)
            .ok_or_else(|| format!("no detector is called {name:?}"))
    }
}
