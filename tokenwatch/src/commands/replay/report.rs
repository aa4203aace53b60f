//! What a replay found: findings in their final state, incidents, and a summary for people.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;
use tokenwatch_detectors::{Detections, EngineStats};
use tokenwatch_model::{Finding, FindingId, Severity, Subject, Timestamp};

use super::merge::Counts;

/// Collects the newest revision of every finding.
pub(super) struct Report {
    started: Instant,
    findings: HashMap<FindingId, Finding>,
    signals: u64,
}

/// The findings on one subject that belong together.
#[derive(Debug, Serialize)]
pub(super) struct Incident {
    id: String,
    severity: Severity,
    subject: Subject,
    first_event_at: Timestamp,
    last_event_at: Timestamp,
    findings: Vec<FindingId>,
}

impl Report {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            findings: HashMap::new(),
            signals: 0,
        }
    }

    /// Takes over what one round found.
    pub(super) fn add(&mut self, detections: Detections) {
        self.signals += detections.signals.len() as u64;
        for finding in detections.findings {
            self.findings.insert(finding.id, finding);
        }
    }

    /// Every finding, in the order in which the detectors decided.
    pub(super) fn findings(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.values().collect();
        findings.sort_by_key(|finding| (finding.detected_at, finding.id));
        findings
    }

    /// The incidents that they make up, the earliest first.
    pub(super) fn incidents(&self) -> Vec<Incident> {
        let mut incidents: BTreeMap<&str, Incident> = BTreeMap::new();
        for finding in self.findings() {
            let Some(id) = finding.incident_id.as_deref() else {
                continue;
            };
            let incident = incidents.entry(id).or_insert_with(|| Incident {
                id: id.to_owned(),
                severity: finding.severity,
                subject: finding.subject.clone(),
                first_event_at: finding.first_event_at,
                last_event_at: finding.last_event_at,
                findings: Vec::new(),
            });
            incident.severity = incident.severity.max(finding.severity);
            incident.first_event_at = incident.first_event_at.min(finding.first_event_at);
            incident.last_event_at = incident.last_event_at.max(finding.last_event_at);
            incident.findings.push(finding.id);
        }
        let mut incidents: Vec<Incident> = incidents.into_values().collect();
        incidents.sort_by(|a, b| (a.first_event_at, &a.id).cmp(&(b.first_event_at, &b.id)));
        incidents
    }

    /// A few lines for people.
    pub(super) fn write_summary(
        &self,
        out: &mut dyn Write,
        counts: &Counts,
        engine: &EngineStats,
    ) -> io::Result<()> {
        let secs = self.started.elapsed().as_secs_f64();
        let rate = counts.events as f64 / secs.max(1e-9);
        writeln!(
            out,
            "{} events of {} tokens in {secs:.1} s, {rate:.0}/s",
            counts.events, engine.tokens
        )?;
        for (reason, count) in &counts.rejected {
            writeln!(out, "{count} records rejected: {reason}")?;
        }
        writeln!(
            out,
            "{} findings, {} signals",
            self.findings.len(),
            self.signals
        )?;
        let mut by_kind: BTreeMap<(&str, Severity), u64> = BTreeMap::new();
        for finding in self.findings.values() {
            *by_kind
                .entry((finding.detector.name(), finding.severity))
                .or_default() += 1;
        }
        for ((detector, severity), count) in by_kind {
            writeln!(out, "  {count} {detector}, {severity}")?;
        }
        Ok(())
    }
}
