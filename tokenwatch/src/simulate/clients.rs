//! The programs that simulated calls are made with: families with versions, and how their TLS looks.

/// A program; its versions are released one after the other.
#[derive(Debug)]
pub(super) struct Family {
    /// The user agent, with `{}` for the version.
    agent: &'static str,
    versions: [&'static str; VERSIONS],
    /// The JA4 fingerprint of its TLS library.
    pub(super) ja4: &'static str,
    /// Whether people use it, rather than machines.
    pub(super) is_human: bool,
}

/// Versions of each family: two in use, one to come.
pub(super) const VERSIONS: usize = 3;
/// The version that nobody uses until it is released.
pub(super) const NEXT_VERSION: u8 = 2;

/// A family and a version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Agent {
    /// An index into [`FAMILIES`].
    pub(super) family: u8,
    /// Which of its versions.
    pub(super) version: u8,
}

const fn family(
    agent: &'static str,
    versions: [&'static str; VERSIONS],
    ja4: &'static str,
    is_human: bool,
) -> Family {
    Family {
        agent,
        versions,
        ja4,
        is_human,
    }
}

/// Every family; thieves use the last ones.
pub(super) const FAMILIES: [Family; 14] = [
    family(
        "acme-sdk/{} (linux; rust)",
        ["2.0.4", "2.1.0", "2.2.0"],
        "t13d1312h2_f57a46bbacb6_ab7e3b40a677",
        false,
    ),
    family(
        "shop-sdk-python/{}",
        ["1.8.0", "1.9.2", "2.0.0"],
        "t13d1812h1_85036bcba153_375ca2c5e164",
        false,
    ),
    family(
        "okhttp/{}",
        ["4.11.0", "4.12.0", "5.0.0"],
        "t13d1613h2_46e7e9700bed_eca864cca44a",
        false,
    ),
    family(
        "axios/{}",
        ["1.6.8", "1.7.9", "1.8.1"],
        "t13d5911h1_a33745022dd6_1f22a2ca17c4",
        false,
    ),
    family(
        "Go-http-client/2.0 partner-sync/{}",
        ["5.3.1", "5.4.0", "5.5.0"],
        "t13d1311h2_f57a46bbacb6_e7c285222651",
        false,
    ),
    family(
        "Apache-HttpClient/{} (Java/21)",
        ["5.2.1", "5.3.1", "5.4.0"],
        "t13d4312h1_c7886603b240_b26ce05bbdd6",
        false,
    ),
    family(
        "terraform-provider-shop/{}",
        ["0.14.1", "0.15.0", "0.16.0"],
        "t13d1311h2_f57a46bbacb6_10ab4f1c3d2e",
        false,
    ),
    family(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
        ["145", "146", "147"],
        "t13d1516h2_8daaf6152771_02713d6af862",
        true,
    ),
    family(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{} Safari/605.1.15",
        ["18.5", "18.6", "26.0"],
        "t13d2014h2_a09f3c656075_14788d8d241b",
        true,
    ),
    family(
        "ShopApp/{} (iPhone; iOS 18.6)",
        ["7.1", "7.2", "7.3"],
        "t13d2014h2_a09f3c656075_e42f34c56612",
        true,
    ),
    family(
        "curl/{}",
        ["8.4.0", "8.5.0", "8.9.1"],
        "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6",
        false,
    ),
    family(
        "python-requests/{}",
        ["2.31.0", "2.32.3", "2.32.4"],
        "t13d1812h1_85036bcba153_b26ce05bbdd6",
        false,
    ),
    family(
        "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0",
        ["139", "140", "141"],
        "t13d1715h2_5b57614c22b0_3d5424432f57",
        true,
    ),
    family(
        "node-fetch/{} (+https://github.com/node-fetch/node-fetch)",
        ["2.6.9", "2.7.0", "3.3.2"],
        "t13d5911h1_a33745022dd6_c4a1d0e3b7f2",
        false,
    ),
];
/// Families of owners: these many from the first.
pub(super) const OWNERS: u8 = 10;

impl Agent {
    /// Its user agent.
    pub(super) fn text(self) -> String {
        let family = &FAMILIES[usize::from(self.family)];
        family
            .agent
            .replace("{}", family.versions[usize::from(self.version)])
    }

    /// Its JA4 fingerprint.
    pub(super) fn ja4(self) -> &'static str {
        FAMILIES[usize::from(self.family)].ja4
    }
}

/// The user agents of all families and versions, to be looked up by [`Agent::index`].
pub(super) fn texts() -> Vec<String> {
    (0..FAMILIES.len() as u8)
        .flat_map(|family| (0..VERSIONS as u8).map(move |version| Agent { family, version }.text()))
        .collect()
}

impl Agent {
    /// Where its text is in [`texts`].
    pub(super) fn index(self) -> usize {
        usize::from(self.family) * VERSIONS + usize::from(self.version)
    }
}
