//! A2, A3, A8: somebody else calls, with another client, from elsewhere, what the owner calls too.

use std::net::Ipv4Addr;

use super::Scene;
use crate::simulate::calendar::{MINUTE, Moment, SECOND};
use crate::simulate::call::{Call, Cause, Manner};
use crate::simulate::clients::{Agent, FAMILIES, OWNERS};
use crate::simulate::dice::Dice;
use crate::simulate::member::success;
use crate::simulate::networks::{NetworkId, NetworkKind, address, network_of, networks};

/// Calls of who stole a dormant token.
pub(super) const DORMANT_CALLS: u32 = 50;
/// Calls through proxies.
const PROXY_CALLS: u32 = 200;
/// A thief begins at most so long after a call of the owner, who then still has to do with it.
const SOON: i64 = 3 * MINUTE;

/// A thief in another network, half of them abroad.
pub(super) fn steal(calls: u32, scene: &Scene<'_>, dice: &mut Dice) -> Vec<Call> {
    let network = another_network(scene, dice);
    let from = address(network, dice.whole(0, 7_000) as u64);
    let agent = thief(dice);
    // Five hundred calls take an hour, five a minute or two.
    let gap = if calls > 100 { 8.0 } else { 20.0 };
    robbery(calls, gap, scene, dice, |_, _| (from, agent))
}

/// A thief behind proxies in homes of the owner's country, who half of the time copies the owner's user agent.
pub(super) fn steal_by_proxies(per_address: u32, scene: &Scene<'_>, dice: &mut Dice) -> Vec<Call> {
    let country = scene.member.home.country();
    let own = scene.member.home.asns();
    let at_home = |country: &str| {
        networks(|network| {
            network.kind != NetworkKind::Hosting
                && network.country == country
                && !own.contains(&network.asn)
        })
    };
    let mut proxies = at_home(country);
    if proxies.is_empty() {
        proxies = at_home("DE");
    }
    let agent = if dice.chance(0.5) {
        scene.member.agent
    } else {
        thief(dice)
    };
    let mut from = address(*dice.pick(&proxies), dice.whole(0, 7_000) as u64);
    robbery(PROXY_CALLS, 18.0, scene, dice, move |number, dice| {
        if number % per_address == 0 {
            from = address(*dice.pick(&proxies), dice.whole(0, 7_000) as u64);
        }
        (from, agent)
    })
}

/// The calls, `gap` seconds apart on average; `manner` says where from and with what the n-th is made.
fn robbery(
    calls: u32,
    gap: f64,
    scene: &Scene<'_>,
    dice: &mut Dice,
    mut manner: impl FnMut(u32, &mut Dice) -> (Ipv4Addr, Agent),
) -> Vec<Call> {
    let mut at = start(scene, dice);
    (0..calls)
        .map(|number| {
            at += (dice.exponential(gap) * SECOND as f64) as i64 + 1;
            let (address, agent) = manner(number, dice);
            let route = scene.member.any_route(dice);
            let object = scene.member.any_object(route, at, dice);
            let manner = Manner {
                address,
                agent,
                cause: Cause::Attack(scene.attack),
                ..scene.member.manner(address)
            };
            Call::new(manner, at, (route, object), success(route), dice)
        })
        .collect()
}

/// Soon after one of the owner's calls of the day, if there are any.
fn start(scene: &Scene<'_>, dice: &mut Dice) -> Moment {
    let possible: Vec<Moment> = scene
        .own
        .iter()
        .map(|call| call.at)
        .filter(|at| (scene.from..scene.until).contains(at))
        .collect();
    // Not after the owner's last call of the day, if there is a choice.
    let early = &possible[..possible.len().saturating_sub(1).max(possible.len().min(1))];
    if early.is_empty() {
        dice.whole(scene.from, scene.until)
    } else {
        *dice.pick(early) + dice.whole(0, SOON)
    }
}

fn another_network(scene: &Scene<'_>, dice: &mut Dice) -> NetworkId {
    let own = scene.member.home.asns();
    let country = scene.member.home.country();
    let abroad = dice.chance(0.5);
    let others =
        networks(|network| !own.contains(&network.asn) && (network.country != country) == abroad);
    if others.is_empty() {
        let foreign = networks(|network| !own.contains(&network.asn));
        return *dice.pick(&foreign);
    }
    debug_assert!(!own.contains(&network_of(others[0]).asn));
    *dice.pick(&others)
}

/// A client that no owner uses.
fn thief(dice: &mut Dice) -> Agent {
    Agent {
        family: OWNERS + dice.below(FAMILIES.len() - usize::from(OWNERS)) as u8,
        version: dice.below(2) as u8,
    }
}
