//! `[detectors.credential_stuffing]` and `[detectors.token_guessing]`.

use serde::{Deserialize, Serialize};
use tokenwatch_model::Problems;

use crate::config::DetectorMode;

/// `[detectors.credential_stuffing]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialStuffingConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Different credentials that must be refused within ten minutes.
    pub tokens: u32,
    /// Share of the credentials, and of the calls, that must be refused.
    pub refused_share: f64,
    /// And how many times as many as in the worst ten minutes of a usual day of that source.
    pub usual_ratio: f64,
}

/// `[detectors.token_guessing]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenGuessingConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Different unknown credentials that must be refused within ten minutes.
    pub tokens: u32,
    /// Or refused calls without a credential that the log recognises, from one address or network.
    pub attempts: u32,
    /// Share of the credentials, and of the calls, that must be refused.
    pub refused_share: f64,
    /// And how many times as many as in the worst ten minutes of a usual day of that source.
    pub usual_ratio: f64,
}

impl Default for CredentialStuffingConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            tokens: 10,
            refused_share: 0.66,
            usual_ratio: 5.0,
        }
    }
}

impl Default for TokenGuessingConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            tokens: 10,
            attempts: 100,
            refused_share: 0.66,
            usual_ratio: 5.0,
        }
    }
}

impl CredentialStuffingConfig {
    /// Reports what is wrong with it.
    pub(crate) fn check(&self, problems: &mut Problems) {
        check(
            "credential_stuffing",
            &[("tokens", self.tokens)],
            self.refused_share,
            self.usual_ratio,
            problems,
        );
    }
}

impl TokenGuessingConfig {
    /// Reports what is wrong with it.
    pub(crate) fn check(&self, problems: &mut Problems) {
        let counts = [("tokens", self.tokens), ("attempts", self.attempts)];
        check(
            "token_guessing",
            &counts,
            self.refused_share,
            self.usual_ratio,
            problems,
        );
    }
}

fn check(
    table: &str,
    counts: &[(&str, u32)],
    refused_share: f64,
    usual_ratio: f64,
    problems: &mut Problems,
) {
    for (key, count) in counts {
        if *count < 2 {
            problems.add(format!("{table}.{key}"), "must be at least 2");
        }
    }
    if !(0.0..=1.0).contains(&refused_share) {
        problems.add(format!("{table}.refused_share"), "must lie between 0 and 1");
    }
    if !(1.0..=1e6).contains(&usual_ratio) {
        problems.add(
            format!("{table}.usual_ratio"),
            "must lie between 1 and 1,000,000",
        );
    }
}
