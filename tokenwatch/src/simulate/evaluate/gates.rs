//! What detection has to show: its targets, each passed, failed, or not decided by so little traffic.

use serde::Serialize;
use tokenwatch_model::Severity;

use super::quiet::Quiet;
use super::recall::{Outcome, Recall};
use crate::simulate::attack::Attack;
use crate::simulate::options::Mix;
use crate::simulate::plan::Age;
use crate::simulate::world::World;

/// The ratio to the token's own peak from which a volume attack has to be found.
const RATIO: f64 = 6.0;
/// A thief has to be found within so many calls.
const THIEF_CALLS: usize = 20;

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gate {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// The figure behind the verdict.
    pub(super) figure: String,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Pass,
    Fail,
    /// The simulation has nothing of it.
    Empty,
}

impl Verdict {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Empty => "NONE",
        }
    }
}

/// All of them.
pub(super) fn gates(world: &World, recall: &Recall, quiet: &Quiet) -> Vec<Gate> {
    let volume = recall.of(|outcome| {
        matches!(outcome.attack, Attack::Spike { .. })
            && outcome.age() == Age::Grown
            && outcome.run.ratio.is_some_and(|ratio| ratio >= RATIO)
    });
    let thefts =
        recall.of(|outcome| matches!(outcome.attack, Attack::Theft { .. }) && outcome.has_owner());
    let of = |id: &'static str| recall.of(move |outcome| outcome.attack.id() == id);
    let found = |outcome: &Outcome| outcome.finding.is_some();
    let in_time = |outcome: &Outcome| {
        outcome
            .finding
            .is_some_and(|at| outcome.calls_until(at) <= THIEF_CALLS)
    };
    let mut gates = vec![
        share(
            "spikes of 6 and more times the own peak: signal",
            0.95,
            &volume,
            |outcome| outcome.signal.is_some(),
        ),
        share(
            "spikes of 6 and more times the own peak: finding",
            0.80,
            &volume,
            found,
        ),
        share(
            "theft while the owner goes on: finding within 20 calls",
            0.95,
            &thefts,
            in_time,
        ),
        share("credential stuffing: finding", 0.95, &of("A4"), found),
        share("enumeration: finding", 0.95, &of("A5"), found),
        share("privilege and scope: finding", 0.95, &of("A6"), found),
    ];
    gates.extend(quiet_gates(world, quiet));
    gates
}

fn share(name: &str, least: f64, outcomes: &[&Outcome], holds: impl Fn(&Outcome) -> bool) -> Gate {
    let held = outcomes.iter().filter(|outcome| holds(outcome)).count();
    let reached = held as f64 / outcomes.len().max(1) as f64;
    Gate {
        name: format!("{name}, at least {:.0} %", least * 100.0),
        verdict: match outcomes.len() {
            0 => Verdict::Empty,
            _ if reached >= least => Verdict::Pass,
            _ => Verdict::Fail,
        },
        figure: format!("{held} of {}, {:.1} %", outcomes.len(), reached * 100.0),
    }
}

fn quiet_gates(world: &World, quiet: &Quiet) -> Vec<Gate> {
    let passes = |holds: bool| if holds { Verdict::Pass } else { Verdict::Fail };
    let most = match world.options.mix {
        Mix::Realistic => 0.05,
        Mix::Equal => 0.5,
    };
    let row = &quiet.ordinary;
    let criticals: u64 = (quiet.classes.iter().chain(&quiet.cases))
        .chain([&quiet.elsewhere])
        .filter(|row| !row.is_right)
        .map(|row| row.from(Severity::Critical))
        .sum();
    let mut gates = vec![
        Gate {
            name: format!(
                "false findings of medium and graver on ordinary days, at most {most} per 1,000 token-days"
            ),
            verdict: passes(row.medium_rate <= most),
            figure: format!(
                "{} on {} token-days: {:.3} ({:.3} to {:.3})",
                row.from(Severity::Medium),
                row.token_days,
                row.medium_rate,
                row.medium_interval.0,
                row.medium_interval.1
            ),
        },
        Gate {
            name: "false critical findings: none".to_owned(),
            verdict: passes(criticals == 0),
            figure: criticals.to_string(),
        },
    ];
    gates.extend(quiet.common.iter().map(|common| Gate {
        name: format!("{}: one fleet finding, no token pages", common.name),
        verdict: passes(common.fleet_findings == 1 && common.token_pages == 0),
        figure: format!(
            "{} fleet findings, {} token pages, {} token findings",
            common.fleet_findings, common.token_pages, common.token_findings
        ),
    }));
    gates
}
