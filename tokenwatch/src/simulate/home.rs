//! Where a token is used from: servers that stay, people who go home, people who move about.

use std::net::Ipv4Addr;

use super::calendar::{HOUR, MINUTE, Moment, day_of};
use super::dice::{Dice, hash};
use super::networks::{NetworkId, NetworkKind, address, network_of, networks};

/// Where the calls of a token come from; the same moment always gives the same address for people.
#[derive(Clone, Debug)]
pub(super) enum Home {
    /// A few addresses in one or two networks.
    Servers(Vec<Ipv4Addr>),
    /// At home, at times over the phone; the home's address changes after some days.
    Person {
        home: NetworkId,
        phone: NetworkId,
        seed: u64,
    },
    /// Another network every day, another address every two minutes: a phone behind carriers' shared addresses, or a relay.
    Roaming { among: Vec<NetworkId>, seed: u64 },
}

impl Home {
    /// Servers in any network, or in two.
    pub(super) fn servers(dice: &mut Dice) -> Self {
        let hosting = networks(|network| network.kind == NetworkKind::Hosting);
        let mut chosen = vec![*dice.pick(&hosting)];
        if dice.chance(0.25) {
            chosen.push(*dice.pick(&hosting));
        }
        let count = 1 + dice.below(5);
        let servers = (0..count).map(|server| {
            let network = chosen[server % chosen.len()];
            address(network, dice.whole(0, 4_000) as u64)
        });
        Self::Servers(servers.collect())
    }

    /// A person in any country.
    pub(super) fn person(dice: &mut Dice) -> Self {
        // Not the countries that attackers alone come from.
        let lived_in = ["DE", "FR", "GB", "US", "IT", "JP"];
        let country = *dice.pick(&lived_in);
        let of = |kind| networks(|network| network.kind == kind && network.country == country);
        Self::Person {
            home: *dice.pick(&of(NetworkKind::Home)),
            phone: *dice.pick(&of(NetworkKind::Mobile)),
            seed: dice.whole(0, i64::MAX) as u64,
        }
    }

    /// Somebody who roams within a country.
    pub(super) fn roaming(dice: &mut Dice) -> Self {
        let country = *dice.pick(&["DE", "US", "GB", "FR"]);
        Self::Roaming {
            among: networks(|network| {
                network.kind != NetworkKind::Hosting && network.country == country
            }),
            seed: dice.whole(0, i64::MAX) as u64,
        }
    }

    /// The country that it is in first of all.
    pub(super) fn country(&self) -> &'static str {
        let id = match self {
            Self::Servers(servers) => {
                return servers.first().map_or("DE", |server| country_of(*server));
            }
            Self::Person { home, .. } => *home,
            Self::Roaming { among, .. } => among[0],
        };
        network_of(id).country
    }

    /// The networks that it uses, by their numbers.
    pub(super) fn asns(&self) -> Vec<u32> {
        let asn = |id: &NetworkId| network_of(*id).asn;
        match self {
            Self::Servers(servers) => servers
                .iter()
                .copied()
                .filter_map(find)
                .map(|id| asn(&id))
                .collect(),
            Self::Person { home, phone, .. } => vec![asn(home), asn(phone)],
            Self::Roaming { among, .. } => among.iter().map(asn).collect(),
        }
    }

    /// The address at a moment.
    pub(super) fn address(&self, at: Moment, dice: &mut Dice) -> Ipv4Addr {
        match self {
            Self::Servers(servers) => *dice.pick(servers),
            Self::Person { home, phone, seed } => {
                let hour = at.div_euclid(HOUR) as u64;
                let mood = hash([*seed, hour, 0, 0]);
                if mood % 100 < 20 {
                    address(*phone, mood >> 8)
                } else {
                    let stay = u64::from(day_of(at).unsigned_abs()) / 6;
                    address(*home, hash([*seed, stay, 1, 0]))
                }
            }
            Self::Roaming { among, seed } => {
                let day = hash([*seed, u64::from(day_of(at).unsigned_abs()), 2, 0]);
                let turn = at.div_euclid(2 * MINUTE) as u64;
                let network = among[(day % among.len() as u64) as usize];
                address(network, hash([*seed, turn, 3, 0]))
            }
        }
    }
}

/// The network that an address of [`address`] is in.
fn find(address: Ipv4Addr) -> Option<NetworkId> {
    let [a, b, ..] = address.octets();
    networks(|network| network.starts_with(a, b))
        .first()
        .copied()
}

fn country_of(address: Ipv4Addr) -> &'static str {
    find(address).map_or("DE", |id| network_of(id).country)
}
