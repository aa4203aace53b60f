//! How many address ranges, networks and clients a token is used from within an hour, and at most in an hour of four weeks.
//!
//! Ranges are /24 and /48; a data centre, a relay and a mobile carrier count as one range each, because one caller moves about
//! within them. Sets are bitmaps with linear counting (Whang et al. 1990): 128 bits are right within 10 % up to 150 ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use tokenwatch_model::Client;

use crate::calendar::HOUR;
use crate::organisation::NetworkClass;

const WEEK_HOURS: u32 = 7 * 24;

/// The hour's sets and the weeks' maxima: 40 bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    ranges: [u64; 2],
    networks: u32,
    hour: u32,
    clients: u16,
    /// Most ranges in an hour of each of the last four weeks.
    weeks: [u8; 4],
}

/// How many of each there are in the hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) ranges: u32,
    pub(crate) networks: u32,
    pub(crate) clients: u32,
}

impl Spread {
    /// Notes a call; the counts if its range is new in this hour.
    pub(crate) fn note(
        &mut self,
        secs: i64,
        range: u32,
        network: u32,
        client: u16,
    ) -> Option<Counts> {
        let hour = u32::try_from(secs.div_euclid(HOUR)).unwrap_or(0);
        if hour < self.hour {
            return None;
        }
        if hour > self.hour {
            self.begin_hour(hour);
        }
        let (word, bit) = ((range >> 6 & 1) as usize, 1u64 << (range & 63));
        let is_new = self.ranges[word] & bit == 0;
        self.ranges[word] |= bit;
        self.networks |= 1 << (network & 31);
        self.clients |= 1 << (client & 15);
        is_new.then(|| self.counts())
    }

    /// Most ranges in any one of the last weeks' hours, this one excepted.
    pub(crate) fn most(&self) -> u32 {
        u32::from(self.weeks.into_iter().max().unwrap_or(0))
    }

    /// The counts of the hour that `secs` lies in.
    pub(crate) fn counts_at(&self, secs: i64) -> Counts {
        if i64::from(self.hour) == secs.div_euclid(HOUR) {
            self.counts()
        } else {
            Counts {
                ranges: 0,
                networks: 0,
                clients: 0,
            }
        }
    }

    fn counts(&self) -> Counts {
        Counts {
            ranges: linear_count(
                self.ranges[0].count_ones() + self.ranges[1].count_ones(),
                128,
            ),
            networks: linear_count(self.networks.count_ones(), 32),
            clients: self.clients.count_ones(),
        }
    }

    fn begin_hour(&mut self, hour: u32) {
        let week = |hour: u32| hour / WEEK_HOURS;
        let most = u8::try_from(self.counts().ranges).unwrap_or(u8::MAX);
        let slot = &mut self.weeks[week(self.hour) as usize % 4];
        *slot = most.max(*slot);
        for passed in (week(self.hour) + 1..=week(hour)).take(4) {
            self.weeks[passed as usize % 4] = 0;
        }
        *self = Self {
            hour,
            weeks: self.weeks,
            ..Self::default()
        };
    }
}

/// About how many different things set `ones` of `bits` bits; all of them are counted as all but a half.
fn linear_count(ones: u32, bits: u32) -> u32 {
    let zeros = f64::from(bits - ones).max(0.5);
    libm::round(-f64::from(bits) * libm::log(zeros / f64::from(bits))) as u32
}

/// A hash of the range that a call came from.
pub(crate) fn range_of(client: &Client<'_>, class: NetworkClass) -> Option<u32> {
    if class != NetworkClass::Ordinary
        && let Some(asn) = client.asn
    {
        return Some(asn.wrapping_mul(0x9e37_79b9) >> 7);
    }
    let range = match client.ip? {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from(u32::from(ip) & 0xffff_ff00)),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) >> 80 << 80)),
    };
    Some(crate::hash_ip(range) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: i64 = 604_800;
    const START: i64 = 2_950 * WEEK;

    fn spread_of(spread: &mut Spread, secs: i64, ranges: u32) -> Counts {
        for range in 0..ranges {
            spread.note(secs, range.wrapping_mul(0x9e37_79b9) >> 7, range % 5, 1);
        }
        spread.counts_at(secs)
    }

    #[test]
    fn ranges_are_counted_within_their_error() {
        for ranges in [1, 2, 8, 20, 100] {
            let counts = spread_of(&mut Spread::default(), START, ranges);
            let error = f64::from(counts.ranges) / f64::from(ranges) - 1.0;
            assert!(error.abs() < 0.2, "{ranges}: {counts:?}");
            assert_eq!(counts.clients, 1);
        }
    }

    #[test]
    fn the_most_is_of_four_weeks_and_of_other_hours() {
        let mut spread = Spread::default();
        spread_of(&mut spread, START, 12);
        assert_eq!(spread.most(), 0, "the hour goes on");
        spread_of(&mut spread, START + 3_600, 1);
        assert!((10..=14).contains(&spread.most()), "{}", spread.most());
        spread_of(&mut spread, START + 3 * WEEK, 1);
        assert!(spread.most() >= 10);
        spread_of(&mut spread, START + 4 * WEEK, 1);
        assert_eq!(spread.most(), 1);
        assert_eq!(spread.note(START, 5, 1, 1), None, "an hour that is over");
    }

    #[test]
    fn a_range_is_a_prefix_or_a_whole_carrier() {
        let client = |ip: &str, asn| Client {
            ip: Some(ip.parse().expect("an address")),
            asn: Some(asn),
            ..Client::default()
        };
        let range = |ip, class| range_of(&client(ip, 3_320), class);
        let ordinary = NetworkClass::Ordinary;
        assert_eq!(range("192.0.2.7", ordinary), range("192.0.2.200", ordinary));
        assert_ne!(range("192.0.2.7", ordinary), range("192.0.3.7", ordinary));
        assert_eq!(
            range("2001:db8:1:2::1", ordinary),
            range("2001:db8:1:ffff::9", ordinary)
        );
        assert_ne!(
            range("2001:db8:1::1", ordinary),
            range("2001:db8:2::1", ordinary)
        );
        assert_eq!(
            range("192.0.2.7", NetworkClass::Mobile),
            range("198.51.100.7", NetworkClass::Mobile)
        );
        assert_eq!(range_of(&Client::default(), ordinary), None);
    }
}
