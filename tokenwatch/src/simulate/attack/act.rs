//! Attacks that are one scene: on one token, on one day.

use super::{Attack, Window, abuse, theft, volume};
use crate::simulate::calendar::Moment;
use crate::simulate::call::Call;
use crate::simulate::dice::Dice;
use crate::simulate::member::Member;

/// The token that is attacked, what its owner does on that day, and when the attack may begin.
pub(in super::super) struct Scene<'s> {
    pub(in super::super) member: &'s Member,
    /// The attack's index, for its calls.
    pub(in super::super) attack: u16,
    /// The owner's calls of the day, in order.
    pub(in super::super) own: &'s [Call],
    /// The earliest start.
    pub(in super::super) from: Moment,
    /// The latest start.
    pub(in super::super) until: Moment,
}

/// The calls of an attack that begins on this day; none for those that change the owner's days instead.
pub(in super::super) fn act(attack: Attack, scene: &Scene<'_>, dice: &mut Dice) -> Vec<Call> {
    match attack {
        Attack::Spike { factor, window } => volume::spike(factor, window, scene, dice),
        Attack::Poisoning { factor } => volume::spike(factor, Window::Minutes10, scene, dice),
        Attack::Theft { calls } => theft::steal(calls, scene, dice),
        Attack::Dormant { .. } => theft::steal(theft::DORMANT_CALLS, scene, dice),
        Attack::Proxies { per_address } => theft::steal_by_proxies(per_address, scene, dice),
        Attack::Enumeration { per_minute, answer } => {
            abuse::enumerate(per_minute, answer, scene, dice)
        }
        Attack::HiddenInOutage { answer } => {
            abuse::enumerate(abuse::HIDDEN_PER_MINUTE, answer, scene, dice)
        }
        Attack::Privilege { calls } => abuse::overstep(calls, scene, dice),
        Attack::Stuffing { .. } | Attack::Exfiltration { .. } | Attack::LowAndSlow { .. } => {
            Vec::new()
        }
    }
}
