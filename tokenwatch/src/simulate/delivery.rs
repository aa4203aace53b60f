//! How log lines come: mostly in order, and on one day not. B7 of the catalogue.

use super::calendar::{DAY, HOUR, MINUTE, Moment, SECOND, start_of};
use super::call::Call;
use super::case::{Benign, Case};
use super::dice::{Dice, Purpose};

/// Nodes whose clocks go wrong.
const SKEWED_NODE: u8 = 2;
const LOST_NODE: u8 = 3;
/// Shares of lines that come late, and twice.
const LATE: f64 = 0.05;
const TWICE: f64 = 0.002;

/// What is on its way.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    seed: u64,
    /// The days on which it goes wrong.
    bad: Option<(Moment, Moment)>,
    waiting: Vec<Call>,
}

impl Delivery {
    pub(super) fn new(seed: u64, cases: &[Case]) -> Self {
        let bad = cases.iter().find(|case| case.benign == Benign::Delivery);
        Self {
            seed,
            bad: bad.map(|case| (case.from, case.until)),
            waiting: Vec::new(),
        }
    }

    /// The calls of a day, and those of the day before that come today, in the order in which they come.
    pub(super) fn deliver(&mut self, day: i32, mut calls: Vec<Call>) -> Vec<Call> {
        calls.sort_by_key(|call| (call.at, call.holder, call.request));
        if let Some((from, until)) = self.bad
            && start_of(day) < until
            && start_of(day + 1) > from
        {
            let mut dice = Dice::new(self.seed, Purpose::Delivery, [day.unsigned_abs().into(), 0]);
            let mut twice = Vec::new();
            for call in &mut calls {
                disturb(call, from, &mut dice);
                if dice.chance(TWICE) {
                    let mut copy = call.clone();
                    copy.arrives += dice.whole(0, MINUTE);
                    twice.push(copy);
                }
            }
            calls.extend(twice);
        }
        calls.append(&mut self.waiting);
        calls.sort_by_key(|call| (call.arrives, call.at, call.holder, call.request));
        let today = calls.partition_point(|call| call.arrives < start_of(day + 1));
        self.waiting = calls.split_off(today);
        calls
    }
}

/// Sets a call's clock wrong, or lets it come late.
fn disturb(call: &mut Call, from: Moment, dice: &mut Dice) {
    let into_day = call.at - from;
    if dice.chance(LATE) {
        call.arrives += dice.whole(30 * SECOND, 120 * SECOND);
    }
    if call.node == SKEWED_NODE && (6 * HOUR..12 * HOUR).contains(&into_day) {
        call.at += 10 * MINUTE;
    } else if call.node == SKEWED_NODE && (14 * HOUR..20 * HOUR).contains(&into_day) {
        call.at -= 10 * MINUTE;
    } else if call.node == LOST_NODE && (9 * HOUR..9 * HOUR + 10 * MINUTE).contains(&into_day) {
        call.at += DAY;
    }
}
