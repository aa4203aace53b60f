//! What an engine said, reduced to what is asked of it afterwards.

use std::collections::HashMap;

use tokenwatch_detectors::Detections;
use tokenwatch_model::{
    Detector, Finding, FindingId, FindingStatus, Severity, Signal, Subject, SubjectKind, Timestamp,
    TokenId,
};

use crate::simulate::calendar::{self, Moment};
use crate::simulate::world::World;

/// Signals and findings.
#[derive(Debug)]
pub(super) struct Ledger {
    tokens: HashMap<TokenId, u32>,
    /// Every signal.
    pub(super) signals: Vec<Sighting>,
    findings: HashMap<FindingId, usize>,
    /// Every finding, in the order of detection.
    pub(super) episodes: Vec<Episode>,
}

/// Whom something is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whom {
    /// A token of the fleet.
    Token(u32),
    /// A credential that nobody gave out.
    Stranger,
    /// An address, prefix or network.
    Source(String),
    /// An application.
    Consumer(String),
    /// Everybody.
    Fleet,
}

/// A signal.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) detector: Detector,
    pub(super) whom: Whom,
    pub(super) at: Moment,
}

/// A finding, from its first to its last version.
#[derive(Clone, Debug)]
pub(super) struct Episode {
    pub(super) detector: Detector,
    pub(super) whom: Whom,
    /// When it was decided.
    pub(super) at: Moment,
    /// When it was told, and told again because it went on.
    pub(super) told: Vec<Moment>,
    /// When it was first as grave as this or graver, by severity.
    pub(super) reached: [Option<Moment>; Severity::ALL.len()],
    /// Its gravest severity.
    pub(super) severity: Severity,
    pub(super) incident: Option<String>,
    pub(super) summary: String,
}

impl Ledger {
    pub(super) fn new(world: &World) -> Self {
        Self {
            tokens: (world.members.iter())
                .map(|member| (member.id, member.index))
                .collect(),
            signals: Vec::new(),
            findings: HashMap::new(),
            episodes: Vec::new(),
        }
    }

    /// Takes over what one batch led to.
    pub(super) fn add(&mut self, detections: Detections) {
        for signal in &detections.signals {
            let sighting = self.sighting(signal);
            self.signals.push(sighting);
        }
        for finding in detections.findings {
            self.note(finding);
        }
    }

    fn sighting(&self, signal: &Signal) -> Sighting {
        Sighting {
            detector: signal.detector,
            whom: self.whom(&signal.subject),
            at: moment(signal.ts),
        }
    }

    fn note(&mut self, finding: Finding) {
        let at = moment(finding.detected_at.max(finding.last_event_at));
        let index = if let Some(index) = self.findings.get(&finding.id) {
            *index
        } else {
            let index = self.episodes.len();
            self.findings.insert(finding.id, index);
            self.episodes.push(Episode {
                detector: finding.detector,
                whom: self.whom(&finding.subject),
                at: moment(finding.detected_at),
                told: Vec::new(),
                reached: [None; Severity::ALL.len()],
                severity: finding.severity,
                incident: None,
                summary: String::new(),
            });
            index
        };
        let episode = &mut self.episodes[index];
        let first = episode.reached[0].is_none();
        if finding.status == FindingStatus::Open {
            episode.told.push(if first { episode.at } else { at });
        }
        for reached in &mut episode.reached[..=finding.severity as usize] {
            *reached = reached.or(Some(if first { episode.at } else { at }));
        }
        if finding.severity >= episode.severity {
            episode.summary = finding.summary;
        }
        episode.severity = episode.severity.max(finding.severity);
        episode.incident = finding.incident_id.or(episode.incident.take());
    }

    fn whom(&self, subject: &Subject) -> Whom {
        match subject.kind {
            SubjectKind::Token => (subject.id.parse().ok())
                .and_then(|id: TokenId| self.tokens.get(&id))
                .map_or(Whom::Stranger, |token| Whom::Token(*token)),
            SubjectKind::Source => Whom::Source(subject.id.clone()),
            SubjectKind::Consumer => Whom::Consumer(subject.id.clone()),
            SubjectKind::Fleet => Whom::Fleet,
        }
    }
}

impl Episode {
    /// When it was first at least as grave as `severity`.
    pub(super) fn reached(&self, severity: Severity) -> Option<Moment> {
        self.reached[severity as usize]
    }
}

fn moment(at: Timestamp) -> Moment {
    calendar::moment(at)
}
