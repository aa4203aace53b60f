//! What a benign case makes of a token's day.

use std::net::Ipv4Addr;

use super::{Benign, Case};
use crate::simulate::api::{ADMIN, NEW_ROUTE, NO_ROUTE, ROUTES, RouteId};
use crate::simulate::calendar::{DAY, HOUR, MINUTE, Moment, SECOND, day_of, start_of};
use crate::simulate::call::{Call, Manner};
use crate::simulate::clients::{Agent, NEXT_VERSION};
use crate::simulate::dice::{Dice, hash};
use crate::simulate::habit::Habit;
use crate::simulate::member::Member;
use crate::simulate::networks::{address, networks};

/// Of an outage: how long it lasts, how many calls fail, how many times as many come afterwards and how long.
const OUTAGE: i64 = 10 * MINUTE;
const OUTAGE_FAILING: f64 = 0.6;
const STAMPEDE: usize = 6;
const STAMPEDE_END: i64 = 15 * MINUTE;
/// Pause between the tries of a client whose credential has expired.
const EXPIRED_PAUSE: i64 = 45 * SECOND;
/// The network that testers rent servers in.
const TESTER_ASN: u32 = 63_949;
/// What a tester uses.
const TESTER: Agent = Agent {
    family: 11,
    version: 1,
};

/// How much earlier by UTC a token does everything on a day, for the clock of its country.
pub(in super::super) fn earlier(cases: &[Case], token: u32, day: i32) -> i64 {
    cases
        .iter()
        .filter(|case| case.from <= start_of(day) && case.members.contains(token))
        .map(|case| match case.benign {
            Benign::ClockChange { earlier } => earlier,
            _ => 0,
        })
        .sum()
}

/// Changes a token's calls of a day.
pub(in super::super) fn apply(
    case: &Case,
    member: &Member,
    day: i32,
    calls: &mut Vec<Call>,
    dice: &mut Dice,
) {
    let own = hash([member.index.into(), case.from.unsigned_abs(), 0, 0]);
    let during = |at: Moment| (case.from..case.until).contains(&at);
    match &case.benign {
        Benign::Deploy => deploy(case, member, day, calls, dice),
        Benign::LevelShift => {
            multiply(
                1,
                10 * MINUTE,
                |call| call.at >= case.from,
                member,
                calls,
                dice,
            );
        }
        Benign::MonthEnd => {
            if let Habit::Batch { at, length, .. } = member.habit {
                let from = start_of(day) + at;
                let in_batch =
                    |call: &Call| during(call.at) && (from..from + length).contains(&call.at);
                multiply(19, 5 * MINUTE, in_batch, member, calls, dice);
            }
        }
        Benign::Outage { status } => outage(*status, case.from, member, calls, dice),
        Benign::RetryStorm => {
            let retries = (own % 6) as usize;
            multiply(
                retries,
                30 * SECOND,
                |call| during(call.at),
                member,
                calls,
                dice,
            );
            for call in calls.iter_mut().filter(|call| during(call.at)) {
                if dice.chance(0.8) {
                    call.status = 503;
                }
            }
        }
        Benign::VpnEgress { .. } | Benign::Migration { .. } | Benign::Upgrade => {
            relocate(case, own, calls, dice);
        }
        Benign::Pentest { .. } => pentest(case, member, day, calls, dice),
        Benign::Expired => expire(case, member, day, calls, dice),
        // Six tokens of ten use it.
        Benign::NewRoute if own % 10 < 6 => use_new_route(case.from, member, calls, dice),
        // The others are of the token itself, of the lines on their way, of the clock.
        Benign::NewRoute | Benign::Roaming | Benign::Delivery | Benign::ClockChange { .. } => {}
    }
}

/// Changes where calls come from, or with what, from the case's start on; `own` is the token's own number.
fn relocate(case: &Case, own: u64, calls: &mut [Call], dice: &mut Dice) {
    let upgrade = case.from + (own % (3 * DAY) as u64) as i64;
    for call in calls.iter_mut().filter(|call| call.at >= case.from) {
        match case.benign {
            Benign::VpnEgress { network } => call.address = address(network, own % 4),
            Benign::Migration { network } => {
                let passed = (call.at - case.from) as f64 / HOUR as f64;
                if dice.chance(passed) {
                    call.address = address(network, own % 900 + dice.below(3) as u64);
                }
            }
            _ if call.at >= upgrade => call.agent.version = NEXT_VERSION,
            _ => {}
        }
    }
}

fn use_new_route(from: Moment, member: &Member, calls: &mut [Call], dice: &mut Dice) {
    for call in calls.iter_mut().filter(|call| call.at >= from) {
        if call.status < 300 && dice.chance(0.3) {
            let object = dice.whole(1, 2_000_000) as u64;
            let manner = member.manner(call.address);
            *call = Call::new(manner, call.at, (NEW_ROUTE, object), 200, dice);
        }
    }
}

/// Adds `copies` calls for each that `is_meant`, within `spread` after it.
fn multiply(
    copies: usize,
    spread: i64,
    is_meant: impl Fn(&Call) -> bool,
    member: &Member,
    calls: &mut Vec<Call>,
    dice: &mut Dice,
) {
    let moments: Vec<Moment> = calls
        .iter()
        .filter(|call| is_meant(call))
        .map(|call| call.at)
        .collect();
    for at in moments {
        for _ in 0..copies {
            calls.push(member.call(at + dice.whole(0, spread), dice));
        }
    }
}

/// Four calls more for each, and a few with which every client of the group begins anew.
fn deploy(case: &Case, member: &Member, day: i32, calls: &mut Vec<Call>, dice: &mut Dice) {
    let during = |call: &Call| (case.from..case.until).contains(&call.at);
    multiply(4, MINUTE, during, member, calls, dice);
    if day_of(case.from) == day {
        for _ in 0..dice.poisson(6.0) {
            calls.push(member.call(case.from + dice.whole(0, 3 * MINUTE), dice));
        }
    }
}

fn outage(status: u16, from: Moment, member: &Member, calls: &mut Vec<Call>, dice: &mut Dice) {
    for call in calls.iter_mut() {
        if (from..from + OUTAGE).contains(&call.at) && dice.chance(OUTAGE_FAILING) {
            call.status = status;
            call.bytes_out = 160;
        }
    }
    let in_stampede = |call: &Call| (from + OUTAGE..from + STAMPEDE_END).contains(&call.at);
    multiply(STAMPEDE - 1, MINUTE, in_stampede, member, calls, dice);
}

/// Where the testers of a case sit.
pub(in super::super) fn tester(case: &Case) -> Ipv4Addr {
    let rented = networks(|network| network.asn == TESTER_ASN);
    let chosen = case.from.unsigned_abs() as usize % rented.len();
    address(rented[chosen], 77)
}

/// Two hours of probing with the token, at thirty calls a minute.
fn pentest(case: &Case, member: &Member, day: i32, calls: &mut Vec<Call>, dice: &mut Dice) {
    if day_of(case.from) != day {
        return;
    }
    let manner = Manner {
        agent: TESTER,
        ..member.manner(tester(case))
    };
    for number in 0..3_600 {
        let at = case.from + number * 2 * SECOND;
        let object = dice.whole(1, 900_000) as u64;
        let (route, status) = match dice.below(4) {
            0 => (
                ADMIN + dice.below(ROUTES.len() - usize::from(ADMIN)) as RouteId,
                403,
            ),
            1 => (1, 200),
            _ => (NO_ROUTE, 404),
        };
        calls.push(Call::new(manner, at, (route, object), status, dice));
    }
}

/// Every call is refused, and the client tries again in between.
fn expire(case: &Case, member: &Member, day: i32, calls: &mut Vec<Call>, dice: &mut Dice) {
    for call in calls
        .iter_mut()
        .filter(|call| (case.from..case.until).contains(&call.at))
    {
        call.status = 401;
        call.bytes_out = 90;
    }
    let begin = start_of(day).max(case.from);
    let end = start_of(day + 1).min(case.until);
    let manner = member.manner(member.home.address(case.from, dice));
    let route = member.routes[0];
    let mut at = begin;
    while at < end {
        calls.push(Call::new(manner, at, (route, 1), 401, dice));
        at += EXPIRED_PAUSE + dice.whole(0, 2 * SECOND);
    }
}
