//! Finds the credentials of a call: in headers, the query and cookies, and what the gateway says about them.
//!
//! Everything found here that could be secret is remembered until the record is decoded, so that
//! [`crate::scrub`] can cut it out wherever else it stands.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use smallvec::SmallVec;
use tokenwatch_model::{JwtAlgorithm, JwtFacts, Text, Timestamp, TokenKind};

use crate::binding::{Bound, Proven};
use crate::names::CredentialNames;
use crate::scrub::shapes;

/// More secrets than this in one call are not told apart; the rest is still never stored.
const SECRETS_LIMIT: usize = 16;
/// Shorter ones are not cut out of other texts: that would leave no text whole.
const NEEDLE_MIN_BYTES: usize = 6;

/// What is known about the credential of a call.
#[derive(Debug, Default)]
pub(crate) struct Credentials<'a> {
    /// The gateway's own name of the credential.
    pub(crate) credential_id: Option<Text<'a>>,
    /// The consumer that the gateway names.
    pub(crate) consumer: Option<Text<'a>>,
    /// What sort of credential it is, where the record says.
    pub(crate) kind: Option<TokenKind>,
    /// The claims of a JWT that the gateway logged.
    pub(crate) grant: Grant<'a>,
    /// The keys that the caller proved to hold.
    pub(crate) proven: Proven,
    secrets: Secrets<'a>,
}

/// The raw secrets of a call.
#[derive(Debug, Default)]
pub(crate) struct Secrets<'a>(SmallVec<[Secret<'a>; 2]>);

/// The claims that make a grant.
#[derive(Debug, Default)]
pub(crate) struct Grant<'a> {
    /// `iss`.
    pub(crate) issuer: Option<Text<'a>>,
    /// `sub`.
    pub(crate) subject: Option<Text<'a>>,
    /// `client_id` or `azp`.
    pub(crate) client: Option<Text<'a>>,
    /// `jti`.
    pub(crate) instance: Option<Text<'a>>,
    /// `scope` or `scp`, as written.
    pub(crate) scopes: Option<Text<'a>>,
    /// `iat`.
    pub(crate) issued_at: Option<Timestamp>,
    /// `exp`.
    pub(crate) expires_at: Option<Timestamp>,
    /// `nbf`.
    pub(crate) not_before: Option<Timestamp>,
    /// `aud`, several of them with `, ` in between.
    pub(crate) audience: Option<Text<'a>>,
    /// `alg` of the header.
    pub(crate) algorithm: JwtAlgorithm,
    /// `cnf`.
    pub(crate) bound: Bound,
    /// What names of claims, and the header, gave away already.
    pub(crate) noticed: JwtFacts,
}

/// Where a secret stood; the first of these in a call is its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The Authorization header, other than Basic.
    Authorization,
    /// A header that carries keys.
    Header,
    /// A parameter of the query that carries keys.
    Query,
    /// The Authorization header's Basic scheme.
    Basic,
    /// A session cookie.
    Cookie,
    /// Anywhere else: no identity, only to be cut out.
    Other,
}

/// A raw secret of the record. Not `Debug`: it must never be printed.
struct Secret<'a> {
    text: Text<'a>,
    place: Place,
}

impl std::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({:?})", self.place)
    }
}

impl<'a> Credentials<'a> {
    /// Takes a header of any name; only those that carry credentials are remembered.
    pub(crate) fn header(&mut self, names: &CredentialNames, name: &str, value: Text<'a>) {
        match name.len() {
            6 if name.eq_ignore_ascii_case("cookie") => self.cookies(names, &value),
            4 if name.eq_ignore_ascii_case("dpop") => {
                self.proven.proof(&value);
                self.other(value);
            }
            13 if name.eq_ignore_ascii_case("authorization") => self.authorization(value),
            19 if name.eq_ignore_ascii_case("proxy-authorization") => self.other(value),
            23 if is_forwarded_certificate(name) => self.proven.forwarded(&value),
            _ if names.is_key_header(name) => {
                // A repeated header arrives as one list; a key holds no comma and blank.
                for part in split(&value, ", ") {
                    self.add(part, Place::Header);
                }
            }
            _ if names.is_sensitive(name) => self.other(value),
            _ => {}
        }
    }

    /// Takes the value of an Authorization header.
    pub(crate) fn authorization(&mut self, value: Text<'a>) {
        let Some(blank) = value.find(' ') else {
            return self.add(value, Place::Authorization);
        };
        let scheme = &value[..blank];
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        let rest = trim(tail(&value, blank + 1));
        if is("basic") {
            self.basic(rest);
        } else if is("aws4-hmac-sha256") {
            // The signature changes with every call; the access key id does not.
            let id = rest
                .split("Credential=")
                .nth(1)
                .and_then(|id| id.split('/').next());
            if let Some(id) = id.map(|id| Cow::Owned(id.to_owned())) {
                self.add(id, Place::Authorization);
            }
            self.other(rest);
        } else if ["digest", "negotiate", "ntlm", "hawk", "oauth", "signature"]
            .into_iter()
            .any(is)
            || rest.contains([' ', ','])
        {
            // A proof that changes with every call is no identity.
            self.other(rest);
        } else {
            self.add(rest, Place::Authorization);
        }
    }

    /// Takes the session cookies of a Cookie header.
    pub(crate) fn cookies(&mut self, names: &CredentialNames, value: &Text<'a>) {
        for pair in split(value, ";") {
            let pair = trim(pair);
            if let Some(equals) = pair.find('=')
                && names.is_session_cookie(&pair[..equals])
            {
                self.add(trim_quotes(tail(&pair, equals + 1)), Place::Cookie);
            }
        }
    }

    /// Takes the query of `target`; whether a credential stands in it.
    pub(crate) fn query(&mut self, names: &CredentialNames, target: &Text<'a>) -> bool {
        let Some(mark) = memchr::memchr(b'?', target.as_bytes()) else {
            return false;
        };
        self.parameters(names, &tail(target, mark + 1))
    }

    /// Takes a query; whether a credential stands in it.
    pub(crate) fn parameters(&mut self, names: &CredentialNames, query: &Text<'a>) -> bool {
        let before = self.secrets.0.len();
        for pair in split(query, "&") {
            if let Some(equals) = memchr::memchr(b'=', pair.as_bytes()) {
                self.parameter(names, &pair[..equals], tail(&pair, equals + 1));
            }
        }
        self.secrets.0.len() > before
    }

    /// Takes one parameter of a query.
    pub(crate) fn parameter(&mut self, names: &CredentialNames, name: &str, value: Text<'a>) {
        if names.is_key_parameter(name) {
            self.add(decode(value), Place::Query);
        } else if names.is_sensitive(name) || shapes::is_key(&value) {
            self.other(decode(value));
        }
    }

    /// Remembers something secret that is no identity.
    pub(crate) fn other(&mut self, value: Text<'a>) {
        self.add(value, Place::Other);
    }

    /// Remembers a raw key.
    pub(crate) fn key(&mut self, value: Text<'a>) {
        self.add(value, Place::Header);
    }

    /// Remembers a session cookie's value.
    pub(crate) fn session(&mut self, value: Text<'a>) {
        self.add(value, Place::Cookie);
    }

    /// The raw token that is the identity, and where it stood.
    pub(crate) fn token(&self) -> Option<(&str, Place)> {
        self.secrets
            .0
            .iter()
            .filter(|secret| secret.place != Place::Other)
            .min_by_key(|secret| secret.place)
            .map(|secret| (&*secret.text, secret.place))
    }

    /// Every secret that was found.
    pub(crate) fn secrets(&self) -> &Secrets<'a> {
        &self.secrets
    }

    /// The secrets, which are needed once the credentials have been told.
    pub(crate) fn take_secrets(&mut self) -> Secrets<'a> {
        std::mem::take(&mut self.secrets)
    }

    /// Whether there may have been more secrets than are told apart.
    pub(crate) fn is_full(&self) -> bool {
        self.secrets.0.len() >= SECRETS_LIMIT
    }

    /// Each token alone, as if the call had no other.
    pub(crate) fn apart(self) -> impl Iterator<Item = Self> {
        let tokens = self.secrets.0.into_iter();
        tokens
            .filter(|secret| secret.place != Place::Other)
            .map(|secret| Self {
                secrets: Secrets(SmallVec::from_iter([secret])),
                ..Self::default()
            })
    }

    fn basic(&mut self, encoded: Text<'a>) {
        let bytes = encoded.as_bytes();
        let decoded = STANDARD
            .decode(bytes)
            .or_else(|_| STANDARD_NO_PAD.decode(bytes))
            .ok()
            .and_then(|pair| String::from_utf8(pair).ok());
        if let Some(pair) = decoded
            && let Some((user, password)) = pair.split_once(':')
        {
            // A key with an empty password (Stripe's way) is found again by the key alone.
            let token = if password.is_empty() { user } else { &pair };
            self.add(Cow::Owned(token.to_owned()), Place::Basic);
            self.other(Cow::Owned(password.to_owned()));
            self.other(encoded);
        } else {
            self.add(encoded, Place::Basic);
        }
    }

    fn add(&mut self, text: Text<'a>, place: Place) {
        let text = trim(text);
        if !is_redacted(&text) && self.secrets.0.len() < SECRETS_LIMIT {
            self.secrets.0.push(Secret { text, place });
        }
    }
}

impl Secrets<'_> {
    /// Every secret that must not be left standing in another text.
    pub(crate) fn needles(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .map(|secret| &*secret.text)
            .filter(|text| text.len() >= NEEDLE_MIN_BYTES)
    }
}

/// `X-Forwarded-Client-Cert`, also as nginx names it.
fn is_forwarded_certificate(name: &str) -> bool {
    name.eq_ignore_ascii_case("x-forwarded-client-cert")
        || name.eq_ignore_ascii_case("x_forwarded_client_cert")
}

/// Whether the gateway put this in the place of a secret.
fn is_redacted(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "redacted",
        "filtered",
        "masked",
        "hidden",
        "removed",
        "secret",
        "undefined",
        "nil",
        "true",
    ];
    if crate::json::is_missing(text) {
        return true;
    }
    let word = text.trim_matches(['[', ']', '<', '>', '(', ')', '{', '}', '*', '"', '\'']);
    WORDS
        .into_iter()
        .any(|redacted| word.eq_ignore_ascii_case(redacted))
        || text.bytes().all(|byte| matches!(byte, b'*' | b'.' | b'-'))
        || text.bytes().all(|byte| matches!(byte, b'x' | b'X'))
}

/// The text behind `start`, still borrowed if it was.
fn tail<'a>(text: &Text<'a>, start: usize) -> Text<'a> {
    part(text, start..text.len())
}

fn part<'a>(text: &Text<'a>, range: std::ops::Range<usize>) -> Text<'a> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

fn trim(text: Text<'_>) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
        Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_owned()),
    }
}

fn trim_quotes(text: Text<'_>) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches('"')),
        Cow::Owned(text) => Cow::Owned(text.trim_matches('"').to_owned()),
    }
}

/// The parts of `text` between `separator`.
fn split<'t, 'a>(
    text: &'t Text<'a>,
    separator: &'t str,
) -> impl Iterator<Item = Text<'a>> + use<'t, 'a> {
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let rest = &text.as_bytes()[from..];
        let end = memchr::memmem::find(rest, separator.as_bytes()).map(|at| from + at);
        start = end.map(|end| end + separator.len());
        Some(part(text, from..end.unwrap_or(text.len())))
    })
}

/// A parameter's value without its percent encoding; a `+` stays, because keys hold no blank.
fn decode(value: Text<'_>) -> Text<'_> {
    if !value.contains('%') {
        return value;
    }
    match percent_encoding::percent_decode_str(&value).decode_utf8() {
        Ok(decoded) => Cow::Owned(decoded.into_owned()),
        Err(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        fill: impl FnOnce(&mut Credentials<'static>, &CredentialNames),
    ) -> Option<(String, Place)> {
        let mut credentials = Credentials::default();
        fill(&mut credentials, &CredentialNames::default());
        credentials
            .token()
            .map(|(token, place)| (token.to_owned(), place))
    }

    fn check_header(name: &str, value: &'static str, expected: Option<(&str, Place)>) {
        let token = found(|credentials, names| credentials.header(names, name, value.into()));
        let expected = expected.map(|(token, place)| (token.to_owned(), place));
        assert_eq!(token, expected, "{name}: {value}");
    }

    #[test]
    fn tokens_are_found_in_every_header_that_carries_them() {
        check_header(
            "Authorization",
            "Bearer abc.def",
            Some(("abc.def", Place::Authorization)),
        );
        check_header(
            "authorization",
            "ApiKey  k-1",
            Some(("k-1", Place::Authorization)),
        );
        check_header(
            "authorization",
            "bare-key",
            Some(("bare-key", Place::Authorization)),
        );
        check_header("X-API-Key", "k-1", Some(("k-1", Place::Header)));
        check_header("apikey", "k-1, k-2", Some(("k-1", Place::Header)));
        check_header(
            "cookie",
            "lang=en; session=\"s-1\"",
            Some(("s-1", Place::Cookie)),
        );
        check_header("accept", "k-1", None);
    }

    #[test]
    fn basic_credentials_are_read_from_their_encoding() {
        // sk_live_x: and user:password
        check_header(
            "authorization",
            "Basic c2tfbGl2ZV94Og==",
            Some(("sk_live_x", Place::Basic)),
        );
        check_header(
            "authorization",
            "basic dXNlcjpwYXNzd29yZA==",
            Some(("user:password", Place::Basic)),
        );
    }

    #[test]
    fn proofs_that_change_with_every_call_are_no_identity() {
        check_header(
            "authorization",
            "Digest username=\"u\", response=\"abcdef\"",
            None,
        );
        check_header("authorization", "Negotiate YIIabcdef", None);
        check_header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20251122/us-east-1/s3/aws4_request, Signature=ff",
            Some(("AKIAEXAMPLE", Place::Authorization)),
        );
    }

    #[test]
    fn what_a_gateway_redacted_is_no_token() {
        for value in [
            "REDACTED",
            "Bearer REDACTED",
            "[redacted]",
            "Bearer ...",
            "***",
            "xxxx",
            "-",
            "",
            "<filtered>",
        ] {
            let value: &'static str = value;
            check_header("authorization", value, None);
        }
    }

    #[test]
    fn tokens_in_the_query_are_decoded() {
        let token = found(|credentials, names| {
            assert!(credentials.query(names, &"/v1?limit=1&api_key=a%2Fb%3D".into()));
        });
        assert_eq!(token, Some(("a/b=".to_owned(), Place::Query)));
        let token =
            found(|credentials, names| assert!(!credentials.query(names, &"/v1?limit=1".into())));
        assert_eq!(token, None);
    }

    #[test]
    fn a_header_counts_before_the_query_and_the_query_before_a_cookie() {
        let token = found(|credentials, names| {
            credentials.header(names, "cookie", "session=s".into());
            credentials.query(names, &"/?api_key=q".into());
            credentials.header(names, "apikey", "h".into());
        });
        assert_eq!(token, Some(("h".to_owned(), Place::Header)));
    }

    #[test]
    fn secrets_are_not_printed() {
        let mut credentials = Credentials::default();
        credentials.authorization("Bearer hush-hush".into());
        assert!(!format!("{credentials:?}").contains("hush"));
    }
}
