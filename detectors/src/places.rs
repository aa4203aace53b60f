//! The country and network that a call comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Client, CountryCode};

use crate::organisation::NetworkClass;

/// From here on numbers are not of autonomous systems but of ranges of addresses: none of them is allocated.
const RANGES: u32 = 0xe000_0000;
const ALL_RANGES: u32 = 0x0fff_ffff;
/// Of ranges, those of IPv6.
const IPV6_RANGES: u32 = 0x0800_0000;

/// Country and network of a call; at least one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PlaceKey {
    /// ISO letters as a number; 0 if unknown.
    country: u16,
    /// Autonomous system; 0 if unknown. Where neither is known, the range of the address.
    asn: u32,
}

/// The same in six bytes for the state of a token, with the sort of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PackedPlace {
    /// Country as one of 26 x 26 pairs of letters in ten bits, then two bits of the network's class.
    land: u16,
    asn: [u16; 2],
}

impl PlaceKey {
    /// Where a call came from. An address that no geo database knows is in the network of its range.
    pub(crate) fn of(client: &Client<'_>) -> Option<Self> {
        let country = client.country.map_or(0, |code| {
            let letters = code.as_str().as_bytes();
            u16::from_be_bytes([letters[0], letters[1]])
        });
        let asn = client.asn.unwrap_or(0);
        if country == 0 && asn == 0 {
            return client.ip.map(Self::of_range);
        }
        Some(Self { country, asn })
    }

    /// The /24 of an address, the /16 of a private one, in which hosts move about, the /48 of IPv6 by its hash.
    fn of_range(ip: IpAddr) -> Self {
        let range = match ip.to_canonical() {
            IpAddr::V4(ip) => (u32::from(ip) >> 8) & (u32::MAX << (24 - range_bits(ip))),
            IpAddr::V6(ip) => {
                let range = Ipv6Addr::from(u128::from(ip) >> 80 << 80);
                IPV6_RANGES | crate::hash_ip(range.into()) as u32 & (IPV6_RANGES - 1)
            }
        };
        Self {
            country: 0,
            asn: RANGES | range,
        }
    }

    /// The range of addresses in words, where nothing better is known.
    pub(crate) fn range(self) -> Option<String> {
        let range = self.is_range().then_some(self.asn & ALL_RANGES)?;
        if range & IPV6_RANGES != 0 {
            return Some("an IPv6 network".to_owned());
        }
        let first = Ipv4Addr::from(range << 8);
        Some(format!("{first}/{}", range_bits(first)))
    }

    const fn is_range(self) -> bool {
        self.country == 0 && self.asn & !ALL_RANGES == RANGES
    }

    /// The network as a number, a range of addresses too.
    pub(crate) fn network(self) -> Option<u32> {
        (self.asn != 0).then_some(self.asn)
    }

    /// The country, where known.
    pub(crate) fn country(self) -> Option<CountryCode> {
        let letters = self.country.to_be_bytes();
        std::str::from_utf8(&letters)
            .ok()
            .and_then(CountryCode::parse)
    }

    /// The network, where known.
    pub(crate) fn asn(self) -> Option<u32> {
        (self.asn != 0 && !self.is_range()).then_some(self.asn)
    }

    /// Whether the two are surely in different countries.
    pub(crate) fn is_abroad_of(self, other: Self) -> bool {
        self.country != 0 && other.country != 0 && self.country != other.country
    }

    /// Whether the two are surely different networks, or different countries.
    pub(crate) fn is_apart_from(self, other: Self) -> bool {
        self.is_abroad_of(other) || (self.asn != 0 && other.asn != 0 && self.asn != other.asn)
    }

    /// Whether the two are the same as far as both say: who knows only the country knows no less of it.
    pub(crate) fn is_same_as(self, other: Self) -> bool {
        !self.is_apart_from(other)
            && ((self.asn != 0 && self.asn == other.asn)
                || (self.country != 0 && self.country == other.country))
    }
}

/// Hosts of private networks, and customers behind a carrier's shared addresses, move about in larger ranges.
fn range_bits(ip: Ipv4Addr) -> u32 {
    let [first, second, ..] = ip.octets();
    let is_shared = first == 100 && second & 0xc0 == 64;
    if ip.is_private() || is_shared { 16 } else { 24 }
}

impl PackedPlace {
    /// Packs a place.
    pub(crate) fn new(key: PlaceKey, class: NetworkClass) -> Self {
        let [high, low] = key.country.to_be_bytes();
        let letter = |byte: u8| u16::from(byte.wrapping_sub(b'A') % 26);
        let country = if key.country == 0 {
            0
        } else {
            letter(high) * 26 + letter(low) + 1
        };
        Self {
            land: country | class.to_bits() << 10,
            asn: [(key.asn >> 16) as u16, key.asn as u16],
        }
    }

    const fn country(self) -> u16 {
        self.land & 0x3ff
    }

    /// Whether both are the same country and network.
    pub(crate) fn is_at(self, other: Self) -> bool {
        self.country() == other.country() && self.asn == other.asn
    }

    /// The place.
    pub(crate) fn key(self) -> PlaceKey {
        let country = match self.country() {
            0 => 0,
            pair => {
                let letter = |number: u16| b'A' + number as u8;
                u16::from_be_bytes([letter((pair - 1) / 26), letter((pair - 1) % 26)])
            }
        };
        PlaceKey {
            country,
            asn: u32::from(self.asn[0]) << 16 | u32::from(self.asn[1]),
        }
    }

    /// The sort of the network.
    pub(crate) fn class(self) -> NetworkClass {
        NetworkClass::from_bits(self.land >> 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(country: &str, asn: u32) -> PlaceKey {
        let client = Client {
            country: CountryCode::parse(country),
            asn: (asn != 0).then_some(asn),
            ..Client::default()
        };
        PlaceKey::of(&client).expect("known")
    }

    #[test]
    fn six_bytes_hold_every_place() {
        assert_eq!(size_of::<PackedPlace>(), 6);
        for (country, asn) in [
            ("AA", 1),
            ("DE", 3_320),
            ("ZZ", u32::MAX),
            ("", 7),
            ("US", 0),
        ] {
            for class in [
                NetworkClass::Ordinary,
                NetworkClass::Hosting,
                NetworkClass::Anonymiser,
                NetworkClass::Mobile,
            ] {
                let packed = PackedPlace::new(key(country, asn), class);
                assert_eq!((packed.key(), packed.class()), (key(country, asn), class));
            }
        }
    }

    #[test]
    fn an_address_without_a_place_is_in_the_network_of_its_range() {
        let at = |ip: &str| {
            let ip = Some(ip.parse().expect("an address"));
            PlaceKey::of(&Client {
                ip,
                ..Client::default()
            })
            .expect("known")
        };
        for (ip, range) in [
            ("203.0.113.7", "203.0.113.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.0/24"),
            ("10.1.2.3", "10.1.0.0/16"),
            ("100.64.2.3", "100.64.0.0/16"),
            ("2001:db8:1:2::3", "an IPv6 network"),
        ] {
            assert_eq!(at(ip).range().as_deref(), Some(range), "{ip}");
            assert_eq!((at(ip).asn(), at(ip).country()), (None, None), "{ip}");
            let packed = PackedPlace::new(at(ip), NetworkClass::Ordinary);
            assert_eq!(packed.key(), at(ip));
        }
        assert!(at("203.0.113.7").is_same_as(at("203.0.113.99")));
        assert!(at("203.0.113.7").is_apart_from(at("203.0.112.7")));
        assert!(at("2001:db8:1::1").is_apart_from(at("2001:db8:2::1")));
        assert!(at("10.1.2.3").is_apart_from(key("DE", 3_320)));
        assert_eq!(key("DE", 3_320).range(), None);
    }

    #[test]
    fn knowing_less_is_not_being_elsewhere() {
        assert!(key("DE", 3_320).is_same_as(key("DE", 0)));
        assert!(key("DE", 3_320).is_same_as(key("", 3_320)));
        assert!(!key("DE", 3_320).is_same_as(key("DE", 24_940)));
        assert!(!key("DE", 3_320).is_same_as(key("FR", 3_320)));
        assert!(!key("DE", 0).is_same_as(key("", 3_320)));
        assert_eq!(PlaceKey::of(&Client::default()), None);
    }
}
