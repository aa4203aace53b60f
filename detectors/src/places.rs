//! The country and network that a call comes from.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Client, CountryCode};

use crate::organisation::NetworkClass;

/// Country and network of a call; at least one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PlaceKey {
    /// ISO letters as a number; 0 if unknown.
    country: u16,
    /// Autonomous system; 0 if unknown.
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
    /// Where a call came from; `None` without a geo database.
    pub(crate) fn of(client: &Client<'_>) -> Option<Self> {
        let country = client.country.map_or(0, |code| {
            let letters = code.as_str().as_bytes();
            u16::from_be_bytes([letters[0], letters[1]])
        });
        let asn = client.asn.unwrap_or(0);
        (country != 0 || asn != 0).then_some(Self { country, asn })
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
        (self.asn != 0).then_some(self.asn)
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
    fn knowing_less_is_not_being_elsewhere() {
        assert!(key("DE", 3_320).is_same_as(key("DE", 0)));
        assert!(key("DE", 3_320).is_same_as(key("", 3_320)));
        assert!(!key("DE", 3_320).is_same_as(key("DE", 24_940)));
        assert!(!key("DE", 3_320).is_same_as(key("FR", 3_320)));
        assert!(!key("DE", 0).is_same_as(key("", 3_320)));
        assert_eq!(PlaceKey::of(&Client::default()), None);
    }
}
