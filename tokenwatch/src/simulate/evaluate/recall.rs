//! What was found of the attacks: how many, how soon, and how much of it would have been said without them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use tokenwatch_model::{Severity, Timestamp, TokenId};

use super::fitting;
use super::ledger::Ledger;
use crate::simulate::attack::{Attack, Run};
use crate::simulate::calendar::{MINUTE, Moment, SECOND, timestamp};
use crate::simulate::plan::{Age, Planned};
use crate::simulate::world::World;

/// What is said this long after an attack's last call still counts.
const GRACE: i64 = 10 * MINUTE;
/// Bins of the attack-to-habit ratio, by their lower limits.
const RATIOS: [(f64, &str); 4] = [
    (6.0, "6 and more"),
    (3.0, "3 to 6"),
    (1.5, "1.5 to 3"),
    (0.0, "below 1.5"),
];

/// All attacks, and groups of them.
#[derive(Debug, Serialize)]
pub(crate) struct Recall {
    /// By attack and strength.
    pub(super) by_strength: Vec<Row>,
    /// Of volume attacks, by their ratio to the token's own peak.
    pub(super) by_ratio: Vec<Row>,
    /// Of thefts, by whether the owner goes on.
    pub(super) by_owner: Vec<Row>,
    /// By class of habit.
    pub(super) by_class: Vec<Row>,
    /// By age of the token.
    pub(super) by_age: Vec<Row>,
    /// Those without a finding.
    pub(super) missed: Vec<Missed>,
    /// Every attack.
    #[serde(skip)]
    pub(super) outcomes: Vec<Outcome>,
}

/// An attack without a finding.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Missed {
    attack: &'static str,
    strength: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenId>,
    class: &'static str,
    age: &'static str,
    start: Timestamp,
    calls: usize,
    owner_calls: usize,
    /// The attack's peak over the token's own in the 14 days before.
    #[serde(skip_serializing_if = "Option::is_none")]
    habit_ratio: Option<f64>,
    /// There was a signal, at least.
    signal: bool,
}

/// What was found of one attack.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) attack: Attack,
    pub(super) run: Run,
    /// The first word of any detector that fits.
    pub(super) signal: Option<Moment>,
    /// The first finding.
    pub(super) finding: Option<Moment>,
    /// The first finding of medium or higher.
    pub(super) medium: Option<Moment>,
    /// Findings of fitting detectors.
    pub(super) findings: usize,
    /// The same in the traffic without attacks.
    placebo: [bool; 3],
    token: Option<TokenId>,
    class: &'static str,
    age: Age,
}

/// A group of attacks.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Row {
    pub(super) attack: String,
    pub(super) group: String,
    pub(super) count: usize,
    pub(super) signal: usize,
    pub(super) finding: usize,
    pub(super) medium: usize,
    pub(super) placebo_signal: usize,
    pub(super) placebo_finding: usize,
    pub(super) placebo_medium: usize,
    /// Findings per attack that was found.
    pub(super) findings_per_episode: Option<f64>,
    /// Of those with a finding: seconds and calls until it.
    pub(super) secs_median: Option<f64>,
    pub(super) secs_p95: Option<f64>,
    pub(super) calls_median: Option<usize>,
    pub(super) calls_p95: Option<usize>,
}

impl Recall {
    pub(super) fn new(world: &World, with: &Ledger, without: &Ledger) -> Self {
        let outcomes: Vec<Outcome> = world
            .attacks
            .iter()
            .zip(&world.runs)
            .filter_map(|(planned, run)| {
                let run = run.clone()?;
                Some(Outcome::new(world, planned, run, with, without))
            })
            .collect();
        let named = |outcome: &Outcome| {
            let attack = outcome.attack;
            format!("{} {}", attack.id(), attack.name())
        };
        let is_volume = |attack| matches!(attack, Attack::Spike { .. } | Attack::Poisoning { .. });
        Self {
            by_strength: rows(&outcomes, |outcome| {
                Some((named(outcome), outcome.attack.group()))
            }),
            by_ratio: rows(&outcomes, |outcome| {
                let bin = ratio_bin(outcome.run.ratio);
                is_volume(outcome.attack)
                    .then(|| ("A1, A10 by ratio to peak".to_owned(), bin.to_owned()))
            }),
            by_owner: rows(&outcomes, |outcome| {
                let owner = if outcome.has_owner() {
                    "owner goes on"
                } else {
                    "owner silent"
                };
                matches!(outcome.attack, Attack::Theft { .. })
                    .then(|| ("A2 by owner".to_owned(), owner.to_owned()))
            }),
            missed: outcomes
                .iter()
                .filter(|outcome| outcome.finding.is_none())
                .map(Outcome::missed)
                .collect(),
            by_class: rows(&outcomes, |outcome| {
                Some(("all by class".to_owned(), outcome.class.to_owned()))
            }),
            by_age: rows(&outcomes, |outcome| {
                Some(("all by age".to_owned(), outcome.age.name().to_owned()))
            }),
            outcomes,
        }
    }

    /// The attacks that `is_meant` takes.
    pub(super) fn of(&self, is_meant: impl Fn(&Outcome) -> bool) -> Vec<&Outcome> {
        self.outcomes
            .iter()
            .filter(|outcome| is_meant(outcome))
            .collect()
    }
}

impl Outcome {
    fn new(world: &World, planned: &Planned, run: Run, with: &Ledger, without: &Ledger) -> Self {
        let heard = Heard::new(world, planned, &run, with);
        let placebo = Heard::new(world, planned, &run, without);
        let victim = planned.victim.map(|victim| &world.members[victim as usize]);
        Self {
            attack: planned.attack,
            signal: heard.signal,
            finding: heard.finding,
            medium: heard.medium,
            findings: heard.findings,
            placebo: [placebo.signal, placebo.finding, placebo.medium].map(|at| at.is_some()),
            token: victim.map(|member| member.id),
            class: victim.map_or("-", |member| member.class.name()),
            age: planned.age,
            run,
        }
    }

    fn missed(&self) -> Missed {
        Missed {
            attack: self.attack.id(),
            strength: self.attack.strength(),
            token: self.token,
            class: self.class,
            age: self.age.name(),
            start: timestamp(self.run.start),
            calls: self.run.calls.len(),
            owner_calls: self.run.owner_calls,
            habit_ratio: self.run.ratio,
            signal: self.signal.is_some(),
        }
    }

    /// Whether the owner called while the attack went on.
    pub(super) fn has_owner(&self) -> bool {
        self.run.owner_calls > 0
    }

    /// The age of the token.
    pub(super) fn age(&self) -> Age {
        self.age
    }

    /// How many of its calls it took until `at`.
    pub(super) fn calls_until(&self, at: Moment) -> usize {
        self.run.calls.partition_point(|call| *call <= at)
    }
}

/// What an engine said of an attack, while it went on.
#[derive(Default)]
struct Heard {
    signal: Option<Moment>,
    finding: Option<Moment>,
    medium: Option<Moment>,
    findings: usize,
}

impl Heard {
    fn new(world: &World, planned: &Planned, run: &Run, ledger: &Ledger) -> Self {
        let fitting = fitting::detectors(planned.attack);
        let sources: &[Ipv4Addr] = &run.sources;
        let during = run.start..=run.end + GRACE;
        let is_about = |whom| fitting::is_subject(world, planned, sources, whom);
        let mut heard = Self::default();
        let earlier = |old: Option<Moment>, at: Moment| Some(old.map_or(at, |old| old.min(at)));
        for signal in &ledger.signals {
            if during.contains(&signal.at)
                && fitting.contains(&signal.detector)
                && is_about(&signal.whom)
            {
                heard.signal = earlier(heard.signal, signal.at);
            }
        }
        for episode in &ledger.episodes {
            if !fitting.contains(&episode.detector) || !is_about(&episode.whom) {
                continue;
            }
            // A campaign that goes on the next day is the same finding, told again.
            if let Some(at) = episode.told.iter().find(|at| during.contains(at)) {
                heard.findings += 1;
                heard.finding = earlier(heard.finding, *at);
                heard.signal = earlier(heard.signal, *at);
            }
            if let Some(at) = episode
                .reached(Severity::Medium)
                .filter(|at| during.contains(at))
            {
                heard.medium = earlier(heard.medium, at);
            }
        }
        heard
    }
}

/// The bin of a ratio; without a history there is none.
fn ratio_bin(ratio: Option<f64>) -> &'static str {
    let Some(ratio) = ratio else {
        return "no history";
    };
    RATIOS
        .iter()
        .find(|(from, _)| ratio >= *from)
        .map_or("below 1.5", |(_, name)| name)
}

/// Groups of attacks, in the order of their first.
fn rows(outcomes: &[Outcome], group: impl Fn(&Outcome) -> Option<(String, String)>) -> Vec<Row> {
    let mut order: Vec<(String, String)> = Vec::new();
    let mut groups: BTreeMap<(String, String), Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(key) = group(outcome) {
            if !groups.contains_key(&key) {
                order.push(key.clone());
            }
            groups.entry(key).or_default().push(outcome);
        }
    }
    order.sort_by_key(|(attack, group)| {
        (attack_number(attack), attack.clone(), first_number(group))
    });
    order
        .into_iter()
        .map(|key| {
            let members = &groups[&key];
            Row::new(key, members)
        })
        .collect()
}

/// A10 comes after A9.
fn attack_number(text: &str) -> u32 {
    first_number(text) as u32
}

/// The first number in a text, for an order that people expect.
fn first_number(text: &str) -> u64 {
    let digits: String = text
        .chars()
        .skip_while(|letter| !letter.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

impl Row {
    fn new((attack, group): (String, String), outcomes: &[&Outcome]) -> Self {
        let count = |is_meant: &dyn Fn(&Outcome) -> bool| {
            outcomes.iter().filter(|outcome| is_meant(outcome)).count()
        };
        let found: Vec<(&&Outcome, Moment)> = outcomes
            .iter()
            .filter_map(|outcome| Some((outcome, outcome.finding?)))
            .collect();
        let secs = sorted(
            found
                .iter()
                .map(|(outcome, at)| (at - outcome.run.start) / SECOND),
        );
        let calls = sorted(
            found
                .iter()
                .map(|(outcome, at)| outcome.calls_until(*at) as i64),
        );
        let findings: usize = found.iter().map(|(outcome, _)| outcome.findings).sum();
        Self {
            attack,
            group,
            count: outcomes.len(),
            signal: count(&|outcome| outcome.signal.is_some()),
            finding: found.len(),
            medium: count(&|outcome| outcome.medium.is_some()),
            placebo_signal: count(&|outcome| outcome.placebo[0]),
            placebo_finding: count(&|outcome| outcome.placebo[1]),
            placebo_medium: count(&|outcome| outcome.placebo[2]),
            findings_per_episode: (!found.is_empty()).then(|| findings as f64 / found.len() as f64),
            secs_median: quantile(&secs, 0.5).map(|secs| secs as f64),
            secs_p95: quantile(&secs, 0.95).map(|secs| secs as f64),
            calls_median: quantile(&calls, 0.5).map(|calls| calls as usize),
            calls_p95: quantile(&calls, 0.95).map(|calls| calls as usize),
        }
    }
}

fn sorted(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    values
}

/// The smallest value that at least this share does not exceed.
fn quantile(sorted: &[i64], share: f64) -> Option<i64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}
