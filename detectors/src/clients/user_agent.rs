//! The product that a user agent names: `curl/8.5.0`, or the most specific one behind a browser's historical baggage.
//!
//! RFC 9110, 10.1.5: products by significance, with comments between them. Browsers all begin with `Mozilla/5.0` and go on
//! with their engines; the one that is nobody else's is the browser, or the application around it.

/// Products that many browsers name beside their own.
const BAGGAGE: &[&str] = &[
    "Mozilla",
    "AppleWebKit",
    "Gecko",
    "KHTML",
    "Version",
    "Mobile",
    "like",
];
/// Wrappers that name the tool they serve after themselves: `APN/1.0 HashiCorp/1.0 Terraform/1.9`.
const WRAPPERS: &[&str] = &["APN", "HashiCorp"];
/// What follows the slash is the protocol's version, not the client's.
const UNVERSIONED: &str = "Go-http-client";
const BROWSERS: &[&str] = &[
    "Chrome",
    "Safari",
    "Firefox",
    "Edg",
    "EdgA",
    "EdgiOS",
    "OPR",
    "CriOS",
    "FxiOS",
    "SamsungBrowser",
    "Vivaldi",
];

/// A product and its version, which may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Product<'t> {
    pub(crate) name: &'t str,
    pub(crate) version: &'t str,
}

impl<'t> Product<'t> {
    /// The product that `agent` stands for; `None` if it names none.
    pub(crate) fn of(agent: &'t str) -> Option<Self> {
        let agent =
            agent.trim_matches(|letter: char| letter.is_whitespace() || "[]\"".contains(letter));
        let mut products = Products { rest: agent };
        let first = products.next()?;
        if first.name == "Mozilla" {
            return Some(behind_baggage(first, products));
        }
        if WRAPPERS.contains(&first.name) {
            let named = products.find(|product| !WRAPPERS.contains(&product.name));
            return Some(named.unwrap_or(first));
        }
        Some(if first.name == UNVERSIONED {
            Self {
                version: "",
                ..first
            }
        } else {
            first
        })
    }

    /// Whether it is a browser that people use.
    pub(crate) fn is_browser(&self) -> bool {
        BROWSERS.contains(&self.name)
    }

    /// The major version, as it is written.
    pub(crate) fn major(&self) -> &'t str {
        major(self.version)
    }
}

/// The digits before the first dot; empty if the version does not begin with a number.
pub(crate) fn major(version: &str) -> &str {
    let version = version.trim_start_matches(['v', 'V']);
    let end = version
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(version.len());
    &version[..end]
}

/// The most specific of a browser's products: what is neither baggage nor one of the two that others imitate.
fn behind_baggage<'t>(mozilla: Product<'t>, products: Products<'t>) -> Product<'t> {
    let (mut chrome, mut safari, mut version) = (None, None, "");
    for product in products {
        match product.name {
            "Chrome" => chrome = Some(product),
            "Safari" => safari = Some(product),
            "Version" => version = product.version,
            name if BAGGAGE.contains(&name) => {}
            _ => return product,
        }
    }
    // Safari's own number is that of its engine.
    let safari = safari.map(|product| Product { version, ..product });
    chrome.or(safari).unwrap_or(mozilla)
}

/// Products, comments left out.
struct Products<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Products<'t> {
    type Item = Product<'t>;

    fn next(&mut self) -> Option<Product<'t>> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', ',', ';', ')']);
            if self.rest.is_empty() {
                return None;
            }
            if self.rest.starts_with('(') {
                self.rest = after_comment(self.rest);
                continue;
            }
            let end = self
                .rest
                .find([' ', '\t', '(', ';', ','])
                .unwrap_or(self.rest.len());
            let (product, rest) = self.rest.split_at(end);
            self.rest = rest;
            let (name, version) = product.split_once('/').unwrap_or((product, ""));
            if !name.is_empty() {
                return Some(Product { name, version });
            }
        }
    }
}

/// What follows the comment that `text` begins with; nothing if it does not end.
fn after_comment(text: &str) -> &str {
    let mut depth = 0u32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_most_specific_product_counts() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, name, version) in [
            ("curl/8.5.0".to_owned(), "curl", "8"),
            (format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/131.0.0.0 Safari/537.36"), "Chrome", "131"),
            (format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2"), "Edg", "131"),
            (format!("Mozilla/5.0 (X11) {webkit} HeadlessChrome/120.0 Safari/537.36"), "HeadlessChrome", "120"),
            ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15".into(), "Safari", "17"),
            ("Mozilla/5.0 (X11; Linux; rv:132.0) Gecko/20100101 Firefox/132.0".into(), "Firefox", "132"),
            ("Mozilla/5.0 (Windows NT; en-US) WindowsPowerShell/5.1.22".into(), "WindowsPowerShell", "5"),
            ("Mozilla/5.0 (compatible)".into(), "Mozilla", "5"),
            ("APN/1.0 HashiCorp/1.0 Terraform/1.9.2 (+https://www.terraform.io) aws-sdk-go/1.44".into(), "Terraform", "1"),
            ("[aws-cli/1.18.69 Python/3.6.9 Linux/5.4.0 botocore/1.16.19]".into(), "aws-cli", "1"),
            ("console.amazonaws.com".into(), "console.amazonaws.com", ""),
            ("Go-http-client/2.0".into(), "Go-http-client", ""),
            ("acme-sdk/v2.1".into(), "acme-sdk", "2"),
        ] {
            let product = Product::of(&agent).expect("a product");
            assert_eq!((product.name, product.major()), (name, version), "{agent}");
        }
        assert_eq!(Product::of(" () "), None);
        assert_eq!(Product::of(""), None);
    }

    proptest! {
        #[test]
        fn no_text_is_a_problem(agent: String) {
            let product = Product::of(&agent);
            prop_assert!(product.is_none_or(|product| !product.name.is_empty()));
        }
    }
}
