use super::*;

fn token(claims: &str) -> String {
    format!("eyJhbGciOiJub25lIn0.{}.sig", URL_SAFE_NO_PAD.encode(claims))
}

fn read(token: &str) -> Option<Grant<'static>> {
    super::claims(token, &JwtPolicy::default())
}

#[test]
fn claims_are_read_whatever_their_types() {
    let claims = read(&token(
        r#"{"iss":"https://id","sub":17,"azp":"app","scp":["a","b"],"jti":"j"}"#,
    ))
    .unwrap();
    assert_eq!(claims.issuer.as_deref(), Some("https://id"));
    assert_eq!(claims.subject.as_deref(), Some("17"));
    assert_eq!(claims.client.as_deref(), Some("app"));
    assert_eq!(claims.scopes.as_deref(), Some("a, b"));
    assert_eq!(claims.instance.as_deref(), Some("j"));
}

#[test]
fn the_span_of_a_token_is_read_as_its_numeric_dates() {
    let span = |text: &str| {
        let claims = read(&token(text)).unwrap();
        (
            claims.issued_at.map(Timestamp::as_micros),
            claims.expires_at.map(Timestamp::as_micros),
        )
    };
    for (text, want) in [
        (
            r#"{"sub":"s","iat":1795329600,"exp":1795333200.5}"#,
            (Some(1_795_329_600_000_000), Some(1_795_333_200_500_000)),
        ),
        (
            r#"{"sub":"s","exp":"1795333200"}"#,
            (None, Some(1_795_333_200_000_000)),
        ),
        (r#"{"sub":"s","iat":17,"exp":"tomorrow"}"#, (None, None)),
        (r#"{"sub":"s","exp":1795333200000}"#, (None, None)),
    ] {
        assert_eq!(span(text), want, "{text}");
    }
}

#[test]
fn the_signature_may_have_been_stripped() {
    let token = token(r#"{"sub":"s"}"#);
    let stripped = token.trim_end_matches(".sig");
    assert_eq!(read(stripped).unwrap().subject.as_deref(), Some("s"));
}

#[test]
fn what_is_no_jwt_has_no_claims() {
    for token in [
        "",
        "eyJ",
        "eyJ.",
        "eyJ.!!.",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.bm90IGpzb24.x",
    ] {
        assert!(read(token).is_none(), "{token}");
    }
}

fn forged(header: &str, claims: &str) -> String {
    format!(
        "{}.{}.sig",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    )
}

const NOW: i64 = 1_793_577_600;

/// The facts of a token of an issuer that signs with RS256 for the orders API, with the keys `k1` and `k2`.
fn facts(header: &str, claims: &str) -> Vec<JwtFact> {
    let config = JwtConfig {
        issuers: vec![JwtIssuerConfig {
            issuer: "https://id.example".to_owned(),
            algorithms: vec!["RS256".to_owned()],
            audiences: vec!["orders".to_owned()],
            keys_file: String::new(),
            key_ids: vec!["k1".to_owned(), "k2".to_owned()],
            file_key_ids: Vec::new(),
        }],
        ..JwtConfig::default()
    };
    let policy = config.policy(&mut tokenwatch_model::Problems::at(""));
    let grant = super::claims(&forged(header, claims), &policy).unwrap();
    let at = Timestamp::from_secs(NOW);
    policy.judge(&grant, Proven::default(), at).iter().collect()
}

const GOOD: &str = r#"{"iss":"https://id.example","sub":"s","aud":["orders","billing"],"exp":1793581200,"iat":1793577600}"#;

#[test]
fn a_token_as_it_should_be_gives_no_facts() {
    assert_eq!(facts(r#"{"alg":"RS256","kid":"k2","typ":"JWT"}"#, GOOD), []);
}

#[test]
fn headers_are_held_against_what_the_issuer_does() {
    for (header, want) in [
        (
            r#"{"alg":"none"}"#,
            &[JwtFact::UnexpectedAlgorithm, JwtFact::UnknownKey][..],
        ),
        (
            r#"{"alg":"HS256","kid":"k1"}"#,
            &[JwtFact::ConfusedAlgorithm],
        ),
        (
            r#"{"alg":"ES256","kid":"k1"}"#,
            &[JwtFact::UnexpectedAlgorithm],
        ),
        (r#"{"alg":"RS256","kid":"k3"}"#, &[JwtFact::UnknownKey]),
        (
            r#"{"alg":"RS256","kid":"k1","jku":"https://evil.example/k"}"#,
            &[JwtFact::ForeignKeyUrl],
        ),
        (
            r#"{"alg":"RS256","kid":"k1","jku":"https://id.example/k","jwk":{"kty":"RSA"}}"#,
            &[JwtFact::EmbeddedKey],
        ),
    ] {
        assert_eq!(facts(header, GOOD), want, "{header}");
    }
}

#[test]
fn claims_are_held_against_clock_and_configuration() {
    let header = r#"{"alg":"RS256","kid":"k1"}"#;
    for (claims, want) in [
        (
            r#"{"iss":"https://id.example","aud":"orders"}"#,
            &[JwtFact::MissingEnd][..],
        ),
        (
            r#"{"iss":"https://id.example","aud":"other","exp":1793581200}"#,
            &[JwtFact::UnexpectedAudience],
        ),
        (
            r#"{"iss":"https://id.example","exp":1793581200}"#,
            &[JwtFact::UnexpectedAudience],
        ),
        (
            r#"{"iss":"https://evil.example","aud":"orders","exp":1793581200}"#,
            &[JwtFact::UnexpectedIssuer],
        ),
        (
            r#"{"iss":"https://id.example","aud":"orders","exp":1793581200,"iat":1793578200}"#,
            &[JwtFact::FromTheFuture],
        ),
        (
            r#"{"iss":"https://id.example","aud":"orders","exp":1793581200,"nbf":1793577899}"#,
            &[],
        ),
        (
            r#"{"iss":"https://id.example","aud":"orders","exp":1793581200,"email":"a@b.example","pwd":"x"}"#,
            &[JwtFact::SecretClaims, JwtFact::PersonalClaims],
        ),
    ] {
        assert_eq!(facts(header, claims), want, "{claims}");
    }
}

#[test]
fn without_configuration_only_what_is_wrong_anywhere_is_noticed() {
    let policy = JwtPolicy::default();
    let token = forged(
        r#"{"alg":"HS256","kid":"x"}"#,
        r#"{"iss":"anybody","aud":"x","exp":1793581200}"#,
    );
    let grant = super::claims(&token, &policy).unwrap();
    assert_eq!(grant.algorithm, JwtAlgorithm::HS256);
    let at = Timestamp::from_secs(NOW);
    assert!(policy.judge(&grant, Proven::default(), at).is_empty());
}

#[test]
fn a_certificate_that_is_not_the_one_in_the_token_is_noticed() {
    let claims = format!(
        r#"{{"iss":"i","exp":1793581200,"cnf":{{"x5t#S256":"{}"}}}}"#,
        URL_SAFE_NO_PAD.encode([0; 32])
    );
    let policy = JwtPolicy::default();
    let grant = super::claims(&forged(r#"{"alg":"RS256"}"#, &claims), &policy).unwrap();
    let judge = |fingerprint: &str| {
        let mut proven = Proven::default();
        proven.field(crate::binding::ProofField::Fingerprint, Some(fingerprint));
        policy
            .judge(&grant, proven, Timestamp::from_secs(NOW))
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(judge(&"00".repeat(32)), []);
    assert_eq!(judge(&"01".repeat(32)), [JwtFact::CertificateMismatch]);
}
