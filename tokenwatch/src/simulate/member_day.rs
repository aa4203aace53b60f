//! One token's day: its habit, what benign cases make of it, and an attack.

use std::collections::VecDeque;

use super::attack::{Attack, Run, Scene, Slow, act, add_slow};
use super::calendar::{DAY, MINUTE, Moment, day_of, start_of};
use super::call::{Call, Cause};
use super::case::{self, Case};
use super::dice::{Dice, Purpose};
use super::member::Member;
use super::plan::Planned;

/// Days of which a token's largest windows are compared with an attack.
const COMPARED_DAYS: usize = 14;
/// Calls of the owner this close to an attack are counted.
const NEAR: i64 = 10 * MINUTE;

/// What a token takes over from one day to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct MemberState {
    /// The attack on it.
    pub(super) attack: Option<u16>,
    /// What that turned out to be.
    pub(super) run: Option<Run>,
    /// Calls of days to come.
    pending: Vec<Call>,
    /// The largest window of each of the last days, at the scale of the attack.
    peaks: VecDeque<u64>,
    /// When an exfiltration began.
    from: Option<Moment>,
    /// The largest windows of the days of an attack that goes on for days.
    peak: u64,
}

/// The calls of `member` on `day`, in any order.
pub(super) fn draw_day(
    seed: u64,
    day: i32,
    member: &Member,
    attacks: &[Planned],
    cases: &[Case],
    state: &mut MemberState,
) -> Vec<Call> {
    let mut calls = own_calls(seed, day, member, cases);
    let end = start_of(day + 1);
    let (mut due, later): (Vec<Call>, Vec<Call>) = std::mem::take(&mut state.pending)
        .into_iter()
        .chain(calls.drain(..))
        .partition(|call| call.at < end);
    state.pending = later;
    due.sort_by_key(|call| (call.at, call.request));
    let Some(index) = state.attack else {
        return due;
    };
    let planned = &attacks[usize::from(index)];
    let mut dice = Dice::new(
        seed,
        Purpose::Attack,
        [index.into(), day.unsigned_abs().into()],
    );
    attack_day(day, member, (index, planned), &mut due, state, &mut dice);
    due
}

/// What the owner does, with benign cases; some of it may lie on the next day.
fn own_calls(seed: u64, day: i32, member: &Member, cases: &[Case]) -> Vec<Call> {
    let mut dice = Dice::new(seed, Purpose::Habit, [member.index.into(), day_key(day)]);
    let (start, end) = (start_of(day), start_of(day + 1));
    if member.born >= end || member.ends <= start || !was_there(member, day) {
        return Vec::new();
    }
    let mut moments = Vec::new();
    let earlier = case::earlier(cases, member.index, day);
    member.habit.add_day(day, earlier, &mut dice, &mut moments);
    let mut calls: Vec<Call> = moments
        .into_iter()
        // What would have been yesterday is today, a day later.
        .map(|at| if at < start { at + DAY } else { at })
        .filter(|at| member.is_used_at(*at))
        .map(|at| member.call(at, &mut dice))
        .collect();
    for (index, case) in (0u64..).zip(cases) {
        if case.from < end && case.members.contains(member.index) {
            let parts = [u64::from(member.index) << 16 | index, day_key(day)];
            let mut dice = Dice::new(seed, Purpose::Case, parts);
            case::apply(case, member, day, &mut calls, &mut dice);
        }
    }
    calls.retain(|call| call.at >= member.born && call.at < member.ends);
    calls
}

/// Before the first day only those are simulated who will have been idle since.
fn was_there(member: &Member, day: i32) -> bool {
    day >= 0 || member.gap.is_some()
}

fn day_key(day: i32) -> u64 {
    u64::from(day.cast_unsigned())
}

/// Adds what the attack does on this day and notes what it is compared with.
fn attack_day(
    day: i32,
    member: &Member,
    (index, planned): (u16, &Planned),
    calls: &mut Vec<Call>,
    state: &mut MemberState,
    dice: &mut Dice,
) {
    let attack = planned.attack;
    let first = day_of(planned.from);
    let own_peak = peak(calls, attack);
    if let Attack::Exfiltration { .. } = attack
        && day >= first
        && state.from.is_none()
    {
        let start = calls
            .iter()
            .map(|call| call.at)
            .find(|at| *at >= planned.from);
        state.from = start;
    }
    let slow = Slow {
        attack,
        index,
        day: first,
        from: state.from,
    };
    let own = calls.len();
    add_slow(&slow, day, member, calls, dice);
    let mut added = Vec::new();
    if day == first {
        let scene = Scene {
            member,
            attack: index,
            own: &calls[..own],
            from: planned.from,
            until: planned.until,
        };
        added = act(attack, &scene, dice);
    }
    calls.extend(added.iter().cloned());
    calls.sort_by_key(|call| (call.at, call.request));
    note(day, planned, calls, own_peak, state);
    let end = start_of(day + 1);
    state
        .pending
        .extend(calls.iter().filter(|call| call.at >= end).cloned());
    calls.retain(|call| call.at < end);
}

/// Notes the attack's calls of this day, and how large its peak is.
fn note(day: i32, planned: &Planned, calls: &[Call], own_peak: u64, state: &mut MemberState) {
    let is_poison =
        matches!(planned.attack, Attack::Poisoning { .. }) && day < day_of(planned.from);
    let times: Vec<Moment> = calls
        .iter()
        .filter(|call| call.attack().is_some() && !is_poison)
        // Those of an evening that go on after midnight were noted then.
        .filter(|call| state.run.as_ref().is_none_or(|run| call.at > run.end))
        .map(|call| call.at)
        .collect();
    let (Some(start), Some(end)) = (times.first().copied(), times.last().copied()) else {
        state.peaks.push_back(own_peak);
        if state.peaks.len() > COMPARED_DAYS {
            state.peaks.pop_front();
        }
        return;
    };
    let near = start - NEAR..=end + NEAR;
    let owner = calls
        .iter()
        .filter(|call| !matches!(call.cause, Cause::Attack(_)) && near.contains(&call.at))
        .count();
    state.peak = state.peak.max(peak(calls, planned.attack));
    let habit = state.peaks.iter().copied().max().unwrap_or(0);
    let ratio = (habit > 0).then(|| state.peak as f64 / habit as f64);
    let run = state.run.get_or_insert_with(|| Run {
        start,
        ..Run::default()
    });
    run.end = end;
    run.calls.extend(times);
    run.owner_calls += owner;
    run.ratio = ratio;
}

/// The largest window of sorted calls, at the scale of the attack: in calls, or in bytes.
fn peak(calls: &[Call], attack: Attack) -> u64 {
    let weight = |call: &Call| {
        if attack.is_about_bytes() {
            u64::from(call.bytes_out)
        } else {
            1
        }
    };
    let mut first = 0;
    let mut sum = 0;
    let mut largest = 0;
    for call in calls {
        sum += weight(call);
        while call.at - calls[first].at >= attack.scale() {
            sum -= weight(&calls[first]);
            first += 1;
        }
        largest = largest.max(sum);
    }
    largest
}
