//! Names of headers, parameters and cookies, compared the way gateways mangle them: in either case, `-` as `_`.

/// Headers whose value is a key, besides Authorization and Cookie.
pub(crate) const KEY_HEADERS: [&str; 12] = [
    "apikey",
    "api-key",
    "x-api-key",
    "x-apikey",
    "api-token",
    "x-api-token",
    "x-auth-token",
    "x-access-token",
    "private-token",
    "x-goog-api-key",
    "x-vault-token",
    "ocp-apim-subscription-key",
];
/// Parameters of the query whose value is a key.
pub(crate) const KEY_PARAMETERS: [&str; 9] = [
    "api_key",
    "apikey",
    "x-api-key",
    "access_token",
    "auth_token",
    "token",
    "private_token",
    "subscription-key",
    "jwt",
];
/// Cookies whose value is a session or a token.
pub(crate) const SESSION_COOKIES: [&str; 14] = [
    "session",
    "sessionid",
    "session_id",
    "session_token",
    "sid",
    "connect.sid",
    "jsessionid",
    "phpsessid",
    "asp.net_sessionid",
    "access_token",
    "auth_token",
    "token",
    "jwt",
    "__host-session",
];
/// Names whose value is secret without being an identity: cut out of every text.
const SENSITIVE: [&str; 28] = [
    "authorization",
    "proxy-authorization",
    "auth",
    "bearer",
    "cookie",
    "set-cookie",
    "credential",
    "credentials",
    "secret",
    "client_secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "private_key",
    "secret_key",
    "access_key",
    "refresh_token",
    "id_token",
    "sig",
    "signature",
    "x-amz-security-token",
    "x-amz-signature",
    "dpop",
    "x-forwarded-client-cert",
    "x-csrf-token",
    "x-xsrf-token",
];

/// The names under which credentials travel in one deployment.
#[derive(Clone, Debug)]
pub(crate) struct CredentialNames {
    headers: NameSet,
    parameters: NameSet,
    cookies: NameSet,
    sensitive: NameSet,
}

/// A set of a few names.
#[derive(Clone, Debug, Default)]
struct NameSet {
    /// By their length, so that most other names are told by that and their first letter.
    by_length: Vec<Names>,
}

/// Names of one length.
#[derive(Clone, Debug, Default)]
struct Names {
    names: Vec<Box<[u8]>>,
    /// One bit for each first letter: see [`letter`].
    first_letters: u32,
}

impl CredentialNames {
    /// These names; `sensitive` adds to the built-in ones.
    pub(crate) fn new(
        headers: &[String],
        parameters: &[String],
        cookies: &[String],
        sensitive: &[String],
    ) -> Self {
        let (headers, parameters, cookies) = (
            NameSet::new(headers),
            NameSet::new(parameters),
            NameSet::new(cookies),
        );
        let mut all = NameSet::new(&SENSITIVE);
        for name in sensitive {
            all.insert(name.as_ref());
        }
        for set in [&headers, &parameters, &cookies] {
            for name in set.by_length.iter().flat_map(|names| &names.names) {
                all.insert(name);
            }
        }
        Self {
            headers,
            parameters,
            cookies,
            sensitive: all,
        }
    }

    /// Whether this header's value is a key.
    pub(crate) fn is_key_header(&self, name: &str) -> bool {
        self.headers.contains(name.as_bytes())
    }

    /// Whether this parameter's value is a key.
    pub(crate) fn is_key_parameter(&self, name: &str) -> bool {
        self.parameters.contains(name.as_bytes())
    }

    /// Whether this cookie's value is a session.
    pub(crate) fn is_session_cookie(&self, name: &str) -> bool {
        self.cookies.contains(name.as_bytes())
    }

    /// Whether the value of this name is secret in whatever text it stands.
    pub(crate) fn is_sensitive(&self, name: &str) -> bool {
        self.sensitive.contains(name.as_bytes())
    }
}

impl Default for CredentialNames {
    fn default() -> Self {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        Self::new(
            &owned(&KEY_HEADERS),
            &owned(&KEY_PARAMETERS),
            &owned(&SESSION_COOKIES),
            &[],
        )
    }
}

impl NameSet {
    fn new<N: AsRef<str>>(names: &[N]) -> Self {
        let mut set = Self::default();
        for name in names {
            set.insert(name.as_ref().as_bytes());
        }
        set
    }

    fn insert(&mut self, name: &[u8]) {
        if name.is_empty() || self.contains(name) {
            return;
        }
        if self.by_length.len() <= name.len() {
            self.by_length.resize_with(name.len() + 1, Names::default);
        }
        let folded = name.iter().map(|byte| fold(*byte)).collect();
        let names = &mut self.by_length[name.len()];
        names.first_letters |= letter(name[0]);
        names.names.push(folded);
    }

    fn contains(&self, name: &[u8]) -> bool {
        let (Some(names), Some(first)) = (self.by_length.get(name.len()), name.first()) else {
            return false;
        };
        let is = |known: &[u8]| name.iter().zip(known).all(|(a, b)| fold(*a) == *b);
        names.first_letters & letter(*first) != 0 && names.names.iter().any(|known| is(known))
    }
}

/// The bit of a letter, the same in either case; others may share it.
fn letter(byte: u8) -> u32 {
    1 << (fold(byte) & 31)
}

fn fold(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_dashes_do_not_matter() {
        let names = CredentialNames::default();
        assert!(names.is_key_header("X_API_KEY"));
        assert!(names.is_key_parameter("Api-Key"));
        assert!(names.is_session_cookie("JSESSIONID"));
        assert!(!names.is_key_header("x-api-keys"));
        assert!(!names.is_key_header(""));
        assert!(!names.is_key_header(&"x".repeat(100)));
    }

    #[test]
    fn every_configured_name_is_sensitive() {
        let names = CredentialNames::new(&["x-our-key".into()], &[], &[], &["pin".into()]);
        assert!(names.is_sensitive("X-Our-Key"));
        assert!(names.is_sensitive("pin"));
        assert!(names.is_sensitive("client_secret"));
        assert!(!names.is_key_header("apikey"));
    }
}
