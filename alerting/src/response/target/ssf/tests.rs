//! What a receiver of security event tokens is sent, and what is made of its answers. That a library of another language verifies the
//! signatures is shown by `tests/e2e/deny_list.py`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::PKey;

use super::super::Target;
use super::super::tests::{SSF_KEY, heard, target};
use super::*;
use crate::testing::NOW;
use crate::testing::http_server::HttpServer;

const ACCEPTED: &str = "HTTP/1.1 202 Accepted";
const RECEIVER: &str = "kind = \"ssf\"\naudience = \"https://idp.example.com\"";

/// The header and the claims of a token whose signature is good.
fn verified(token: &[u8]) -> (Value, Value) {
    let token = std::str::from_utf8(token).expect("ASCII");
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let signature = decoded(signature);
    assert_eq!(signature.len(), 64);
    let number = |bytes: &[u8]| openssl::bn::BigNum::from_slice(bytes).expect("a number");
    let signature =
        EcdsaSig::from_private_components(number(&signature[..32]), number(&signature[32..]));
    let digest = hash(MessageDigest::sha256(), message.as_bytes()).expect("a digest");
    let key = PKey::private_key_from_pem(SSF_KEY.as_bytes()).expect("a key");
    let key = key.ec_key().expect("a key on a curve");
    let is_good = signature.expect("a signature").verify(&digest, &key);
    assert!(is_good.expect("it can be compared"));
    let (header, claims) = message.split_once('.').expect("two parts");
    let json = |part: &str| serde_json::from_slice(&decoded(part)).expect("JSON");
    (json(header), json(claims))
}

async fn attempt_on(answer: &'static str) -> Attempt {
    let server = HttpServer::answering(&[answer]).await;
    let (receiver, ask) = target(RECEIVER, "revoke", &server.url);
    receiver.carry_out(&ask, NOW).await
}

#[tokio::test]
async fn a_session_revoked_event_has_the_claims_of_the_profile_and_no_others() {
    let mut server = HttpServer::answering(&[ACCEPTED, ACCEPTED]).await;
    let keys = format!("{RECEIVER}\ntoken_env = \"SECRET\"");
    let (receiver, ask) = target(&keys, "revoke", &server.url);
    for _ in 0..2 {
        assert_eq!(
            receiver.carry_out(&ask, NOW).await,
            Attempt::Done(String::new())
        );
    }
    let requests = heard(&mut server);
    assert_eq!(requests[0].line, "POST /hook");
    assert_eq!(
        requests[0].headers["content-type"],
        "application/secevent+jwt"
    );
    assert_eq!(requests[0].headers["accept"], "application/json");
    assert_eq!(requests[0].headers["authorization"], "Bearer s3cr3t");
    let (header, claims) = verified(&requests[0].body);
    assert_eq!(header["typ"], "secevent+jwt");
    assert_eq!(header["alg"], "ES256");
    let expected = json!({
        "iss": "https://tokenwatch.example.com",
        "iat": NOW.as_secs(),
        "jti": format!("{}.session-revoked", ask.response.id),
        "aud": "https://idp.example.com",
        "txn": ask.finding.id,
        "sub_id": {"format": "opaque", "id": "5cbc"},
        "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {
            "event_timestamp": NOW.as_secs(),
            "initiating_entity": "policy",
            "reason_admin": {"en": ask.finding.summary},
        }},
    });
    assert_eq!(claims, expected);
    // A retry repeats it.
    assert_eq!(verified(&requests[1].body).1, claims);
}

#[tokio::test]
async fn every_event_is_a_token_of_its_own() {
    let mut server = HttpServer::answering(&[ACCEPTED, ACCEPTED]).await;
    let keys = format!(
        "{RECEIVER}\nevents = [\"credential_change\", \"credential_compromise\"]\nsubject = \"consumer\"\n\
         subject_issuer = \"https://idp.example.com/\"\ncredential_type = \"app\""
    );
    let (receiver, ask) = target(&keys, "revoke", &server.url);
    receiver.carry_out(&ask, NOW).await;
    let tokens: Vec<Value> = heard(&mut server)
        .iter()
        .map(|request| verified(&request.body).1)
        .collect();
    let subject = json!({"format": "iss_sub", "iss": "https://idp.example.com/", "sub": "acme"});
    assert!(tokens.len() == 2 && tokens.iter().all(|token| token["sub_id"] == subject));
    assert_ne!(tokens[0]["jti"], tokens[1]["jti"]);
    assert_eq!(tokens[0]["txn"], tokens[1]["txn"]);
    let change = &tokens[0]["events"]["https://schemas.openid.net/secevent/caep/event-type/credential-change"];
    assert_eq!(
        (&change["credential_type"], &change["change_type"]),
        (&json!("app"), &json!("revoke"))
    );
    let compromise = &tokens[1]["events"]["https://schemas.openid.net/secevent/risc/event-type/credential-compromise"];
    assert_eq!(
        compromise["event_timestamp"],
        ask.finding.detected_at.as_secs()
    );
    assert_eq!(compromise["credential_type"], "app");
}

#[tokio::test]
async fn an_answer_is_a_yes_a_no_or_not_now() {
    let refused = |why: &str| Attempt::Refused(why.to_owned());
    let invalid =
        "HTTP/1.1 400 Bad Request\n\n{\"err\":\"invalid_key\",\"description\":\"kid is unknown\"}";
    assert_eq!(attempt_on(ACCEPTED).await, Attempt::Done(String::new()));
    assert_eq!(
        attempt_on(invalid).await,
        refused("invalid_key: kid is unknown")
    );
    assert_eq!(
        attempt_on("HTTP/1.1 200 OK").await,
        refused("http_200, not 202")
    );
    assert_eq!(
        attempt_on("HTTP/1.1 403 Forbidden").await,
        refused("http_403")
    );
    for later in [
        "HTTP/1.1 429 Too Many Requests",
        "HTTP/1.1 503 Service Unavailable",
    ] {
        assert!(
            matches!(attempt_on(later).await, Attempt::TryAgain { .. }),
            "{later}"
        );
    }
}

#[tokio::test]
async fn a_token_without_the_name_that_the_receiver_knows_is_not_told() {
    let (receiver, mut ask) = target(RECEIVER, "revoke", "http://127.0.0.1:9/");
    ask.token.credential_id = None;
    let no_name = Attempt::Refused("no_credential_id".to_owned());
    assert!(matches!(receiver, Target::Ssf(_)));
    assert_eq!(receiver.carry_out(&ask, NOW).await, no_name);
}
