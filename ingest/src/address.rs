//! Client addresses: the notations of gateways, and which of the forwarded ones to believe.

use std::net::IpAddr;

use ipnet::IpNet;

/// The address in `203.0.113.7`, `203.0.113.7:51244`, `[2001:db8::1]:443`, `2001:db8::1`, `::ffff:203.0.113.7`, or
/// Envoy's `tcp://…`; v4 addresses are unmapped. A name is not an address.
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim_ascii();
    let text = match memchr::memchr(b'/', text.as_bytes()) {
        Some(_) => text.split_once("://").map_or(text, |(_, address)| address),
        None => text,
    };
    let address = if let Some(rest) = text.strip_prefix('[') {
        rest.split_once(']')?.0
    } else if let Some((address, _port)) =
        text.split_once(':').filter(|(_, port)| !port.contains(':'))
    {
        address
    } else {
        text
    };
    // A zone (`fe80::1%eth0`) means nothing beyond the host.
    let address = address
        .split_once('%')
        .map_or(address, |(address, _)| address);
    address.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// The client behind the proxies that are trusted.
///
/// Whoever connects may write what he likes into X-Forwarded-For, so it counts only when the peer is a trusted proxy,
/// and then from the right: the first address that is not a trusted proxy is the client. Where the gateway logs no peer
/// (Envoy's text format), its own entry is the rightmost one.
pub(crate) fn client(
    peer: Option<&str>,
    forwarded_for: Option<&str>,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    let peer = peer.and_then(parse);
    if peer.is_some_and(|peer| !is_trusted(peer)) {
        return peer;
    }
    let mut client = peer;
    for hop in forwarded_for.into_iter().flat_map(|list| list.rsplit(',')) {
        // Beyond something unreadable nothing can be believed.
        let Some(ip) = parse(hop) else { break };
        client = Some(ip);
        if !is_trusted(ip) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_notation_of_an_address_is_read() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:51244", "203.0.113.7"),
            ("203.0.113.7:0", "203.0.113.7"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
            ("tcp://10.0.2.1:80", "10.0.2.1"),
            (" 10.0.0.1 ", "10.0.0.1"),
        ] {
            assert_eq!(parse(text), Some(expected.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "-",
            "unix:",
            "cloudtrail.amazonaws.com",
            "AWS Internal",
            "[::1",
            "1.2.3",
            "256.1.1.1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    fn check(peer: Option<&str>, forwarded: &str, expected: Option<&str>) {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let expected = expected.map(|ip| ip.parse().unwrap());
        assert_eq!(
            client(peer, Some(forwarded), &trusted),
            expected,
            "{peer:?} {forwarded}"
        );
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check(Some("203.0.113.7"), "198.51.100.1", Some("203.0.113.7"));
        check(Some("10.0.0.1:80"), "198.51.100.1", Some("198.51.100.1"));
        check(
            Some("10.0.0.1"),
            "1.1.1.1, 198.51.100.1, 10.0.0.2",
            Some("198.51.100.1"),
        );
        check(Some("10.0.0.1"), "10.0.0.3, 10.0.0.2", Some("10.0.0.3"));
        check(
            Some("10.0.0.1"),
            "1.1.1.1, garbage, 10.0.0.2",
            Some("10.0.0.2"),
        );
        check(Some("10.0.0.1"), "garbage", Some("10.0.0.1"));
        check(
            Some("::ffff:10.0.0.1"),
            "198.51.100.1",
            Some("198.51.100.1"),
        );
        check(None, "1.1.1.1, 198.51.100.1", Some("198.51.100.1"));
        check(None, "-", None);
    }

    proptest! {
        #[test]
        fn an_untrusted_peer_is_the_client_whatever_it_forwards(forwarded: String) {
            prop_assert_eq!(client(Some("203.0.113.7"), Some(&forwarded), &[]), parse("203.0.113.7"));
        }
    }
}
