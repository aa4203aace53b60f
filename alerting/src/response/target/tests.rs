//! What each target is asked, against a server that answers in the shapes that the APIs document.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokenwatch_model::{Response, ResponseAction, ResponseResult};

use super::*;
use crate::config::AlertingConfig;
use crate::response::{ResponseDecision, TokenFacts, lines_of};
use crate::testing::http_server::{HttpServer, Received};
use crate::testing::{NOW, Secrets, finding};

const OK: &str = "HTTP/1.1 200 OK";
/// A key on P-256, as PEM.
pub(super) const SSF_KEY: &str = include_str!("../../testing/ssf_key.pem");

/// The target that these keys make, and a rule that asks it.
pub(super) fn target(keys: &str, action: &str, url: &str) -> (Target, Ask) {
    let text = format!(
        r#"
        [response]
        mode = "enforce"
        [[response.targets]]
        name = "it"
        allow_private = true
        url = "{url}"
        {keys}
        [response.ssf]
        issuer = "https://tokenwatch.example.com"
        key_env = ["SSF_KEY"]
        [[response.rules]]
        severity = "high"
        action = "{action}"
        "#
    );
    let config: AlertingConfig = toml::from_str(&text).expect("the configuration's shape");
    let secrets = Secrets(HashMap::from([
        ("SECRET", "s3cr3t"),
        ("SSF_KEY", SSF_KEY),
        ("AWS_SECRET", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ]));
    let settings = config
        .validate("alerting", &secrets)
        .expect("valid settings");
    let facts = TokenFacts {
        networks: vec!["203.0.113.0/24".parse().expect("a network")],
        ..TokenFacts::default()
    };
    let response = &settings.response;
    let finding = finding(1);
    let decision = ResponseDecision::Act(&response.rules[0]);
    let line = lines_of(decision, &finding, &facts, response, NOW).remove(0);
    let ask = Ask {
        response: line,
        token: finding.token.clone().expect("a token"),
        finding: Arc::new(finding),
    };
    (Target::new(&response.targets[0]).expect("a target"), ask)
}

fn undoing(ask: &Ask, handle: &str) -> Ask {
    let mut undo = ask.clone();
    undo.response = ask.response.followed_by(ResponseResult::Undoing, NOW);
    undo.response.details.handle = handle.to_owned();
    undo
}

/// What the server was asked, in its order.
pub(super) fn heard(server: &mut HttpServer) -> Vec<Received> {
    let mut requests = Vec::new();
    while let Ok(request) = server.requests.try_recv() {
        requests.push(request);
    }
    requests
}

fn lines(requests: &[Received]) -> Vec<&str> {
    requests
        .iter()
        .map(|request| request.line.as_str())
        .collect()
}

fn json_of(request: &Received) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

fn done(attempt: Attempt) -> String {
    match attempt {
        Attempt::Done(handle) => handle,
        other => panic!("{other:?}"),
    }
}

const KONG: &str = "kind = \"kong\"\ntoken_env = \"SECRET\"";

#[tokio::test]
async fn kong_deletes_the_credential_that_it_finds() {
    let found =
        "HTTP/1.1 200 OK\n\n{\"id\":\"5cbc\",\"consumer\":{\"id\":\"c1\"},\"created_at\":1}";
    let missing = "HTTP/1.1 404 Not Found\n\n{\"message\":\"Not found\"}";
    let mut server = HttpServer::answering(&[found, "HTTP/1.1 204 No Content", missing]).await;
    let (kong, ask) = target(KONG, "revoke", &server.url);
    done(kong.carry_out(&ask, NOW).await);
    let again = kong.carry_out(&ask, NOW).await;
    assert_eq!(again, Attempt::Refused("no_such_credential".to_owned()));
    let requests = heard(&mut server);
    let path = "/hook/consumers/acme/key-auth/5cbc";
    let (get, delete) = (format!("GET {path}"), format!("DELETE {path}"));
    assert_eq!(lines(&requests), [get.as_str(), &delete, &get]);
    assert_eq!(requests[1].headers["kong-admin-token"], "s3cr3t");
}

#[tokio::test]
async fn kong_does_what_is_milder_by_a_plugin_that_it_removes_again() {
    for (action, name, config) in [
        (
            "throttle",
            "rate-limiting",
            json!({"minute": 60, "policy": "local", "limit_by": "consumer"}),
        ),
        (
            "restrict",
            "ip-restriction",
            json!({"allow": ["203.0.113.0/24"]}),
        ),
        (
            "suspend",
            "request-termination",
            json!({"status_code": 403, "message": "this credential is suspended"}),
        ),
    ] {
        let mut server = HttpServer::answering(&[OK, OK, "HTTP/1.1 204 No Content"]).await;
        let (kong, ask) = target(KONG, action, &server.url);
        let handle = done(kong.carry_out(&ask, NOW).await);
        assert_eq!(
            done(kong.carry_out(&ask, NOW).await),
            handle,
            "twice is once"
        );
        done(kong.carry_out(&undoing(&ask, &handle), NOW).await);
        let requests = heard(&mut server);
        let path = format!("/hook/consumers/acme/plugins/{handle}");
        let (put, delete) = (format!("PUT {path}"), format!("DELETE {path}"));
        assert_eq!(lines(&requests), [put.as_str(), &put, &delete]);
        let plugin = json_of(&requests[0]);
        assert_eq!(
            (&plugin["name"], &plugin["config"]),
            (&json!(name), &config)
        );
        let shape: Vec<usize> = handle.split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12], "a UUID");
    }
}

#[tokio::test]
async fn ids_stay_in_their_place_in_paths() {
    let mut server = HttpServer::answering(&[OK]).await;
    let (kong, mut ask) = target(KONG, "suspend", &server.url);
    ask.token.consumer = Some("a/../../b?x#y".to_owned());
    done(kong.carry_out(&ask, NOW).await);
    ask.token.consumer = Some("..".to_owned());
    done(kong.carry_out(&ask, NOW).await);
    let requests = heard(&mut server);
    let start = |at: usize| {
        requests[at]
            .line
            .split("/plugins/")
            .next()
            .map(str::to_owned)
    };
    assert_eq!(
        start(0).as_deref(),
        Some("PUT /hook/consumers/a%2F..%2F..%2Fb%3Fx%23y")
    );
    assert_eq!(start(1).as_deref(), Some("PUT /hook/consumers/%252E"));
}

#[tokio::test]
async fn apisix_deletes_the_consumers_credential() {
    let deleted = "HTTP/1.1 200 OK\n\n{\"deleted\":\"1\",\"key\":\"/apisix/consumers/acme/credentials/5cbc\"}";
    let mut server = HttpServer::answering(&[deleted, "HTTP/1.1 404 Not Found"]).await;
    let (apisix, ask) = target(
        "kind = \"apisix\"\nkey_env = \"SECRET\"",
        "revoke",
        &server.url,
    );
    done(apisix.carry_out(&ask, NOW).await);
    let again = apisix.carry_out(&ask, NOW).await;
    assert_eq!(again, Attempt::Refused("no_such_credential".to_owned()));
    let requests = heard(&mut server);
    let line = "DELETE /hook/apisix/admin/consumers/acme/credentials/5cbc";
    assert_eq!(lines(&requests), [line, line]);
    assert_eq!(requests[0].headers["x-api-key"], "s3cr3t");
}

#[tokio::test]
async fn oauth_revokes_by_the_name_that_the_gateway_logs() {
    let mut server = HttpServer::answering(&[OK]).await;
    let keys = "kind = \"oauth\"\nclient_id = \"token watch\"\nclient_secret_env = \"SECRET\"";
    let (oauth, ask) = target(keys, "revoke", &server.url);
    done(oauth.carry_out(&ask, NOW).await);
    let requests = heard(&mut server);
    assert_eq!(lines(&requests), ["POST /hook"]);
    assert_eq!(requests[0].body, b"token=5cbc");
    // token+watch:s3cr3t
    assert_eq!(
        requests[0].headers["authorization"],
        "Basic dG9rZW4rd2F0Y2g6czNjcjN0"
    );
    let form = &requests[0].headers["content-type"];
    assert_eq!(form, "application/x-www-form-urlencoded");
}

const KEYCLOAK: &str = "kind = \"keycloak\"\nrealm = \"shop\"\nclient_id = \"tokenwatch\"\nclient_secret_env = \"SECRET\"";
const LOGIN: &str = "HTTP/1.1 200 OK\n\n{\"access_token\":\"eyJ.eyJ.sig\",\"expires_in\":60,\"token_type\":\"Bearer\"}";
const CLIENTS: &str = "HTTP/1.1 200 OK\n\n[{\"id\":\"other\",\"clientId\":\"acme-2\"},{\"id\":\"u-1\",\"clientId\":\"acme\",\"enabled\":true}]";

#[tokio::test]
async fn keycloak_disables_the_client_and_voids_what_it_was_issued() {
    let pushed = "HTTP/1.1 200 OK\n\n{}";
    let no_content = "HTTP/1.1 204 No Content";
    let answers = [
        LOGIN, CLIENTS, no_content, pushed, LOGIN, CLIENTS, no_content,
    ];
    let mut server = HttpServer::answering(&answers).await;
    let (keycloak, ask) = target(KEYCLOAK, "revoke", &server.url);
    assert_eq!(done(keycloak.carry_out(&ask, NOW).await), "u-1");
    done(keycloak.carry_out(&undoing(&ask, "u-1"), NOW).await);
    let requests = heard(&mut server);
    let client = "/hook/admin/realms/shop/clients/u-1";
    let put = format!("PUT {client}");
    assert_eq!(
        lines(&requests),
        [
            "POST /hook/realms/shop/protocol/openid-connect/token",
            "GET /hook/admin/realms/shop/clients?clientId=acme",
            &put,
            &format!("POST {client}/push-revocation"),
            "POST /hook/realms/shop/protocol/openid-connect/token",
            "GET /hook/admin/realms/shop/clients?clientId=acme",
            &put,
        ]
    );
    let secs = NOW.as_secs();
    let revoke = json!({"clientId": "acme", "enabled": false, "notBefore": secs});
    assert_eq!(json_of(&requests[2]), revoke);
    assert_eq!(
        json_of(&requests[6]),
        json!({"clientId": "acme", "enabled": true})
    );
    assert_eq!(requests[2].headers["authorization"], "Bearer eyJ.eyJ.sig");
}

#[tokio::test]
async fn keycloak_never_locks_itself_out_and_names_what_it_does_not_know() {
    let nobody = "HTTP/1.1 200 OK\n\n[]";
    let server = HttpServer::answering(&[LOGIN, nobody, "HTTP/1.1 401 Unauthorized"]).await;
    let (keycloak, mut ask) = target(KEYCLOAK, "suspend", &server.url);
    let refused = |reason: &str| Attempt::Refused(reason.to_owned());
    assert_eq!(
        keycloak.carry_out(&ask, NOW).await,
        refused("no_such_client")
    );
    assert_eq!(keycloak.carry_out(&ask, NOW).await, refused("http_401"));
    ask.token.consumer = Some("tokenwatch".to_owned());
    assert_eq!(keycloak.carry_out(&ask, NOW).await, refused("own_client"));
}

const AWS: &str = "kind = \"aws\"\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key_env = \"AWS_SECRET\"\n\
                   quarantine_policy = \"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3\"";
const USED: &str = "HTTP/1.1 200 OK\n\n<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult><AccessKeyLastUsed>\
                    <Region>us-west-2</Region></AccessKeyLastUsed><UserName>Bob</UserName></GetAccessKeyLastUsedResult>\
                    </GetAccessKeyLastUsedResponse>";

#[tokio::test]
async fn aws_keys_become_inactive_and_their_user_is_quarantined_until_it_is_undone() {
    let mut server = HttpServer::answering(&[USED, OK, OK, USED, OK, OK]).await;
    let (aws, mut ask) = target(AWS, "revoke", &server.url);
    ask.token.credential_id = Some("AKIAIOSFODNN7EXAMPLE".to_owned());
    assert_eq!(done(aws.carry_out(&ask, NOW).await), "Bob");
    done(aws.carry_out(&undoing(&ask, "Bob"), NOW).await);
    let requests = heard(&mut server);
    let bodies: Vec<String> = requests
        .iter()
        .map(|request| String::from_utf8(request.body.clone()).expect("text"))
        .collect();
    let key = "AccessKeyId=AKIAIOSFODNN7EXAMPLE";
    let user = "UserName=Bob&Version=2010-05-08";
    let policy = "PolicyArn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FAWSCompromisedKeyQuarantineV3";
    let question = format!("Action=GetAccessKeyLastUsed&{key}&Version=2010-05-08");
    assert_eq!(
        bodies,
        [
            question.clone(),
            format!("Action=UpdateAccessKey&{key}&Status=Inactive&{user}"),
            format!("Action=AttachUserPolicy&{policy}&{user}"),
            question,
            format!("Action=UpdateAccessKey&{key}&Status=Active&{user}"),
            format!("Action=DetachUserPolicy&{policy}&{user}"),
        ]
    );
    let signed = &requests[0].headers["authorization"];
    let start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/iam/aws4_request, ";
    assert!(signed.starts_with(start), "{signed}");
    assert_eq!(requests[0].headers["x-amz-date"], "20261122T064000Z");
}

#[tokio::test]
async fn aws_says_which_of_its_errors_may_pass() {
    let error =
        |code: &str| format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
    let throttled = format!("HTTP/1.1 400 Bad Request\n\n{}", error("Throttling"));
    let missing = format!("HTTP/1.1 404 Not Found\n\n{}", error("NoSuchEntity"));
    let answers: [&'static str; 2] = [throttled.leak(), missing.leak()];
    let server = HttpServer::answering(&answers).await;
    let (aws, mut ask) = target(AWS, "suspend", &server.url);
    ask.token.credential_id = Some("ASIAIOSFODNN7EXAMPLE".to_owned());
    let refused = |reason: &str| Attempt::Refused(reason.to_owned());
    assert_eq!(
        aws.carry_out(&ask, NOW).await,
        refused("not_a_long_lived_access_key")
    );
    ask.token.credential_id = Some("AKIAIOSFODNN7EXAMPLE".to_owned());
    assert!(matches!(
        aws.carry_out(&ask, NOW).await,
        Attempt::TryAgain { .. }
    ));
    assert_eq!(
        aws.carry_out(&ask, NOW).await,
        refused("http_404 NoSuchEntity")
    );
}

#[tokio::test]
async fn a_webhook_is_told_what_is_done_until_when_and_how_it_ends() {
    let mut server = HttpServer::answering(&[]).await;
    let keys = "kind = \"webhook\"\nsecret_env = [\"HOOK\"]\nundo = true";
    let text = format!(
        r#"
        [[response.targets]]
        name = "it"
        allow_private = true
        url = "{}"
        {keys}
        [[response.rules]]
        severity = "high"
        action = "restrict"
        lasts = "2h"
        "#,
        server.url
    );
    let text = text.replace("HOOK", "HOOK_SECRET");
    let settings = crate::testing::settings(&text).response;
    let facts = TokenFacts {
        networks: vec!["203.0.113.0/24".parse().expect("a network")],
        ..TokenFacts::default()
    };
    let finding = finding(1);
    let decision = ResponseDecision::Act(&settings.rules[0]);
    let response: Response = lines_of(decision, &finding, &facts, &settings, NOW).remove(0);
    assert_eq!(response.action, ResponseAction::Restrict);
    let ask = Ask {
        response,
        token: finding.token.clone().expect("a token"),
        finding: Arc::new(finding),
    };
    let hook = Target::new(&settings.targets[0]).expect("a target");
    done(hook.carry_out(&ask, NOW).await);
    done(hook.carry_out(&undoing(&ask, ""), NOW).await);
    let requests = heard(&mut server);
    let (first, second) = (json_of(&requests[0]), json_of(&requests[1]));
    assert_eq!(
        (&first["type"], &second["type"]),
        (&json!("token.restrict"), &json!("token.restore"))
    );
    assert_eq!(first["data"]["networks"], json!(["203.0.113.0/24"]));
    assert_eq!(first["data"]["until"], "2026-11-22T08:40:00.000Z");
    assert_eq!(second["data"]["action"], "restrict");
    assert_eq!(second["data"].get("until"), None);
    let id = &requests[0].headers["webhook-id"];
    assert_eq!(requests[1].headers["webhook-id"], format!("{id}_undo"));
}
