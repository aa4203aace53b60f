//! A4: lists of credentials tried at the gateway, almost all of them wrong.

use super::Attack;
use crate::simulate::calendar::{MINUTE, Moment};
use crate::simulate::call::{Call, Cause, Holder, Manner};
use crate::simulate::clients::Agent;
use crate::simulate::dice::Dice;
use crate::simulate::networks::{NetworkKind, address, networks};

/// Attempts of one attack at most.
const MAX_ATTEMPTS: u32 = 20_000;
/// It lasts at least so long, unless that would be too many attempts.
const MINUTES: u32 = 10;
/// The client of the tool.
const TOOL: Agent = Agent {
    family: 11,
    version: 1,
};

/// Tries credentials from `start` on; `valid` are the tokens of the fleet that are on the list.
pub(in super::super) fn stuff(
    attack: Attack,
    index: u16,
    start: Moment,
    valid: &[u32],
    dice: &mut Dice,
) -> Vec<Call> {
    let Attack::Stuffing {
        addresses,
        tokens,
        per_minute,
    } = attack
    else {
        return Vec::new();
    };
    let pace = addresses * per_minute;
    let attempts = (pace * MINUTES)
        .max(tokens)
        .min(MAX_ATTEMPTS)
        .max(addresses);
    let gap = MINUTE / i64::from(pace);
    // One address is a rented server; thousands are other people's homes.
    let kind = if addresses == 1 {
        NetworkKind::Hosting
    } else {
        NetworkKind::Home
    };
    let bases = networks(|network| network.kind == kind);
    let sources: Vec<_> = (0..addresses)
        .map(|_| address(*dice.pick(&bases), dice.whole(0, 7_000) as u64))
        .collect();
    let list = u64::from(index) << 32;
    (0..attempts)
        .map(|number| {
            let at = start + i64::from(number) * gap + dice.whole(0, gap);
            let credential = number % tokens;
            // The valid ones lie evenly among the others.
            let every = tokens / (valid.len() as u32 + 1);
            let is_valid = every > 0 && credential % every == every / 2;
            let token = valid.get((credential / every.max(1)) as usize);
            let (holder, status) = match token.filter(|_| is_valid) {
                Some(token) => (Holder::Token(*token), 200),
                None => (Holder::Unknown(list + u64::from(credential)), 401),
            };
            let manner = Manner {
                holder,
                cause: Cause::Attack(index),
                address: sources[number as usize % sources.len()],
                agent: TOOL,
            };
            Call::new(manner, at, (0, 0), status, dice)
        })
        .collect()
}
