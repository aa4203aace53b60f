//! A5, A6, A11: the owner's client, or what took it over, calls what it never called.

use super::{Answer, Scene};
use crate::simulate::api::{ADMIN, NO_ROUTE, Naming, ROUTES, RouteId};
use crate::simulate::calendar::{MINUTE, SECOND};
use crate::simulate::call::{Call, Cause, Manner};
use crate::simulate::dice::Dice;
use crate::simulate::member::success;

/// The pace of an enumeration that hides in an outage.
pub(super) const HIDDEN_PER_MINUTE: u32 = 60;
/// Share of an enumeration's calls that are answered as it says; the others otherwise.
const AS_SAID: f64 = 0.9;

/// Ten minutes of enumeration, thirty of a slow one.
pub(super) fn enumerate(
    per_minute: u32,
    answer: Answer,
    scene: &Scene<'_>,
    dice: &mut Dice,
) -> Vec<Call> {
    let minutes = if per_minute < 60 { 30 } else { 10 };
    let start = dice.whole(scene.from, scene.until);
    let gap = MINUTE / i64::from(per_minute);
    let route = match answer {
        Answer::NotFound => NO_ROUTE,
        Answer::Ok | Answer::Denied => route_with_objects(scene, dice),
    };
    let first = dice.whole(1, 900_000) as u64;
    let manner = manner(scene, start, dice);
    (0..per_minute * minutes)
        .map(|number| {
            let at = start + i64::from(number) * gap + dice.whole(0, gap);
            let status = match (answer, dice.chance(AS_SAID)) {
                (Answer::NotFound, true) | (Answer::Ok, false) => 404,
                (Answer::Denied, true) | (Answer::NotFound, false) => 403,
                (Answer::Ok, true) | (Answer::Denied, false) => 200,
            };
            Call::new(manner, at, (route, first + u64::from(number)), status, dice)
        })
        .collect()
}

/// Calls that the token's policy forbids; without a policy, the first administrative ones of its life.
pub(super) fn overstep(calls: u32, scene: &Scene<'_>, dice: &mut Dice) -> Vec<Call> {
    let routes: Vec<RouteId> = if scene.member.has_policy {
        scene.member.foreign_routes()
    } else {
        (ADMIN..ROUTES.len() as RouteId).collect()
    };
    let mut at = dice.whole(scene.from, scene.until);
    let manner = manner(scene, at, dice);
    (0..calls)
        .map(|_| {
            at += (dice.exponential(10.0) * SECOND as f64) as i64 + 1;
            let route = *dice.pick(&routes);
            let object = dice.whole(1, 900_000) as u64;
            let status = if dice.chance(0.5) {
                403
            } else {
                success(route)
            };
            Call::new(manner, at, (route, object), status, dice)
        })
        .collect()
}

fn manner(scene: &Scene<'_>, at: i64, dice: &mut Dice) -> Manner {
    let address = scene.member.home.address(at, dice);
    Manner {
        cause: Cause::Attack(scene.attack),
        ..scene.member.manner(address)
    }
}

/// One of its routes that has objects, else that of orders.
fn route_with_objects(scene: &Scene<'_>, dice: &mut Dice) -> RouteId {
    let numbered: Vec<RouteId> = scene
        .member
        .routes
        .iter()
        .copied()
        .filter(|route| ROUTES[usize::from(*route)].naming == Naming::Number)
        .collect();
    if numbered.is_empty() {
        1
    } else {
        *dice.pick(&numbered)
    }
}
