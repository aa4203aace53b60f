//! What calls have in common that may be one attacker's: an address, its network, its autonomous system, a client that
//! calls one route, a route.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use tokenwatch_model::AccessEvent;

use crate::hash_text;
use crate::samples::shortened;

/// What calls have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum SourceKey {
    /// One address.
    Address(IpAddr),
    /// A /24 of IPv4, a /48 of IPv6, by its first address.
    Prefix(IpAddr),
    /// An autonomous system.
    System(u32),
    /// A client on a route, by their hashes.
    Way(u64, u64),
    /// A route, by its hash.
    Route(u64),
}

/// How wide a key is: one is explained by narrower ones rather than by wider ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Address,
    Prefix,
    System,
    Way,
    Route,
}

impl Level {
    pub(crate) const ALL: [Self; 5] = [
        Self::Address,
        Self::Prefix,
        Self::System,
        Self::Way,
        Self::Route,
    ];
}

impl SourceKey {
    /// How wide it is.
    pub(crate) const fn level(&self) -> Level {
        match self {
            Self::Address(_) => Level::Address,
            Self::Prefix(_) => Level::Prefix,
            Self::System(_) => Level::System,
            Self::Way(..) => Level::Way,
            Self::Route(_) => Level::Route,
        }
    }

    /// A fixed hash.
    pub(crate) fn hash(&self) -> u64 {
        use std::hash::BuildHasher;
        foldhash::quality::FixedState::default().hash_one(self)
    }
}

/// All keys of one call; a fact that the log does not have is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Keys {
    pub(crate) address: Option<IpAddr>,
    pub(crate) system: Option<u32>,
    pub(crate) client: u64,
    pub(crate) route: Option<u64>,
}

impl Keys {
    /// The keys of a call.
    pub(crate) fn of(event: &AccessEvent<'_>) -> Self {
        let client = &event.client;
        let program = client.ja4.as_deref().or(client.user_agent.as_deref());
        Self {
            address: client.ip.map(|ip| ip.to_canonical()),
            system: client.asn.filter(|asn| *asn != 0),
            client: program.map_or(0, hash_text),
            route: route_of(event).map(|route| {
                let method = event.http.method.as_deref().unwrap_or("");
                hash_template(route) ^ hash_text(method).rotate_left(1)
            }),
        }
    }

    /// They, from the narrowest to the widest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = SourceKey> + use<> {
        let way = self.route.map(|route| SourceKey::Way(route, self.client));
        [
            self.address.map(SourceKey::Address),
            self.address.map(|ip| SourceKey::Prefix(network_of(ip))),
            self.system.map(SourceKey::System),
            way.filter(|_| self.client != 0),
            self.route.map(SourceKey::Route),
        ]
        .into_iter()
        .flatten()
    }

    /// Whether a call with these keys belongs to `key`.
    pub(crate) fn are_of(&self, key: SourceKey) -> bool {
        self.iter().any(|own| own == key)
    }
}

/// The name of a key that the calls of `event` have in common, as findings and people use it.
pub(crate) fn name_of(key: SourceKey, event: &AccessEvent<'_>) -> String {
    match key {
        SourceKey::Address(ip) => ip.to_string(),
        SourceKey::Prefix(IpAddr::V4(ip)) => format!("{ip}/24"),
        SourceKey::Prefix(IpAddr::V6(ip)) => format!("{ip}/48"),
        SourceKey::System(asn) => format!("AS{asn}"),
        SourceKey::Route(_) => route_name(event),
        SourceKey::Way(..) => {
            let client = &event.client;
            let program = client.user_agent.as_deref().or(client.ja4.as_deref());
            let program = shortened(program.unwrap_or("?"));
            format!("{} ({program})", route_name(event))
        }
    }
}

/// The network of an address.
pub(crate) fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

fn route_of<'e>(event: &'e AccessEvent<'_>) -> Option<&'e str> {
    let http = &event.http;
    http.route.as_deref().or(http.path.as_deref())
}

/// What is in the place of an id.
const ID: &str = "{id}";

/// The segments of a path; those that hold a digit are mostly ids.
fn template(path: &str) -> impl Iterator<Item = &str> {
    let is_version = |segment: &str| segment.len() <= 3 && segment.starts_with('v');
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(move |segment| {
            if segment.bytes().any(|byte| byte.is_ascii_digit()) && !is_version(segment) {
                ID
            } else {
                segment
            }
        })
}

/// The hash of a path without its ids.
fn hash_template(path: &str) -> u64 {
    template(path).fold(0, |hash: u64, segment| {
        hash.rotate_left(5) ^ hash_text(segment)
    })
}

/// `GET /v1/orders/{id}`, or the gateway's name of the route.
fn route_name(event: &AccessEvent<'_>) -> String {
    let route = route_of(event).unwrap_or("?");
    let mut name = event
        .http
        .method
        .as_deref()
        .map_or_else(String::new, |method| format!("{} ", shortened(method)));
    if !route.starts_with('/') {
        return name + shortened(route);
    }
    let begin = name.len();
    for segment in template(shortened(route)) {
        name.push('/');
        name.push_str(segment);
    }
    if name.len() == begin {
        name.push('/');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_24_bits_of_ipv4_and_48_of_ipv6() {
        for (ip, network) in [
            ("203.0.113.7", "203.0.113.0"),
            ("::ffff:203.0.113.7", "203.0.113.0"),
            ("2001:db8:1:2::3", "2001:db8:1::"),
        ] {
            let parsed = |text: &str| text.parse::<IpAddr>().expect("an address");
            assert_eq!(network_of(parsed(ip)), parsed(network));
        }
    }

    #[test]
    fn paths_that_differ_in_ids_are_one_route() {
        assert_eq!(
            hash_template("/v1/orders/17"),
            hash_template("/v1/orders/18a")
        );
        assert_ne!(
            hash_template("/v1/orders/17"),
            hash_template("/v2/orders/17")
        );
        assert_ne!(hash_template("/v1/orders"), hash_template("/v1/users"));
    }
}
