//! The stored findings against those of another configuration. Pure.
//!
//! A finding is the same if its id is. An id names the window in which an episode begins, so another threshold may move
//! it: what is left over on both sides is paired by detector, subject and overlapping time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use tokenwatch_model::{Detector, Finding, FindingId, Severity, SubjectKind};

/// What the change makes of the findings.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// In the order in which the findings were detected.
    pub(super) differences: Vec<Difference>,
    /// Findings that are the same.
    pub(super) kept: u64,
    /// Those of them that begin in another window, and so have another id.
    pub(super) moved: u64,
}

/// One difference: a line of the output.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(super) enum Difference {
    /// The new configuration finds it, the service did not.
    Added { finding: Finding },
    /// The service found it, the new configuration does not.
    Removed { finding: Finding },
    /// Both find it, and the new configuration takes it for graver or milder.
    SeverityChanged {
        /// What the service took it for.
        stored_severity: Severity,
        /// The service's id of it, where it is another.
        #[serde(skip_serializing_if = "Option::is_none")]
        stored_id: Option<FindingId>,
        /// As the new configuration has it.
        finding: Finding,
    },
}

/// Who a finding is about, and who found it.
type Key = (Detector, SubjectKind, String);

/// Compares `stored` with what a new configuration finds, each finding in its final state.
pub(super) fn compare(stored: Vec<Finding>, mut new: Vec<Finding>) -> Comparison {
    let mut comparison = Comparison::default();
    new.sort_by_key(|finding| (finding.first_event_at, finding.id));
    let mut by_id: HashMap<FindingId, Finding> = stored
        .into_iter()
        .map(|finding| (finding.id, finding))
        .collect();
    let mut fresh = Vec::new();
    for finding in new {
        match by_id.remove(&finding.id) {
            Some(known) => comparison.pair(&known, finding),
            None => fresh.push(finding),
        }
    }
    let mut gone: HashMap<Key, Vec<Finding>> = HashMap::new();
    for finding in by_id.into_values() {
        gone.entry(key(&finding)).or_default().push(finding);
    }
    for list in gone.values_mut() {
        list.sort_by_key(|finding| (finding.first_event_at, finding.id));
    }
    for finding in fresh {
        let candidates = gone.entry(key(&finding)).or_default();
        match longest_overlap(candidates, &finding) {
            Some(index) => comparison.pair(&candidates.remove(index), finding),
            None => comparison.differences.push(Difference::Added { finding }),
        }
    }
    let removed = gone.into_values().flatten();
    comparison
        .differences
        .extend(removed.map(|finding| Difference::Removed { finding }));
    comparison.differences.sort_by_key(|difference| {
        let finding = difference.finding();
        (finding.detected_at, finding.id)
    });
    comparison
}

impl Comparison {
    /// Takes `finding` for what the service knows as `known`.
    fn pair(&mut self, known: &Finding, finding: Finding) {
        let moved = known.id != finding.id;
        if known.severity == finding.severity {
            self.kept += 1;
            self.moved += u64::from(moved);
        } else {
            self.differences.push(Difference::SeverityChanged {
                stored_severity: known.severity,
                stored_id: moved.then_some(known.id),
                finding,
            });
        }
    }

    /// How many findings are added.
    pub(super) fn added(&self) -> usize {
        self.count("added")
    }

    /// How many findings are removed.
    pub(super) fn removed(&self) -> usize {
        self.count("removed")
    }

    /// How many findings have another severity.
    pub(super) fn severity_changed(&self) -> usize {
        self.count("with another severity")
    }

    /// The differences of each detector, by what they are.
    pub(super) fn by_detector(&self) -> Vec<(Detector, &'static str, usize)> {
        let mut counts: BTreeMap<(Detector, &'static str), usize> = BTreeMap::new();
        for difference in &self.differences {
            let key = (difference.finding().detector, difference.words());
            *counts.entry(key).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|((detector, change), count)| (detector, change, count))
            .collect()
    }

    fn count(&self, words: &str) -> usize {
        let counted = self.differences.iter();
        counted
            .filter(|difference| difference.words() == words)
            .count()
    }
}

impl Difference {
    fn finding(&self) -> &Finding {
        match self {
            Self::Added { finding }
            | Self::Removed { finding }
            | Self::SeverityChanged { finding, .. } => finding,
        }
    }

    /// What it is, for people.
    const fn words(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
            Self::Removed { .. } => "removed",
            Self::SeverityChanged { .. } => "with another severity",
        }
    }
}

fn key(finding: &Finding) -> Key {
    let subject = &finding.subject;
    (finding.detector, subject.kind, subject.id.clone())
}

/// Which of `candidates` shares most time with `finding`; none if none shares any.
fn longest_overlap(candidates: &[Finding], finding: &Finding) -> Option<usize> {
    let mut best: Option<(Duration, usize)> = None;
    for (index, candidate) in candidates.iter().enumerate() {
        let from = candidate.first_event_at.max(finding.first_event_at);
        let to = candidate.last_event_at.min(finding.last_event_at);
        if from > to {
            continue;
        }
        let overlap = to.since(from);
        // The earliest of several that share as much.
        if best.is_none_or(|(longest, _)| overlap > longest) {
            best = Some((overlap, index));
        }
    }
    best.map(|(_, index)| index)
}

#[cfg(test)]
mod tests;
