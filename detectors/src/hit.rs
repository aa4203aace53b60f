//! What a detector hands to the case of a token: one raw hit, with everything that a finding says about it.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Severity, Timestamp};

use crate::failures::FailureKind;
use crate::habit::Judgement;
use crate::policy;

/// An episode ends after at least this long without cause.
pub(crate) const QUIET_S: i64 = 1_800;

/// A raw hit.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) tier: Tier,
    /// Severity that the hit has alone.
    pub(crate) severity: Severity,
    pub(crate) evidence_db: f64,
    /// It cannot be explained by a change of habit.
    pub(crate) hard: bool,
    /// How large, in the detector's own measure; an update is due when it doubles.
    pub(crate) size: f64,
    /// The start of the window, which names the episode.
    pub(crate) window_start: Timestamp,
    /// How long it must be quiet for the episode to end, in seconds.
    pub(crate) quiet_s: i64,
    /// What keeps a count's episode open.
    pub(crate) heat: Option<Heat>,
    pub(crate) story: Story,
}

/// What a hit may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// A signal and evidence.
    Signal,
    /// A finding.
    Finding,
}

/// An episode of a count goes on while the count in the window of this index is at least half of what tripped.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Heat {
    pub(crate) scale: u8,
    pub(crate) half: u32,
}

/// What happened, in the terms of its detector.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Story {
    Rate(RateStory),
    Failures(FailureStory),
    Place(PlaceStory),
    Scope(ScopeStory),
}

/// More calls than ever.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RateStory {
    pub(crate) judgement: Judgement,
    pub(crate) width_s: i64,
    pub(crate) baseline_days: u32,
}

/// More failures than ever.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FailureStory {
    pub(crate) kind: FailureKind,
    pub(crate) judgement: Judgement,
    pub(crate) width_s: i64,
    pub(crate) baseline_days: u32,
    /// Share of the token's calls in the window that failed, and usually.
    pub(crate) share: f64,
    pub(crate) usual_share: f64,
    pub(crate) distinct_paths: u32,
    /// Nothing but 401, from one client to one route.
    pub(crate) retry_loop: bool,
    /// Found without the help of a habit.
    pub(crate) blatant: bool,
}

/// A place where the token never was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PlaceStory {
    /// The place, in words.
    pub(crate) place: String,
    pub(crate) new_country: bool,
    pub(crate) surprise_db: f64,
    /// The places so far, in words.
    pub(crate) usual: String,
    pub(crate) baseline_days: u32,
    /// Calls from here and from the old places alternate.
    pub(crate) concurrent: bool,
}

/// A call that policy does not allow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ScopeStory {
    /// Method and route of the gravest call.
    pub(crate) call: String,
    pub(crate) privileged: bool,
    pub(crate) by_scopes: bool,
}

impl ScopeStory {
    pub(crate) fn new(call: String, violation: policy::Violation) -> Self {
        Self {
            call,
            privileged: violation.privileged,
            by_scopes: violation.basis == policy::Basis::Scopes,
        }
    }
}

impl Story {
    /// The detector that tells such stories.
    pub(crate) const fn detector(&self) -> Detector {
        match self {
            Self::Rate(_) => Detector::RateSpike,
            Self::Failures(_) => Detector::FailureBurst,
            Self::Place(_) => Detector::NewGeography,
            Self::Scope(_) => Detector::OutOfScope,
        }
    }

    /// The figures; `events` is how many belong to the episode.
    pub(crate) fn figures(&self, events: u64) -> Evidence {
        match self {
            Self::Rate(story) => of_judgement(
                &story.judgement,
                story.width_s,
                story.baseline_days,
                "negative binomial against the hour's expectation, and Student's t on log daily maxima",
                format!(
                    "about {} calls in such a window at this time, {} at its busiest on a usual day",
                    crate::wording::count(story.judgement.expected),
                    crate::wording::count(story.judgement.habitual_peak),
                ),
            ),
            Self::Failures(story) => of_judgement(
                &story.judgement,
                story.width_s,
                story.baseline_days,
                if story.blatant {
                    "absolute: so many failed calls, and so large a share, need no baseline"
                } else {
                    "negative binomial against the expectation, and Student's t on log daily maxima"
                },
                format!(
                    "{} of its calls fail so",
                    crate::wording::percent(story.usual_share)
                ),
            ),
            Self::Place(story) => Evidence {
                observed: Some(events as f64),
                expected: Some(0.0),
                statistic:
                    "probability of a new place on a day, from the token's own rate of new places"
                        .to_owned(),
                p_value: Some(libm::exp10(-story.surprise_db / 10.0)),
                baseline_days: Some(story.baseline_days),
                usual: Some(format!("used from {}", story.usual)),
                ..Evidence::default()
            },
            Self::Scope(_) => Evidence {
                observed: Some(events as f64),
                expected: Some(0.0),
                statistic: "policy: deterministic".to_owned(),
                ..Evidence::default()
            },
        }
    }
}

fn of_judgement(
    judgement: &Judgement,
    width_s: i64,
    baseline_days: u32,
    statistic: &str,
    usual: String,
) -> Evidence {
    Evidence {
        observed: Some(f64::from(judgement.count)),
        expected: Some(judgement.expected),
        habitual_peak: Some(judgement.habitual_peak),
        window_s: u64::try_from(width_s).ok(),
        statistic: statistic.to_owned(),
        p_value: Some(judgement.p_value()),
        baseline_days: Some(baseline_days),
        usual: Some(usual),
        ..Evidence::default()
    }
}
