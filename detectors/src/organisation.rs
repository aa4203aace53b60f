//! What sort of network a call came from, by the words in the name of its autonomous system's organisation.
//!
//! Three sorts change what a place means: a data centre is where programs live, and where a thief's program lives, too;
//! an anonymiser (VPN, relay, secure web gateway) says nothing about where its users are; nor does a mobile carrier's or a
//! satellite's gateway, behind which thousands share an address. Everything else is a place. A heuristic: what it misses is
//! taken for an ordinary network. The lists hold names as the public databases spell them (DB-IP, GeoLite2, RIPE).

use tokenwatch_model::Client;

/// A sort of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkClass {
    /// Homes, offices, everything that is not one of the others.
    Ordinary,
    /// Data centres and clouds.
    Hosting,
    /// VPN, relays, security gateways: the address is not where the user is.
    Anonymiser,
    /// Mobile carriers and satellites: their gateways may be far from the user.
    Mobile,
}

/// Networks that are busy enough to be known by number, for databases that name no organisation.
const HOSTING_ASNS: &[u32] = &[
    8_075, 8_560, 12_876, 14_061, 14_618, 15_169, 16_276, 16_509, 20_473, 24_940, 31_898, 36_351,
    37_963, 45_090, 45_102, 51_167, 60_781, 63_949, 132_203, 197_540, 199_524, 213_230, 396_982,
];
const ANONYMISER_ASNS: &[u32] = &[
    9_009, 13_335, 20_940, 36_183, 39_351, 54_113, 60_068, 62_044, 136_787, 147_049, 212_238,
];

/// Words, or beginnings of words, that say so wherever they stand.
const ANONYMISER_WORDS: &[&str] = &[
    "vpn",
    "proxy",
    "relay",
    "anonym",
    "privacy",
    "mullvad",
    "nordvpn",
    "tefincom",
    "packethub",
    "proton",
    "m247",
    "datacamp",
    "cdn77",
    "31173",
    "zscaler",
    "netskope",
    "cloudflare",
    "fastly",
    "akamai",
    "icloud",
    "windscribe",
    "expressvpn",
    "surfshark",
    "torservers",
    "zwiebelfreunde",
];
const MOBILE_WORDS: &[&str] = &[
    "mobile",
    "mobil",
    "wireless",
    "cellular",
    "cellco",
    "mobility",
    "gsm",
    "lte",
    "3g",
    "4g",
    "5g",
    "starlink",
    "spacex",
    "hughes",
    "viasat",
    "oneweb",
    "inmarsat",
    "satellite",
    "jio",
    "mtn",
    "celular",
    "moviles",
    "movil",
    "docomo",
    "turkcell",
    "megafon",
    "vimpelcom",
    "telcel",
    "grameenphone",
    "safaricom",
];
const HOSTING_WORDS: &[&str] = &[
    "hosting",
    "hoster",
    "hostinger",
    "webhost",
    "cloud",
    "datacent",
    "server",
    "vps",
    "colo",
    "colocation",
    "dedicated",
    "amazon",
    "aws",
    "azure",
    "microsoft",
    "digitalocean",
    "hetzner",
    "ovh",
    "linode",
    "vultr",
    "choopa",
    "constant",
    "leaseweb",
    "contabo",
    "scaleway",
    "oracle",
    "alibaba",
    "aliyun",
    "tencent",
    "ionos",
    "godaddy",
    "rackspace",
    "softlayer",
    "equinix",
    "packet",
    "kamatera",
    "upcloud",
    "netcup",
    "gcore",
    "exoscale",
    "github",
    "heroku",
    "quadranet",
    "psychz",
    "colocrossing",
    "serverius",
    "worldstream",
];

impl NetworkClass {
    /// The sort of network that a call came from.
    pub(crate) fn of(client: &Client<'_>) -> Self {
        Self::of_names(client.as_org.as_deref(), client.asn)
    }

    /// The sort of the network `asn` of `organisation`.
    pub(crate) fn of_names(organisation: Option<&str>, asn: Option<u32>) -> Self {
        let asn_in = |list: &[u32]| asn.is_some_and(|asn| list.contains(&asn));
        if asn_in(ANONYMISER_ASNS) {
            return Self::Anonymiser;
        }
        if asn_in(HOSTING_ASNS) {
            return Self::Hosting;
        }
        let Some(organisation) = organisation else {
            return Self::Ordinary;
        };
        // Google's fibre is a home line; its other networks are a cloud.
        let organisation = organisation.to_ascii_lowercase();
        if organisation.contains("google") && !organisation.contains("fiber") {
            return Self::Hosting;
        }
        let has = |list: &[&str]| {
            let begins = |word: &str| list.iter().any(|known| begins_with_word(word, known));
            organisation
                .split(|letter: char| !letter.is_ascii_alphanumeric())
                .any(begins)
        };
        if has(ANONYMISER_WORDS) {
            Self::Anonymiser
        } else if has(MOBILE_WORDS) {
            Self::Mobile
        } else if has(HOSTING_WORDS) {
            Self::Hosting
        } else {
            Self::Ordinary
        }
    }

    /// Two bits, for the state of a token.
    pub(crate) const fn to_bits(self) -> u16 {
        self as u16
    }

    /// What [`NetworkClass::to_bits`] wrote.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        match bits & 3 {
            1 => Self::Hosting,
            2 => Self::Anonymiser,
            3 => Self::Mobile,
            _ => Self::Ordinary,
        }
    }

    /// Whether an address of such a network says where its user is.
    pub(crate) fn has_location(self) -> bool {
        self == Self::Ordinary
    }
}

/// Whether `word` is `known`, or begins with it where `known` is long enough not to be the beginning of other words.
fn begins_with_word(word: &str, known: &str) -> bool {
    if known.len() >= 5 {
        word.starts_with(known)
    } else {
        word == known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisations_are_told_apart_by_their_names() {
        for (name, class) in [
            ("Deutsche Telekom AG", NetworkClass::Ordinary),
            ("Comcast Cable Communications, LLC", NetworkClass::Ordinary),
            ("Google Fiber Inc.", NetworkClass::Ordinary),
            ("Google LLC", NetworkClass::Hosting),
            ("Amazon.com, Inc.", NetworkClass::Hosting),
            ("Hetzner Online GmbH", NetworkClass::Hosting),
            ("DigitalOcean, LLC", NetworkClass::Hosting),
            ("OVH SAS", NetworkClass::Hosting),
            ("M247 Europe SRL", NetworkClass::Anonymiser),
            ("Datacamp Limited", NetworkClass::Anonymiser),
            ("Mullvad VPN AB", NetworkClass::Anonymiser),
            ("Zscaler, Inc.", NetworkClass::Anonymiser),
            ("T-Mobile USA, Inc.", NetworkClass::Mobile),
            (
                "Cellco Partnership DBA Verizon Wireless",
                NetworkClass::Mobile,
            ),
            ("AT&T Mobility LLC", NetworkClass::Mobile),
            ("SpaceX Services, Inc.", NetworkClass::Mobile),
            ("Reliance Jio Infocomm Limited", NetworkClass::Mobile),
        ] {
            assert_eq!(NetworkClass::of_names(Some(name), None), class, "{name}");
        }
    }

    #[test]
    fn known_numbers_need_no_name() {
        assert_eq!(
            NetworkClass::of_names(None, Some(24_940)),
            NetworkClass::Hosting
        );
        assert_eq!(
            NetworkClass::of_names(None, Some(13_335)),
            NetworkClass::Anonymiser
        );
        assert_eq!(
            NetworkClass::of_names(None, Some(3_320)),
            NetworkClass::Ordinary
        );
        for class in [
            NetworkClass::Ordinary,
            NetworkClass::Hosting,
            NetworkClass::Anonymiser,
            NetworkClass::Mobile,
        ] {
            assert_eq!(NetworkClass::from_bits(class.to_bits()), class);
        }
    }
}
