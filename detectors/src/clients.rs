//! The software that calls: family and major version from the user agent, and the stable parts of the TLS fingerprint.
//!
//! Families, not whole user agents, because those change with every release, operating system and build. Four bytes: sixteen
//! bits for the family (one new client in ten thousand is mistaken for a known one of the token), eight each for version and
//! handshake. Of JA4 the protocol, the number of ciphers and the cipher hash count; the number and hash of extensions vary
//! with session resumption, and the application protocol with the connection.

mod user_agent;

use serde::{Deserialize, Serialize};
use tokenwatch_model::Client;

pub(crate) use user_agent::Product;

/// Bytes of a family's name that count.
const FAMILY_BYTES: usize = 48;
/// Cipher hashes that no browser offers: Go's, OpenSSL's as Python and as curl use it. Go's is also offered by web views of
/// iOS, so Safari is not held to it. Source: the public list of JA4's authors, and public captures.
const GO_CIPHERS: &str = "f57a46bbacb6";
const LIBRARY_CIPHERS: [&str; 4] = [
    "85036bcba153",
    "e8f1e7e78f70",
    "0d8feac7bc37",
    "c7886603b240",
];

/// A client, as far as two calls have to be told apart by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ClientKey {
    /// Never 0.
    family: u16,
    /// 0 if unknown.
    version: u8,
    /// 0 if unknown.
    handshake: u8,
}

/// How two clients differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    None,
    /// The same software in another version.
    Version,
    /// The same by its own account, but another TLS library.
    Handshake,
    /// Other software.
    Family,
}

impl ClientKey {
    /// The client of a call; `None` if it does not name itself.
    pub(crate) fn of(client: &Client<'_>) -> Option<Self> {
        let product = Product::of(client.user_agent.as_deref()?)?;
        Some(Self {
            family: family_hash(product.name),
            version: version_hash(product.version),
            handshake: client.ja4.as_deref().map_or(0, handshake_hash),
        })
    }

    /// How `self` differs from the known client `known`.
    pub(crate) fn difference(self, known: Self) -> Difference {
        let differ = |one: u8, other: u8| one != 0 && other != 0 && one != other;
        if self.family != known.family {
            Difference::Family
        } else if self.version != known.version {
            // Another version may well have another library.
            Difference::Version
        } else if differ(self.handshake, known.handshake) {
            Difference::Handshake
        } else {
            Difference::None
        }
    }

    /// Whether the two are the same software by its own account, whatever its version.
    pub(crate) fn is_same_as(self, other: Self) -> bool {
        self.family == other.family
    }

    /// Whether it says it is the same software in the same version, and shakes hands otherwise.
    pub(crate) fn claims_to_be(self, other: Self) -> bool {
        self.difference(other) == Difference::Handshake
    }

    /// The family, as a feature whose spread over the fleet is counted.
    pub(crate) fn family(self) -> u16 {
        self.family
    }
}

/// Whether a call claims to be a browser and shakes hands like a library.
pub(crate) fn contradicts_itself(client: &Client<'_>) -> bool {
    let (Some(agent), Some(ja4)) = (&client.user_agent, &client.ja4) else {
        return false;
    };
    let Some(product) = Product::of(agent).filter(Product::is_browser) else {
        return false;
    };
    let ciphers = ja4.split('_').nth(1).unwrap_or_default();
    // Every browser offers HTTP/2; `00` is a client that offers no application protocol at all.
    let speaks_nothing = ja4.get(8..10) == Some("00") && ja4.starts_with('t');
    LIBRARY_CIPHERS.contains(&ciphers)
        || (ciphers == GO_CIPHERS && !product.name.eq_ignore_ascii_case("safari"))
        || speaks_nothing
}

/// What a client calls itself, for people: `curl 8`, `Chrome 131`.
pub(crate) fn describe(client: &Client<'_>) -> Option<String> {
    let product = Product::of(client.user_agent.as_deref()?)?;
    let name = crate::samples::shortened(product.name);
    let major = product.major();
    Some(if major.is_empty() {
        name.to_owned()
    } else {
        format!("{name} {major}")
    })
}

/// The family's hash: letters of the first part in lower case without digits, later parts unless they hold digits, so that
/// `worker-17`, `python3-requests` and `aws-sdk-go-v2` are what they are without their numbers.
fn family_hash(name: &str) -> u16 {
    let letters = name
        .split(['-', '_', '.'])
        .enumerate()
        .filter(|(index, part)| *index == 0 || !part.bytes().any(|byte| byte.is_ascii_digit()))
        .flat_map(|(_, part)| part.bytes())
        .filter(|byte| !byte.is_ascii_digit())
        .map(|byte| byte.to_ascii_lowercase());
    (fold(letters.take(FAMILY_BYTES)) as u16).max(1)
}

fn version_hash(version: &str) -> u8 {
    let major = user_agent::major(version);
    if major.is_empty() {
        0
    } else {
        (fold(major.bytes()) as u8).max(1)
    }
}

/// `t13d1516h2_8daaf6152771_02713d6af862`: `t13`, the 15 ciphers and their hash.
fn handshake_hash(ja4: &str) -> u8 {
    let mut parts = ja4.split('_');
    let (Some(shape), Some(ciphers)) = (parts.next(), parts.next()) else {
        return 0;
    };
    let (Some(protocol), Some(count)) = (shape.get(..3), shape.get(4..6)) else {
        return 0;
    };
    let stable = protocol.bytes().chain(count.bytes()).chain(ciphers.bytes());
    (fold(stable.take(FAMILY_BYTES)) as u8).max(1)
}

/// FNV-1a with its upper bits folded into the lower: short inputs, few bits wanted, and the same on every run.
fn fold(bytes: impl Iterator<Item = u8>) -> u32 {
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash ^ (hash >> 16) ^ (hash >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(agent: &'static str, ja4: Option<&'static str>) -> ClientKey {
        ClientKey::of(&client(agent, ja4)).expect("it names itself")
    }

    fn client(agent: &'static str, ja4: Option<&'static str>) -> Client<'static> {
        Client {
            user_agent: Some(agent.into()),
            ja4: ja4.map(Into::into),
            ..Client::default()
        }
    }

    #[test]
    fn families_survive_releases_builds_and_instances() {
        for (one, other, want) in [
            ("acme-sdk/2.1", "acme-sdk/2.9 (linux)", Difference::None),
            ("acme-sdk/2.1", "acme-sdk/3.0", Difference::Version),
            ("acme-sdk/2.1", "curl/8.5.0", Difference::Family),
            ("worker-17", "worker-4", Difference::None),
            ("Go-http-client/1.1", "Go-http-client/2.0", Difference::None),
            (
                "aws-cli/2.13.0 Python/3.11",
                "[aws-cli/2.15.1 Python/3.12]",
                Difference::None,
            ),
            (
                "Boto3/1.28 md/Botocore#1.31",
                "aws-cli/2.13.0 Python/3.11",
                Difference::Family,
            ),
        ] {
            assert_eq!(
                key(one, None).difference(key(other, None)),
                want,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn a_handshake_counts_by_its_stable_parts() {
        let chrome = "t13d1516h2_8daaf6152771_02713d6af862";
        let resumed = "t13d1517h1_8daaf6152771_b0da82dd1658";
        let go = "t13d1312h2_f57a46bbacb6_ab7e3b40a677";
        let agent = "acme-sdk/2.1";
        assert_eq!(
            key(agent, Some(chrome)).difference(key(agent, Some(resumed))),
            Difference::None
        );
        assert_eq!(
            key(agent, Some(chrome)).difference(key(agent, Some(go))),
            Difference::Handshake
        );
        assert_eq!(
            key(agent, None).difference(key(agent, Some(go))),
            Difference::None
        );
        assert_eq!(key(agent, Some("x")).handshake, 0);
        assert_eq!(key(agent, Some("ä_ö_ü")).handshake, 0);
    }

    #[test]
    fn a_browser_that_shakes_hands_like_a_library_contradicts_itself() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
        for (agent, ja4, want) in [
            (chrome, "t13d1516h2_8daaf6152771_02713d6af862", false),
            (chrome, "t13d1812h1_85036bcba153_b26ce05bbdd6", true),
            (chrome, "t13d1312h2_f57a46bbacb6_ab7e3b40a677", true),
            (chrome, "t13d131000_f57a46bbacb6_e7c285222651", true),
            (
                "python-requests/2.32",
                "t13d1812h1_85036bcba153_b26ce05bbdd6",
                false,
            ),
        ] {
            assert_eq!(
                contradicts_itself(&client(agent, Some(ja4))),
                want,
                "{agent} {ja4}"
            );
        }
    }

    #[test]
    fn clients_are_named_for_people() {
        for (agent, name) in [
            ("curl/8.5.0", "curl 8"),
            ("acme-sdk", "acme-sdk"),
            (
                "Mozilla/5.0 (X11) Gecko/20100101 Firefox/132.0",
                "Firefox 132",
            ),
        ] {
            assert_eq!(describe(&client(agent, None)).as_deref(), Some(name));
        }
        assert_eq!(describe(&Client::default()), None);
    }
}
