//! What was found where nothing was: false findings per 1,000 token-days, by class of habit and by benign case.
//!
//! A token's day counts once: for the benign case that it is part of, else for the token's class. Days of an attack on the
//! token, and two days after it, count for nothing.

use serde::Serialize;
use tokenwatch_model::{Detector, Severity};

use super::interval;
use super::ledger::{Episode, Ledger, Whom};
use crate::simulate::attack::Attack;
use crate::simulate::calendar::{DAY, HOUR, Moment, day_of, start_of};
use crate::simulate::case::{Benign, Case};
use crate::simulate::habit::Class;
use crate::simulate::options::WARMUP_DAYS;
use crate::simulate::world::World;

/// Days after an attack on which its victim is not judged.
const AFTERMATH_DAYS: i32 = 2;
/// What is found this long after a benign case still belongs to it.
const CASE_AFTERMATH: i64 = 6 * HOUR;
/// Findings told in full at most.
const TOLD: usize = 60;

/// False findings.
#[derive(Debug, Serialize)]
pub(crate) struct Quiet {
    /// Ordinary days, by class.
    pub(super) classes: Vec<QuietRow>,
    /// All ordinary days.
    pub(super) ordinary: QuietRow,
    /// Days of benign cases, by case.
    pub(super) cases: Vec<QuietRow>,
    /// Sources, applications, the fleet: findings that no attack and no case explains.
    pub(super) elsewhere: QuietRow,
    /// Of outages and deployments: findings about the fleet or a group, and pages about single tokens.
    pub(super) common: Vec<Common>,
    /// The gravest false findings.
    pub(super) told: Vec<Told>,
}

/// Token-days and what was found on them.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct QuietRow {
    pub(super) name: String,
    /// Findings are right here, and are only told apart.
    pub(super) is_right: bool,
    pub(super) token_days: u64,
    /// By severity, from info to critical.
    pub(super) findings: [u64; Severity::ALL.len()],
    /// Medium and graver, per 1,000 token-days, with its 95 % interval.
    pub(super) medium_rate: f64,
    pub(super) medium_interval: (f64, f64),
    /// All severities, per 1,000 token-days.
    pub(super) rate: f64,
}

/// A case that is everybody's: one finding about all, none about single tokens, is right.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Common {
    pub(super) name: String,
    pub(super) fleet_findings: usize,
    pub(super) token_pages: usize,
    pub(super) token_findings: usize,
}

/// A false finding.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    pub(super) at: String,
    pub(super) severity: Severity,
    pub(super) detector: &'static str,
    pub(super) row: String,
    pub(super) summary: String,
}

/// Where a token's day counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nowhere: the token is attacked.
    Attacked,
    Case(usize),
    Class(Class),
}

/// Looks up where things count.
struct Places<'w> {
    world: &'w World,
    /// The days of each token on which it is attacked, from and to before.
    attacked: Vec<Option<(i32, i32)>>,
}

impl Quiet {
    pub(super) fn new(world: &World, ledger: &Ledger) -> Self {
        let places = Places::new(world);
        let mut cases: Vec<QuietRow> = (world.cases.iter())
            .map(|case| QuietRow {
                is_right: case.benign.is_reported_apart(),
                ..QuietRow::named(&name(case))
            })
            .collect();
        let mut classes = Class::ALL.map(|(class, _)| QuietRow::named(class.name()));
        let mut elsewhere = QuietRow::named("sources, consumers, fleet");
        let class_index = |wanted| Class::ALL.iter().position(|(class, _)| *class == wanted);
        for (token, day) in places.token_days() {
            elsewhere.token_days += 1;
            match places.of(token, start_of(day) + DAY / 2, day) {
                Place::Attacked => {}
                Place::Case(case) => cases[case].token_days += 1,
                Place::Class(class) => classes[class_index(class).unwrap_or(0)].token_days += 1,
            }
        }
        let mut told = Vec::new();
        for episode in &ledger.episodes {
            let day = day_of(episode.at);
            if day < WARMUP_DAYS || day >= world.options.days {
                continue;
            }
            let row = match &episode.whom {
                Whom::Token(token) => match places.of(*token, episode.at, day) {
                    Place::Attacked => continue,
                    Place::Case(case) => &mut cases[case],
                    Place::Class(class) => &mut classes[class_index(class).unwrap_or(0)],
                },
                _ if places.is_explained(episode) => continue,
                _ => &mut elsewhere,
            };
            row.findings[episode.severity as usize] += 1;
            if !row.is_right {
                told.push((episode, row.name.clone()));
            }
        }
        let mut ordinary = QuietRow::named("all ordinary");
        for row in &classes {
            ordinary.add(row);
        }
        Self {
            classes: classes
                .into_iter()
                .map(QuietRow::rated)
                .filter(|row| row.token_days > 0)
                .collect(),
            ordinary: ordinary.rated(),
            cases: merged(cases).into_iter().map(QuietRow::rated).collect(),
            elsewhere: elsewhere.rated(),
            common: common(world, ledger, &places),
            told: tell(told),
        }
    }
}

impl<'w> Places<'w> {
    fn new(world: &'w World) -> Self {
        let mut attacked = vec![None; world.members.len()];
        for (planned, run) in world.attacks.iter().zip(&world.runs) {
            let start = match planned.attack {
                Attack::Poisoning { .. } => 0,
                _ => day_of(planned.from),
            };
            let end = run.as_ref().map_or(start, |run| day_of(run.end));
            for token in planned.victim.iter().chain(&planned.valid) {
                attacked[*token as usize] = Some((start, end + 1 + AFTERMATH_DAYS));
            }
        }
        Self { world, attacked }
    }

    /// Every token's every scored day on which it was in use.
    fn token_days(&self) -> impl Iterator<Item = (u32, i32)> {
        let days = self.world.options.days;
        self.world.members.iter().flat_map(move |member| {
            (WARMUP_DAYS..days)
                .filter(|day| member.born < start_of(day + 1) && member.ends > start_of(*day))
                .filter(|day| member.is_used_at(start_of(*day)) || member.gap.is_none())
                .map(|day| (member.index, day))
        })
    }

    fn of(&self, token: u32, at: Moment, day: i32) -> Place {
        if let Some((from, to)) = self.attacked[token as usize]
            && (from..to).contains(&day)
        {
            return Place::Attacked;
        }
        let is_on_day = |case: &Case| {
            case.members.contains(token)
                && day_of(case.from) <= day
                && day_of(case.until + CASE_AFTERMATH) >= day
        };
        // The case that goes on at that very time, else any of that day; what goes on for days comes last.
        let of_day = (0..)
            .zip(&self.world.cases)
            .filter(|(_, case)| is_on_day(case));
        let best = of_day.min_by_key(|(_, case)| {
            let going_on = (case.from..case.until + CASE_AFTERMATH).contains(&at);
            (!going_on, case.until - case.from)
        });
        match best {
            Some((index, _)) => Place::Case(index),
            None => Place::Class(self.world.members[token as usize].class),
        }
    }

    /// Whether a finding about no single token is explained by an attack or a case.
    fn is_explained(&self, episode: &Episode) -> bool {
        let during = |from: Moment, until: Moment| (from..until + HOUR).contains(&episode.at);
        let in_case = self.world.cases.iter().any(|case| {
            let is_short = case.until - case.from <= 3 * DAY;
            is_short && during(case.from, case.until)
        });
        let in_attack = (self.world.attacks.iter().zip(&self.world.runs)).any(|(planned, run)| {
            let is_meant = match (&episode.whom, planned.victim) {
                (Whom::Consumer(name), Some(victim)) => {
                    self.world.members[victim as usize].consumer == *name
                }
                // A source may be found out by what it does to one token.
                (Whom::Source(_), _) | (Whom::Stranger | Whom::Fleet, None) => true,
                _ => false,
            };
            is_meant && run.as_ref().is_some_and(|run| during(run.start, run.end))
        });
        in_case || in_attack
    }
}

impl QuietRow {
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    fn add(&mut self, other: &Self) {
        self.token_days += other.token_days;
        for (count, more) in self.findings.iter_mut().zip(other.findings) {
            *count += more;
        }
    }

    /// Findings of this severity and graver.
    pub(super) fn from(&self, severity: Severity) -> u64 {
        self.findings[severity as usize..].iter().sum()
    }

    fn rated(mut self) -> Self {
        let thousands = (self.token_days as f64 / 1_000.0).max(1e-9);
        let medium = self.from(Severity::Medium);
        let (low, high) = interval::poisson(medium);
        self.rate = self.findings.iter().sum::<u64>() as f64 / thousands;
        self.medium_rate = medium as f64 / thousands;
        self.medium_interval = (low / thousands, high / thousands);
        if self.token_days == 0 {
            (self.rate, self.medium_rate, self.medium_interval) = (0.0, 0.0, (0.0, 0.0));
        }
        self
    }
}

fn name(case: &Case) -> String {
    format!("{} {}", case.benign.id(), case.benign.name())
}

/// Cases of one name, as one.
fn merged(rows: Vec<QuietRow>) -> Vec<QuietRow> {
    let mut all: Vec<QuietRow> = Vec::new();
    for row in rows {
        match all.iter_mut().find(|known| known.name == row.name) {
            Some(known) => known.add(&row),
            None => all.push(row),
        }
    }
    all.sort_by_key(|row| {
        let digits: String = row.name[1..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse::<u32>().unwrap_or(0)
    });
    all
}

/// What was said during outages and deployments.
fn common(world: &World, ledger: &Ledger, places: &Places<'_>) -> Vec<Common> {
    let shared = world.cases.iter().filter(|case| {
        matches!(
            case.benign,
            Benign::Outage { .. } | Benign::Deploy | Benign::RetryStorm
        )
    });
    shared
        .map(|case| {
            let during = case.from..case.until + CASE_AFTERMATH;
            let said: Vec<&Episode> = (ledger.episodes.iter())
                .filter(|episode| during.contains(&episode.at))
                .collect();
            let of_tokens = |least: Severity| {
                let is_meant = |episode: &&&Episode| match episode.whom {
                    Whom::Token(token) => {
                        episode.severity >= least
                            && places.of(token, episode.at, day_of(episode.at)) != Place::Attacked
                            && case.members.contains(token)
                    }
                    _ => false,
                };
                said.iter().filter(is_meant).count()
            };
            Common {
                name: name(case),
                fleet_findings: (said.iter())
                    .filter(|episode| episode.detector == Detector::FleetFailure)
                    .count(),
                token_pages: of_tokens(Severity::High),
                token_findings: of_tokens(Severity::Info),
            }
        })
        .collect()
}

/// The gravest, each in full.
fn tell(mut found: Vec<(&Episode, String)>) -> Vec<Told> {
    found.sort_by_key(|(episode, _)| (std::cmp::Reverse(episode.severity), episode.at));
    found
        .into_iter()
        .take(TOLD)
        .map(|(episode, row)| Told {
            at: crate::simulate::calendar::timestamp(episode.at).to_string(),
            severity: episode.severity,
            detector: episode.detector.name(),
            row,
            summary: episode.summary.clone(),
        })
        .collect()
}
