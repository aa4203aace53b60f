//! A1: more calls than the owner makes, in every other way like the owner's.

use super::{Scene, Window};
use crate::simulate::calendar::MINUTE;
use crate::simulate::call::{Call, Cause};
use crate::simulate::dice::Dice;

/// `factor` times what is expected when the token is busy, and of at least one call.
pub(super) fn spike(factor: u32, window: Window, scene: &Scene<'_>, dice: &mut Dice) -> Vec<Call> {
    let length = window.length();
    let minutes = length as f64 / MINUTE as f64;
    let expected = (scene.member.habit.busy_rate() * minutes).max(1.0);
    let calls = (expected * f64::from(factor)).ceil() as usize;
    let start = dice.whole(scene.from, scene.until);
    (0..calls)
        .map(|_| {
            let mut call = scene.member.call(start + dice.whole(0, length), dice);
            call.cause = Cause::Attack(scene.attack);
            call
        })
        .collect()
}
