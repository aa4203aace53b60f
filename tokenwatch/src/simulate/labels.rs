//! What really happened, as NDJSON: one line per attack and per benign case.

use std::io::{self, Write};

use serde::Serialize;
use tokenwatch_model::{Timestamp, TokenId};

use super::attack::Run;
use super::calendar::timestamp;
use super::case::{Case, Members};
use super::plan::Planned;
use super::world::World;

/// Tokens named by a benign case that is about everybody: none, because all are meant.
const EVERYBODY: &[TokenId] = &[];
/// Of these calls of an attack, counted from 1, the times are told.
const TOLD_CALLS: [usize; 3] = [1, 5, 20];

#[derive(Serialize)]
#[serde(tag = "label", rename_all = "snake_case")]
enum Label<'w> {
    Attack(AttackLabel<'w>),
    Benign(BenignLabel),
}

#[derive(Serialize)]
struct AttackLabel<'w> {
    id: String,
    kind: &'static str,
    name: &'static str,
    strength: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenId>,
    /// Tokens of the fleet on the list of a credential stuffing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<TokenId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    age: &'static str,
    start: Timestamp,
    end: Timestamp,
    calls: usize,
    /// Calls of the owner between ten minutes before the start and ten minutes after the end.
    owner_calls: usize,
    /// When the 1st, the 5th and the 20th call were made.
    call_times: Vec<Timestamp>,
    /// The attack's peak over the token's own in the 14 days before.
    #[serde(skip_serializing_if = "Option::is_none")]
    habit_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<std::net::Ipv4Addr>,
}

#[derive(Serialize)]
struct BenignLabel {
    id: String,
    kind: &'static str,
    name: &'static str,
    start: Timestamp,
    end: Timestamp,
    everybody: bool,
    tokens: Vec<TokenId>,
}

/// Writes the labels of a simulation that is over.
pub(crate) fn write(world: &World, out: &mut dyn Write) -> io::Result<()> {
    let attacks = world.attacks.iter().zip(&world.runs).enumerate();
    let attacks = attacks.filter_map(|(index, (planned, run))| {
        let run = run.as_ref()?;
        Some(Label::Attack(attack(world, index, planned, run)))
    });
    let cases = world.cases.iter().enumerate();
    let cases = cases.map(|(index, case)| Label::Benign(benign(world, index, case)));
    for label in attacks.chain(cases) {
        serde_json::to_writer(&mut *out, &label).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn attack<'w>(world: &'w World, index: usize, planned: &Planned, run: &Run) -> AttackLabel<'w> {
    let victim = planned.victim.map(|victim| &world.members[victim as usize]);
    let told = TOLD_CALLS.iter().filter_map(|nth| run.calls.get(nth - 1));
    AttackLabel {
        id: format!("attack-{index}"),
        kind: planned.attack.id(),
        name: planned.attack.name(),
        strength: planned.attack.strength(),
        token: victim.map(|member| member.id),
        tokens: planned
            .valid
            .iter()
            .map(|token| world.members[*token as usize].id)
            .collect(),
        consumer: victim.map(|member| member.consumer.as_str()),
        class: victim.map(|member| member.class.name()),
        age: planned.age.name(),
        start: timestamp(run.start),
        end: timestamp(run.end),
        calls: run.calls.len(),
        owner_calls: run.owner_calls,
        call_times: told.map(|at| timestamp(*at)).collect(),
        habit_ratio: run.ratio,
        sources: run.sources.clone(),
    }
}

fn benign(world: &World, index: usize, case: &Case) -> BenignLabel {
    let tokens = match &case.members {
        Members::All => EVERYBODY.to_vec(),
        Members::Some(tokens) => tokens
            .iter()
            .map(|token| world.members[*token as usize].id)
            .collect(),
    };
    BenignLabel {
        id: format!("case-{index}"),
        kind: case.benign.id(),
        name: case.benign.name(),
        start: timestamp(case.from),
        end: timestamp(case.until),
        everybody: matches!(case.members, Members::All),
        tokens,
    }
}
