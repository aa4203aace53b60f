//! The networks that simulated calls come from: real prefixes, so that geo databases know where they are.
//!
//! Country and network stand here only to choose by; what an event says is what the decoder's databases say.

use std::net::Ipv4Addr;

/// Hosts used in each of a network's third octets.
const HOSTS: u32 = 254;
/// Third octets used: all lie in the same network and country.
const OCTETS: u32 = 30;

/// What sort of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkKind {
    /// Servers are rented here.
    Hosting,
    /// People live here.
    Home,
    /// People move here.
    Mobile,
}

/// A prefix of one network in one country.
#[derive(Debug)]
pub(super) struct Network {
    /// What sort.
    pub(super) kind: NetworkKind,
    /// Country, ISO 3166-1 alpha-2.
    pub(super) country: &'static str,
    /// Autonomous system.
    pub(super) asn: u32,
    prefix: [u8; 3],
}

/// An index into [`NETWORKS`].
pub(super) type NetworkId = u8;

const fn network(kind: NetworkKind, country: &'static str, asn: u32, prefix: [u8; 3]) -> Network {
    Network {
        kind,
        country,
        asn,
        prefix,
    }
}

use NetworkKind::{Home, Hosting, Mobile};

/// Every network, as DB-IP's and ASN databases of autumn 2026 know them.
pub(super) const NETWORKS: [Network; 70] = [
    network(Hosting, "DE", 16_509, [3, 120, 5]),
    network(Hosting, "DE", 16_509, [18, 184, 10]),
    network(Hosting, "IE", 16_509, [34, 240, 10]),
    network(Hosting, "US", 14_618, [3, 80, 10]),
    network(Hosting, "US", 16_509, [52, 10, 10]),
    network(Hosting, "JP", 16_509, [13, 112, 10]),
    network(Hosting, "SG", 16_509, [13, 228, 10]),
    network(Hosting, "AU", 16_509, [13, 54, 10]),
    network(Hosting, "IN", 16_509, [13, 126, 10]),
    network(Hosting, "DE", 396_982, [34, 141, 10]),
    network(Hosting, "BE", 396_982, [34, 76, 10]),
    network(Hosting, "US", 396_982, [35, 184, 10]),
    network(Hosting, "NL", 8_075, [20, 50, 3]),
    network(Hosting, "IE", 8_075, [20, 223, 10]),
    network(Hosting, "DE", 8_075, [51, 116, 10]),
    network(Hosting, "US", 8_075, [20, 62, 10]),
    network(Hosting, "DE", 24_940, [88, 198, 10]),
    network(Hosting, "FI", 24_940, [95, 216, 10]),
    network(Hosting, "DE", 24_940, [116, 202, 10]),
    network(Hosting, "FR", 16_276, [51, 38, 10]),
    network(Hosting, "PL", 16_276, [146, 59, 10]),
    network(Hosting, "US", 16_276, [147, 135, 10]),
    network(Hosting, "IN", 14_061, [139, 59, 1]),
    network(Hosting, "US", 14_061, [138, 68, 10]),
    network(Hosting, "GB", 14_061, [178, 62, 10]),
    network(Hosting, "NL", 14_061, [188, 166, 10]),
    network(Hosting, "SG", 63_949, [139, 162, 10]),
    network(Hosting, "US", 63_949, [45, 79, 10]),
    network(Hosting, "FR", 12_876, [62, 210, 18]),
    network(Hosting, "DE", 6_724, [85, 214, 132]),
    network(Home, "DE", 3_320, [79, 192, 10]),
    network(Home, "DE", 3_320, [84, 128, 10]),
    network(Home, "DE", 3_209, [91, 64, 10]),
    network(Home, "DE", 6_805, [77, 0, 10]),
    network(Home, "FR", 3_215, [90, 22, 33]),
    network(Home, "FR", 12_322, [82, 64, 10]),
    network(Home, "GB", 2_856, [86, 128, 10]),
    network(Home, "GB", 5_607, [90, 192, 10]),
    network(Home, "GB", 5_089, [86, 0, 10]),
    network(Home, "US", 7_922, [73, 0, 10]),
    network(Home, "US", 7_922, [24, 0, 10]),
    network(Home, "US", 701, [96, 224, 10]),
    network(Home, "US", 7_018, [99, 0, 10]),
    network(Home, "JP", 4_713, [118, 0, 10]),
    network(Home, "JP", 17_676, [126, 72, 10]),
    network(Home, "IT", 3_269, [79, 0, 10]),
    network(Home, "IT", 1_267, [151, 16, 10]),
    network(Home, "ES", 3_352, [83, 32, 10]),
    network(Home, "NL", 1_136, [84, 80, 10]),
    network(Home, "NL", 33_915, [94, 208, 10]),
    network(Home, "PL", 5_617, [79, 184, 10]),
    network(Home, "BR", 28_573, [177, 32, 10]),
    network(Home, "BR", 27_699, [201, 0, 10]),
    network(Home, "VN", 45_899, [14, 160, 10]),
    network(Home, "VN", 18_403, [42, 112, 10]),
    network(Home, "ID", 7_713, [36, 64, 10]),
    network(Home, "NG", 36_923, [41, 58, 10]),
    network(Home, "TW", 3_462, [114, 24, 10]),
    network(Home, "RU", 12_389, [178, 64, 10]),
    network(Mobile, "DE", 3_320, [80, 187, 64]),
    network(Mobile, "DE", 3_209, [109, 40, 10]),
    network(Mobile, "DE", 6_805, [46, 114, 10]),
    network(Mobile, "GB", 206_067, [92, 40, 10]),
    network(Mobile, "US", 21_928, [172, 56, 10]),
    network(Mobile, "US", 22_394, [174, 192, 10]),
    network(Mobile, "US", 20_057, [166, 128, 10]),
    network(Mobile, "FR", 15_557, [77, 192, 10]),
    network(Mobile, "IT", 51_207, [37, 160, 10]),
    network(Mobile, "JP", 9_605, [49, 96, 10]),
    network(Mobile, "NG", 29_465, [197, 210, 10]),
];

impl Network {
    /// Whether its addresses begin so; no two networks of the table begin alike.
    pub(super) fn starts_with(&self, a: u8, b: u8) -> bool {
        self.prefix[0] == a && self.prefix[1] == b
    }
}

/// The networks that `is_wanted` takes.
pub(super) fn networks(is_wanted: impl Fn(&Network) -> bool) -> Vec<NetworkId> {
    (0..)
        .zip(&NETWORKS)
        .filter(|(_, network)| is_wanted(network))
        .map(|(id, _)| id)
        .collect()
}

/// The network behind an id.
pub(super) fn network_of(id: NetworkId) -> &'static Network {
    &NETWORKS[usize::from(id)]
}

/// The `host`th address of a network; numbers beyond its size begin again.
pub(super) fn address(id: NetworkId, host: u64) -> Ipv4Addr {
    let [a, b, c] = network_of(id).prefix;
    let host = (host % u64::from(HOSTS * OCTETS)) as u32;
    Ipv4Addr::new(a, b, c + (host / HOSTS) as u8, 1 + (host % HOSTS) as u8)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_host_has_an_address_of_its_own() {
        let hosts: HashSet<Ipv4Addr> = (0..u64::from(HOSTS * OCTETS))
            .map(|host| address(0, host))
            .collect();
        assert_eq!(hosts.len(), (HOSTS * OCTETS) as usize);
    }

    #[test]
    fn no_two_networks_begin_alike() {
        let starts: HashSet<[u8; 2]> = NETWORKS
            .iter()
            .map(|network| [network.prefix[0], network.prefix[1]])
            .collect();
        assert_eq!(starts.len(), NETWORKS.len());
    }

    #[test]
    fn people_can_go_elsewhere_in_their_country() {
        for country in ["DE", "GB", "US", "FR"] {
            let found = networks(|network| network.country == country && network.kind != Hosting);
            assert!(found.len() >= 3, "{country}");
        }
    }
}
