//! A7, A9, A10: attacks that change what the owner does, day after day, instead of adding a scene of their own.

use std::ops::Range;

use super::{Attack, Over};
use crate::simulate::calendar::{HOUR, MINUTE, Moment, day_of, start_of};
use crate::simulate::call::{Call, Cause};
use crate::simulate::dice::Dice;
use crate::simulate::member::Member;

/// Days over which a token's habit is poisoned.
pub(in super::super) const POISONING_DAYS: i32 = 20;
const POISONING_PER_DAY: f64 = 1.1;

/// An attack in the course of its days.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Slow {
    pub(in super::super) attack: Attack,
    /// The attack's index, for its calls.
    pub(in super::super) index: u16,
    /// Its first day.
    pub(in super::super) day: i32,
    /// The first moment of an exfiltration, once it has begun: a call of the owner.
    pub(in super::super) from: Option<Moment>,
}

/// Changes the owner's calls of a day, or adds to them.
pub(in super::super) fn add_slow(
    slow: &Slow,
    day: i32,
    member: &Member,
    calls: &mut Vec<Call>,
    dice: &mut Dice,
) {
    match slow.attack {
        Attack::Exfiltration { factor, over } => {
            if let Some(from) = slow.from {
                let until = match over {
                    Over::Hours2 => from + 2 * HOUR,
                    Over::Days3 => start_of(day_of(from) + 3),
                };
                swell(factor, from..until, slow.index, calls);
            }
        }
        Attack::LowAndSlow { percent } => {
            let weeks = f64::from(day - slow.day + 1) / 7.0;
            let growth = (1.0 + f64::from(percent) / 100.0).powf(weeks) - 1.0;
            if (slow.day..slow.day + slow.attack.days()).contains(&day) {
                add_share(growth, slow.index, member, calls, dice);
            }
        }
        Attack::Poisoning { .. } if day < slow.day => {
            let growth = POISONING_PER_DAY.powi((day - slow.day + POISONING_DAYS).max(0)) - 1.0;
            add_share(growth, slow.index, member, calls, dice);
        }
        _ => {}
    }
}

/// Makes the answers of a time larger.
fn swell(factor: u32, during: Range<Moment>, attack: u16, calls: &mut [Call]) {
    for call in calls.iter_mut().filter(|call| during.contains(&call.at)) {
        call.cause = Cause::Swollen {
            attack,
            bytes_out: call.bytes_out,
        };
        call.bytes_out = call.bytes_out.saturating_mul(factor);
    }
}

/// Adds `share` times as many calls as there are, at about the same times.
fn add_share(share: f64, attack: u16, member: &Member, calls: &mut Vec<Call>, dice: &mut Dice) {
    let moments: Vec<Moment> = calls.iter().map(|call| call.at).collect();
    for at in moments {
        for _ in 0..dice.poisson(share) {
            let mut call = member.call(at + dice.whole(0, 5 * MINUTE), dice);
            call.cause = Cause::Attack(attack);
            calls.push(call);
        }
    }
}
