//! How a token stands to the network that a call came from: what tells a tried credential from a customer in trouble.
//!
//! A credential that worked from here before and is refused now has expired, was rotated, or meets an outage; one that
//! has been refused for hours is a client that nobody looks after. Neither is a credential that somebody tries out.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Outcome, Timestamp};

use crate::calendar::HOUR;

/// The networks that a token was last accepted from, as 16-bit hashes, the newest first; 0 is none. 4 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Homes([u16; 2]);

/// How a token stands to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is no token.
    Anonymous,
    /// It was never accepted, and was first seen within the hour.
    Stranger,
    /// It was accepted before, but not from this network.
    Visitor,
    /// It was accepted from this network before, or has been refused for more than an hour.
    Regular,
}

impl Homes {
    /// How the token stood to the network of a call before that, which it is at home in if the call was accepted.
    pub(crate) fn visit(&mut self, event: &AccessEvent<'_>, first_seen: Timestamp) -> Standing {
        let ip = event.client.ip;
        let standing = self.standing(ip, first_seen, event.ts);
        if event.outcome == Outcome::Ok {
            self.accept(ip);
        }
        standing
    }

    /// How the token stands to the network of `ip`, at `now`.
    fn standing(self, ip: Option<IpAddr>, first_seen: Timestamp, now: Timestamp) -> Standing {
        if self.0.contains(&tag(ip)) {
            Standing::Regular
        } else if self.0[0] != 0 {
            Standing::Visitor
        } else if now.as_secs() - first_seen.as_secs() > HOUR {
            Standing::Regular
        } else {
            Standing::Stranger
        }
    }

    /// The token was accepted from the network of `ip`.
    fn accept(&mut self, ip: Option<IpAddr>) {
        let tag = tag(ip);
        if self.0[0] != tag {
            self.0 = [tag, self.0[0]];
        }
    }
}

fn tag(ip: Option<IpAddr>) -> u16 {
    // Multiplied by 2^64 over the golden ratio, which spreads neighbouring networks (Knuth 6.4).
    let spread = |bits: u64| (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16;
    // Calls without an address share a network of their own; no network has the tag 0.
    match ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => spread(u64::from(ip.to_bits() >> 8)).max(1),
        Some(IpAddr::V6(ip)) => spread((ip.to_bits() >> 80) as u64).max(1),
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_token_is_at_home_where_it_was_accepted_and_a_visitor_elsewhere() {
        let (mut homes, then) = (Homes::default(), Timestamp::from_secs(0));
        let standing = |homes: Homes, text| homes.standing(Some(ip(text)), then, then);
        assert_eq!(standing(homes, "192.0.2.7"), Standing::Stranger);
        homes.accept(Some(ip("192.0.2.7")));
        assert_eq!(standing(homes, "192.0.2.99"), Standing::Regular);
        assert_eq!(standing(homes, "198.51.100.1"), Standing::Visitor);
        homes.accept(Some(ip("198.51.100.1")));
        assert_eq!(standing(homes, "192.0.2.7"), Standing::Regular);
        assert_eq!(homes.standing(None, then, then), Standing::Visitor);
    }

    #[test]
    fn a_token_that_was_refused_for_hours_is_a_regular() {
        let homes = Homes::default();
        let (then, now) = (Timestamp::from_secs(0), Timestamp::from_secs(2 * HOUR));
        assert_eq!(
            homes.standing(Some(ip("192.0.2.7")), then, now),
            Standing::Regular
        );
    }
}
