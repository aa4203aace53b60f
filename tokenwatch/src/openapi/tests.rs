//! Documents that are read, those that are refused, and one of a real API.

use std::borrow::Cow;
use std::sync::Arc;

use tokenwatch_detectors::{Detections, Engine};
use tokenwatch_model::{
    AccessEvent, Client, Detector, EventFlags, Format, Http, Origin, Outcome, Timestamp, TokenId,
    TokenKind, TokenUse,
};

use super::RequiredScopes::{All, Any};
use super::*;

/// The description of the Figma REST API, version 0.37.0, as Figma publishes it.
const FIGMA: &str = include_str!("../../tests/fixtures/openapi/figma.yaml");

/// Its operations, and those that need a scope, as another reader of YAML counts them.
const FIGMA_OPERATIONS: (usize, usize) = (47, 46);

const HEAD: &str = "\
openapi: 3.0.3
servers: [{url: 'https://{region}.example.com/api/v2/'}, {url: /internal}]
components:
  securitySchemes:
    key: {type: apiKey, name: X, in: header}
    login: {type: oauth2, flows: {}}
security: [{login: [all]}]
";

fn told(text: &str, config: &OpenApiConfig) -> Vec<String> {
    let operations = operations(text, config).expect("a document");
    operations
        .iter()
        .map(|operation| {
            let sets: Vec<String> = operation.requires.iter().map(|set| set.join("+")).collect();
            format!("{} {} {}", operation.method, operation.path, sets.join("|"))
        })
        .collect()
}

#[test]
fn operations_have_their_base_paths_and_scopes() {
    let text = format!(
        "{HEAD}paths:\n  /orders/{{id}}.json:\n    summary: one\n    get: {{}}\n    delete:\n      servers: [{{url: /v3}}]\n      \
         security: [{{key: []}}, {{login: [orders:write, all]}}]\n  /open:\n    get: {{security: []}}\n    post: {{security: [{{}}, {{login: [all]}}]}}\n  \
         /same: {{$ref: '#/components/pathItems/same'}}\n"
    );
    let text = text.replace(
        "components:\n",
        "components:\n  pathItems: {same: {put: {security: [{key: []}]}}}\n",
    );
    let config = OpenApiConfig::default();
    assert_eq!(
        told(&text, &config),
        [
            "GET /api/v2/orders/{any} all",
            "GET /internal/orders/{any} all",
            "DELETE /v3/orders/{any} orders:write+all",
            "GET /api/v2/open ",
            "GET /internal/open ",
            "POST /api/v2/open ",
            "POST /internal/open ",
            "PUT /api/v2/same ",
            "PUT /internal/same ",
        ]
    );
    let config = OpenApiConfig {
        base_path: Some("/gateway".to_owned()),
        requires: RequiredScopes::Any,
        ..config
    };
    assert_eq!(
        told(&text, &config)[1],
        "DELETE /gateway/orders/{any} orders:write|all"
    );
}

#[test]
fn json_is_read_like_yaml() {
    let text = r#"{"openapi": "3.1.0", "info": {"title": "A\tB é \ud83d\uDE00 \\ud83d \" \/"},
	"components": {"securitySchemes": {"login": {"type": "openIdConnect"}}},
	"paths": {"/a": {"get": {"security": [{"login": ["read"]}]}}}}"#;
    assert_eq!(told(text, &OpenApiConfig::default()), ["GET /a read"]);
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    let document = |paths: &str| format!("{HEAD}paths:\n{paths}");
    for (text, line, message) in [
        (String::new(), 1, "is empty"),
        ("just text".to_owned(), 1, "is no OpenAPI document"),
        ("a: 1\nb: [\n".to_owned(), 3, ""),
        (
            "info: {}\n".to_owned(),
            1,
            "is no OpenAPI document: it has no key",
        ),
        ("info: {}\nswagger: '2.0'\n".to_owned(), 2, "is Swagger 2"),
        ("openapi: 4.0.0\n".to_owned(), 1, "only OpenAPI 3"),
        ("openapi: 3.0.0\ninfo: {}\n".to_owned(), 1, "has no paths"),
        (document("  - /a\n"), 9, "paths must be a map"),
        (
            document("  /a:\n    get:\n      security: {login: []}\n"),
            11,
            "security must be a list",
        ),
        (
            document("  /a:\n    get:\n      security:\n        - logni: [x]\n"),
            12,
            "no security scheme is called \"logni\"",
        ),
        (
            document("  /a:\n    $ref: other.yaml#/a\n"),
            10,
            "\"other.yaml#/a\" is in another file",
        ),
        (
            document("  /a:\n    $ref: '#/components/pathItems/a'\n"),
            10,
            "\"#/components/pathItems/a\" does not exist",
        ),
        (
            format!("openapi: 3.0.0\npaths: {}", "[".repeat(5_000)),
            2,
            "recursion limit exceeded",
        ),
        ("a: &a [*a]\n".to_owned(), 1, "an alias stands inside"),
    ] {
        let error = operations(&text, &OpenApiConfig::default()).expect_err(&text);
        assert_eq!(error.line, line, "{text}: {error:?}");
        assert!(error.message.starts_with(message), "{text}: {error:?}");
    }
}

#[test]
fn a_document_that_names_itself_over_and_over_stays_small() {
    let mut text = "openapi: 3.0.0\npaths: {}\na0: &a0 [x]\n".to_owned();
    for level in 1..60 {
        let before = level - 1;
        let line = format!("a{level}: &a{level} [*a{before}, *a{before}, *a{before}]\n");
        text.push_str(&line);
    }
    assert_eq!(told(&text, &OpenApiConfig::default()), Vec::<String>::new());
}

/// A call with `scopes`.
fn call(second: i64, method: &str, path: &str, scopes: &[&str]) -> AccessEvent<'static> {
    AccessEvent {
        ts: Timestamp::from_secs(1_793_577_600 + second),
        format: Format::ALL[0],
        request_id: None,
        token: Some(TokenUse {
            id: TokenId::from_bits(1),
            kind: TokenKind::Jwt,
            credential_id: None,
            instance: None,
            consumer: Some(Cow::Borrowed("acme")),
            scopes: scopes
                .iter()
                .map(|scope| Cow::Owned((*scope).to_owned()))
                .collect(),
            fingerprint: None,
            issued_at: None,
            expires_at: None,
            jwt: None,
        }),
        client: Client::default(),
        http: Http {
            method: Some(Cow::Owned(method.to_owned())),
            host: Some(Cow::Borrowed("api.figma.com")),
            path: Some(Cow::Owned(path.to_owned())),
            status: Some(200),
            ..Http::default()
        },
        tls: None,
        outcome: Outcome::Ok,
        flags: EventFlags::default(),
        origin: Origin::default(),
    }
}

/// Whether `out_of_scope` tells a call, judged by the real document.
fn is_out_of_scope(requires: RequiredScopes, event: AccessEvent<'static>) -> bool {
    let document = OpenApiConfig {
        hosts: vec!["api.figma.com".to_owned()],
        requires,
        ..OpenApiConfig::default()
    };
    let mut config = DetectorsConfig::default();
    config.out_of_scope.operations = operations(FIGMA, &document).expect("a document");
    let settings = config.validate("detectors").expect("valid");
    let mut out = Detections::default();
    let mut engine = Engine::new(Arc::new(settings));
    engine.process(&[event], &mut out);
    engine.finish(&mut out);
    out.findings
        .iter()
        .any(|finding| finding.detector == Detector::OutOfScope)
}

#[test]
fn a_real_document_drives_out_of_scope() {
    let read = operations(FIGMA, &OpenApiConfig::default()).expect("a document");
    let with_scopes = read
        .iter()
        .filter(|operation| !operation.requires.is_empty());
    assert_eq!((read.len(), with_scopes.count()), FIGMA_OPERATIONS);
    for (requires, method, path, scopes, want) in [
        // The document lists a scope and its deprecated forerunner, and means one of them.
        (
            Any,
            "GET",
            "/v1/files/aBc123",
            &["file_content:read"][..],
            false,
        ),
        (
            All,
            "GET",
            "/v1/files/aBc123",
            &["file_content:read"][..],
            true,
        ),
        (
            All,
            "GET",
            "/v1/files/aBc123",
            &["files:read", "file_content:read"][..],
            false,
        ),
        (Any, "GET", "/v1/files/aBc123", &["webhooks:read"][..], true),
        (
            Any,
            "POST",
            "/v1/files/aBc123/comments",
            &["file_comments:read"][..],
            true,
        ),
        (
            Any,
            "POST",
            "/v1/files/aBc123/comments",
            &["file_comments:write"][..],
            false,
        ),
        (Any, "GET", "/v1/me", &["current_user:read"][..], false),
        (
            Any,
            "POST",
            "/v1/files/aBc123/variables",
            &["file_variables:read"][..],
            true,
        ),
        // Not in the document, and a token whose scopes nobody knows.
        (Any, "GET", "/v9/unknown", &["webhooks:read"][..], false),
        (Any, "GET", "/v1/files/aBc123", &[][..], false),
    ] {
        let event = call(0, method, path, scopes);
        assert_eq!(
            is_out_of_scope(requires, event),
            want,
            "{requires:?} {method} {path} {scopes:?}"
        );
    }
}
