//! Decides which token a call used: the stable identity that habits belong to.
//!
//! In this order, unless another is configured: the gateway's own name of the credential; the grant behind a JWT; the raw
//! token; the consumer. Each gives an id under the deployment key, and a raw token that was seen beside a better identity
//! becomes its alias.

mod order;

use tokenwatch_model::{Format, JwtUse, Text, Timestamp, TokenId, TokenKind, TokenUse};

use crate::credentials::{Credentials, Grant, Place};
use crate::jwt::{self, JwtPolicy};
use crate::scrub::shapes;
use crate::token_key::TokenKey;

pub use order::IdentitySource;
pub(crate) use order::{IdentityOrders, check_order};

/// The token that a call at `at` used, if it used any. Texts are not scrubbed yet.
pub(crate) fn identify<'a>(
    key: &TokenKey,
    format: Format,
    credentials: &mut Credentials<'a>,
    orders: &IdentityOrders,
    policy: &JwtPolicy,
    at: Timestamp,
) -> Option<TokenUse<'a>> {
    let raw = credentials.token();
    let fingerprint = raw.map(|(token, _)| key.token_id(token.as_bytes()));
    let claims = raw.and_then(|(token, _)| jwt::claims(token, policy));
    let raw_kind = raw.map(|(token, place)| kind_of(token, place, claims.is_some()));
    let grant = claims.unwrap_or_else(|| std::mem::take(&mut credentials.grant));
    let jwt = jwt_use(key, &grant, credentials, policy, at);
    let grant_kind = if grant.is_named() {
        TokenKind::Jwt
    } else {
        TokenKind::Unknown
    };
    let kind = credentials.kind.or(raw_kind).unwrap_or(grant_kind);
    let credential_id = credentials.credential_id.take();
    let consumer = credentials.consumer.take();

    let id_by = |source: &IdentitySource| match source {
        // A name is unique within its gateway only, and the format stands for the gateway.
        IdentitySource::Credential => Some(key.credential_id(format, credential_id.as_deref()?)),
        IdentitySource::Grant => grant_id(key, &grant),
        IdentitySource::Fingerprint => fingerprint,
        IdentitySource::Consumer => {
            Some(key.name_id("consumer", &[format.name(), consumer.as_deref()?]))
        }
    };
    let mut sources = orders.of(format).iter();
    let (id, source) = sources.find_map(|source| Some((id_by(source)?, source)))?;
    let kind = match source {
        IdentitySource::Credential if kind == TokenKind::Unknown => TokenKind::ApiKey,
        IdentitySource::Consumer => raw_kind.unwrap_or(TokenKind::Unknown),
        _ => kind,
    };

    let alias = fingerprint.filter(|fingerprint| *fingerprint != id);
    // Sessions of the browser are many of one grant, too.
    let is_short_lived = matches!(kind, TokenKind::Jwt | TokenKind::Session);
    Some(TokenUse {
        id,
        kind,
        credential_id,
        instance: grant.instance.or_else(|| {
            alias
                .filter(|_| is_short_lived)
                .map(|digest| digest.to_string().into())
        }),
        consumer: consumer.or(grant.client),
        scopes: grant.scopes.map(scopes_of).unwrap_or_default(),
        fingerprint: alias,
        issued_at: grant.issued_at,
        expires_at: grant.expires_at,
        jwt,
    })
}

/// The id of the grant, if it names anybody.
fn grant_id(key: &TokenKey, grant: &Grant<'_>) -> Option<TokenId> {
    let parts = [&grant.issuer, &grant.subject, &grant.client]
        .map(|part| part.as_deref().unwrap_or_default());
    grant.is_named().then(|| key.name_id("grant", &parts))
}

/// What is noticed about a JWT; nothing of what is none.
fn jwt_use(
    key: &TokenKey,
    grant: &Grant<'_>,
    credentials: &Credentials<'_>,
    policy: &JwtPolicy,
    at: Timestamp,
) -> Option<JwtUse> {
    // Names alone that a gateway logged say nothing about a token.
    if grant.algorithm.is_unsaid() && grant.noticed.is_empty() && grant.bound.is_free() {
        return None;
    }
    let digest = |issuer: &str| (key.name_id("issuer", &[issuer]).bits() >> 96) as u32;
    Some(JwtUse {
        algorithm: grant.algorithm,
        issuer: grant
            .issuer
            .as_deref()
            .map_or(0, |issuer| digest(issuer).max(1)),
        facts: policy.judge(grant, credentials.proven, at),
    })
}

impl Grant<'_> {
    /// Whether it names anybody.
    fn is_named(&self) -> bool {
        self.subject.is_some() || self.client.is_some()
    }
}

fn kind_of(token: &str, place: Place, is_jwt: bool) -> TokenKind {
    match place {
        _ if is_jwt => TokenKind::Jwt,
        Place::Header | Place::Query | Place::Basic => TokenKind::ApiKey,
        Place::Cookie => TokenKind::Session,
        Place::Authorization if shapes::is_key(token) => TokenKind::ApiKey,
        Place::Authorization | Place::Other => TokenKind::Unknown,
    }
}

/// `a b`, `a,b` and `["a","b"]` are the scopes a and b.
fn scopes_of(text: Text<'_>) -> Vec<Text<'_>> {
    let is_separator = |c: char| matches!(c, ' ' | ',' | '[' | ']' | '"' | '\'');
    match text {
        Text::Borrowed(text) => text
            .split(is_separator)
            .filter(|scope| !scope.is_empty())
            .map(Text::Borrowed)
            .collect(),
        Text::Owned(text) => text
            .split(is_separator)
            .filter(|scope| !scope.is_empty())
            .map(|scope| Text::Owned(scope.to_owned()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::names::CredentialNames;

    fn key() -> TokenKey {
        TokenKey::from_bytes(&[7; 32])
    }

    fn use_of(fill: impl FnOnce(&mut Credentials<'static>)) -> Option<TokenUse<'static>> {
        use_in_order(&IdentitySource::ALL, fill)
    }

    fn use_in_order(
        order: &[IdentitySource],
        fill: impl FnOnce(&mut Credentials<'static>),
    ) -> Option<TokenUse<'static>> {
        let mut credentials = Credentials::default();
        fill(&mut credentials);
        identify(
            &key(),
            Format::Kong,
            &mut credentials,
            &IdentityOrders::new(order, &BTreeMap::new()),
            &JwtPolicy::default(),
            Timestamp::from_secs(1_793_577_600),
        )
    }

    fn header(name: &str, value: impl Into<String>) -> impl FnOnce(&mut Credentials<'static>) {
        let (name, value) = (name.to_owned(), value.into());
        move |credentials| credentials.header(&CredentialNames::default(), &name, value.into())
    }

    fn jwt(claims: &str) -> String {
        format!(
            "Bearer eyJhbGciOiJub25lIn0.{}.sig",
            URL_SAFE_NO_PAD.encode(claims)
        )
    }

    #[test]
    fn a_call_without_a_credential_has_no_token() {
        assert_eq!(use_of(|_| {}), None);
        assert_eq!(use_of(header("authorization", "REDACTED")), None);
    }

    #[test]
    fn a_raw_key_is_its_fingerprint() {
        let token = use_of(header("apikey", "k-1")).unwrap();
        assert_eq!(token.id, key().token_id(b"k-1"));
        assert_eq!(token.kind, TokenKind::ApiKey);
        assert_eq!(token.fingerprint, None);
    }

    #[test]
    fn the_gateways_name_comes_first_and_the_raw_key_becomes_its_alias() {
        let token = use_of(|credentials| {
            credentials.credential_id = Some("5cbc".into());
            header("apikey", "k-1")(credentials);
        })
        .unwrap();
        assert_eq!(token.credential_id.as_deref(), Some("5cbc"));
        assert_eq!(token.fingerprint, Some(key().token_id(b"k-1")));
        assert_ne!(token.id, key().token_id(b"k-1"));
        assert_ne!(token.id, key().token_id(b"5cbc"));
    }

    #[test]
    fn jwts_of_one_grant_are_one_token_with_many_instances() {
        let first = use_of(header(
            "authorization",
            jwt(r#"{"iss":"i","sub":"s","azp":"c","jti":"1","scope":"a b"}"#),
        ))
        .unwrap();
        let second = use_of(header(
            "authorization",
            jwt(r#"{"iss":"i","sub":"s","azp":"c","jti":"2"}"#),
        ))
        .unwrap();
        let other = use_of(header(
            "authorization",
            jwt(r#"{"iss":"i","sub":"t","azp":"c"}"#),
        ))
        .unwrap();
        assert_eq!(first.id, second.id);
        assert_ne!(first.id, other.id);
        assert_eq!(first.instance.as_deref(), Some("1"));
        assert_eq!(
            other.instance,
            other.fingerprint.map(|digest| digest.to_string().into())
        );
        assert_eq!(first.kind, TokenKind::Jwt);
        assert_eq!(first.consumer.as_deref(), Some("c"));
        assert_eq!(first.scopes, ["a", "b"]);
    }

    #[test]
    fn claims_that_the_gateway_logged_are_the_same_grant_as_the_token() {
        let raw = use_of(header("authorization", jwt(r#"{"sub":"svc-billing"}"#))).unwrap();
        let logged =
            use_of(|credentials| credentials.grant.subject = Some("svc-billing".into())).unwrap();
        assert_eq!(raw.id, logged.id);
    }

    #[test]
    fn the_consumer_is_the_last_resort() {
        let token = use_of(|credentials| credentials.consumer = Some("acme".into())).unwrap();
        assert_eq!(token.id, key().name_id("consumer", &["kong", "acme"]));
        assert_eq!(token.kind, TokenKind::Unknown);
    }

    #[test]
    fn the_order_decides_and_what_is_left_out_identifies_nothing() {
        use IdentitySource::{Consumer, Credential, Fingerprint, Grant};
        let everything = |credentials: &mut Credentials<'static>| {
            credentials.credential_id = Some("5cbc".into());
            credentials.consumer = Some("acme".into());
            credentials.grant.subject = Some("svc".into());
            header("apikey", "k-1")(credentials);
        };
        let credential = key().credential_id(Format::Kong, "5cbc");
        let grant = key().name_id("grant", &["", "svc", ""]);
        let fingerprint = key().token_id(b"k-1");
        let consumer = key().name_id("consumer", &["kong", "acme"]);
        for (order, expected) in [
            (&[Credential, Grant, Fingerprint, Consumer][..], credential),
            (&[Grant, Credential], grant),
            (&[Fingerprint, Credential], fingerprint),
            (&[Consumer], consumer),
        ] {
            let token = use_in_order(order, everything).unwrap();
            assert_eq!(token.id, expected, "{order:?}");
            assert_eq!(token.credential_id.as_deref(), Some("5cbc"));
            let alias = (expected != fingerprint).then_some(fingerprint);
            assert_eq!(token.fingerprint, alias, "{order:?}");
        }
        assert_eq!(use_in_order(&[Grant], header("apikey", "k-1")), None);
    }

    #[test]
    fn a_format_may_have_an_order_of_its_own() {
        let own = BTreeMap::from([(Format::Kong, vec![IdentitySource::Consumer])]);
        let orders = IdentityOrders::new(&IdentitySource::ALL, &own);
        assert_eq!(orders.of(Format::Kong), [IdentitySource::Consumer]);
        assert_eq!(orders.of(Format::Nginx), IdentitySource::ALL);
    }

    #[test]
    fn browser_sessions_belong_to_their_grant() {
        let session = |value: &'static str| {
            let token = use_of(|credentials| {
                credentials.grant.subject = Some("ada".into());
                header("cookie", format!("session={value}"))(credentials);
            });
            token.unwrap()
        };
        let (first, second) = (session("s-1"), session("s-2"));
        assert_eq!(first.id, second.id);
        assert_eq!(first.kind, TokenKind::Session);
        assert_eq!(
            first.instance,
            Some(key().token_id(b"s-1").to_string().into())
        );
        assert_ne!(first.instance, second.instance);
    }

    #[test]
    fn scopes_are_read_from_every_notation() {
        for text in ["a b", "a,b", "a, b", r#"["a","b"]"#] {
            assert_eq!(scopes_of(text.into()), ["a", "b"], "{text}");
        }
    }
}
