//! The simulation as a whole, drawn day by day.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use rayon::prelude::*;
use tokenwatch_ingest::TokenKey;

use super::attack::{Attack, Run, stuff};
use super::calendar::{day_of, start_of};
use super::call::Call;
use super::case::Case;
use super::clients;
use super::delivery::Delivery;
use super::dice::{Dice, Purpose};
use super::event::Rendered;
use super::member::Member;
use super::member_day::{MemberState, draw_day};
use super::options::Options;
use super::plan::{self, Planned};
use super::population;

/// Lines that one task writes.
const LINES_AT_ONCE: usize = 1_024;

/// The fleet, what happens to it, and how far the simulation has got.
pub(crate) struct World {
    pub(super) options: Options,
    /// Makes the ids of credentials that nobody gave out.
    pub(super) key: TokenKey,
    pub(super) members: Vec<Member>,
    pub(super) cases: Vec<Case>,
    pub(super) attacks: Vec<Planned>,
    /// User agents, by [`clients::Agent::index`].
    pub(super) agents: Vec<String>,
    /// What attacks turned out to be; complete when the last day is drawn.
    pub(super) runs: Vec<Option<Run>>,
    states: Vec<MemberState>,
    /// Calls of credential stuffings on days to come.
    pending: Vec<Call>,
    delivery: Delivery,
    next_day: i32,
}

impl World {
    /// The simulation that `options` describe, before its first day; ids of tokens are made with `key`.
    pub(crate) fn new(options: Options, key: &TokenKey) -> Self {
        let mut members = population::members(&options, key);
        let cases = plan::cases(&options, &members);
        let attacks = plan::attacks(&options, &mut members, &cases);
        let mut states: Vec<MemberState> = members.iter().map(|_| MemberState::default()).collect();
        for (index, planned) in (0..).zip(&attacks) {
            if let Some(victim) = planned.victim {
                states[victim as usize].attack = Some(index);
            }
        }
        let dormant = members.iter().filter(|member| member.gap.is_some());
        let first = dormant.map(|member| day_of(member.born)).min();
        Self {
            runs: vec![None; attacks.len()],
            agents: clients::texts(),
            delivery: Delivery::new(options.seed, &cases),
            next_day: first.unwrap_or(0).min(0),
            options,
            key: key.clone(),
            members,
            cases,
            attacks,
            states,
            pending: Vec::new(),
        }
    }

    /// The calls of the next day in the order in which their lines arrive; none when the simulation is over.
    pub(crate) fn next_day(&mut self) -> Option<Vec<Call>> {
        let day = self.next_day;
        if day >= self.options.days {
            return None;
        }
        self.next_day += 1;
        let (seed, attacks, cases) = (self.options.seed, &self.attacks, &self.cases);
        let of_members: Vec<Vec<Call>> = self
            .members
            .par_iter()
            .zip(&mut self.states)
            .map(|(member, state)| draw_day(seed, day, member, attacks, cases, state))
            .collect();
        let mut calls: Vec<Call> = of_members.into_iter().flatten().collect();
        self.add_stuffings(day, &mut calls);
        if self.next_day == self.options.days {
            self.collect_runs();
        }
        Some(self.delivery.deliver(day, calls))
    }

    /// How many days are drawn; negative before the first, while tokens are in use that will lie idle.
    pub(crate) fn days_drawn(&self) -> i32 {
        self.next_day
    }

    /// The log lines of `calls`, in their order, without line breaks.
    pub(crate) fn lines(&self, calls: &[Call]) -> Vec<String> {
        calls
            .par_chunks(LINES_AT_ONCE)
            .flat_map_iter(|calls| {
                let mut rendered = Rendered::default();
                rendered.fill(self, calls);
                let line = |(index, call)| {
                    let logged = rendered.logged(self, index, call, true);
                    logged.line(self.options.format)
                };
                calls.iter().enumerate().map(line).collect::<Vec<_>>()
            })
            .collect()
    }

    fn add_stuffings(&mut self, day: i32, calls: &mut Vec<Call>) {
        for (index, planned) in (0u16..).zip(&self.attacks) {
            let Attack::Stuffing { .. } = planned.attack else {
                continue;
            };
            if day_of(planned.from) != day {
                continue;
            }
            let mut dice = Dice::new(self.options.seed, Purpose::Attack, [u64::from(index), 1]);
            let attempts = stuff(
                planned.attack,
                index,
                planned.from,
                &planned.valid,
                &mut dice,
            );
            let mut times: Vec<_> = attempts.iter().map(|call| call.at).collect();
            times.sort_unstable();
            let sources: BTreeSet<Ipv4Addr> = attempts.iter().map(|call| call.address).collect();
            self.runs[usize::from(index)] =
                times.first().zip(times.last()).map(|(start, end)| Run {
                    start: *start,
                    end: *end,
                    calls: times.clone(),
                    sources: sources.into_iter().collect(),
                    ..Run::default()
                });
            self.pending.extend(attempts);
        }
        let end = start_of(day + 1);
        let (due, later) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|call| call.at < end);
        self.pending = later;
        calls.extend::<Vec<Call>>(due);
    }

    fn collect_runs(&mut self) {
        for state in &mut self.states {
            if let (Some(attack), Some(run)) = (state.attack, state.run.take()) {
                self.runs[usize::from(attack)] = Some(run);
            }
        }
    }
}
