//! What a replay found: findings in their final state, incidents, and a summary for people.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::time::Instant;

use tokenwatch_detectors::{Detections, EngineStats};
use tokenwatch_model::{Finding, FindingId, Incident, Severity};

use super::merge::Counts;

/// Collects the newest revision of every finding and incident.
pub(super) struct Report {
    started: Instant,
    findings: HashMap<FindingId, Finding>,
    incidents: HashMap<String, Incident>,
    signals: u64,
}

impl Report {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            findings: HashMap::new(),
            incidents: HashMap::new(),
            signals: 0,
        }
    }

    /// Takes over what one round found.
    pub(super) fn add(&mut self, detections: Detections) {
        self.signals += detections.signals.len() as u64;
        for finding in detections.findings {
            self.findings.insert(finding.id, finding);
        }
        for incident in detections.incidents {
            self.incidents.insert(incident.id.clone(), incident);
        }
    }

    /// Every finding, in the order in which the detectors decided.
    pub(super) fn findings(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.values().collect();
        findings.sort_by_key(|finding| (finding.detected_at, finding.id));
        findings
    }

    /// Every incident, in the order in which their first findings were decided.
    pub(super) fn incidents(&self) -> Vec<&Incident> {
        let mut incidents: Vec<&Incident> = self.incidents.values().collect();
        incidents.sort_by(|a, b| (a.detected_at, &a.id).cmp(&(b.detected_at, &b.id)));
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
        if counts.redelivered > 0 {
            writeln!(
                out,
                "{} events there twice, counted once",
                counts.redelivered
            )?;
        }
        for (reason, count) in &counts.rejected {
            writeln!(out, "{count} records rejected: {reason}")?;
        }
        writeln!(
            out,
            "{} findings in {} incidents, {} signals",
            self.findings.len(),
            self.incidents.len(),
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
