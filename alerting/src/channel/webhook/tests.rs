use std::time::Duration;

use url::Url;

use super::*;
use crate::signature::sign;
use crate::testing::http_server::HttpServer;
use crate::testing::{NOW, finding, outgoing as opened, outgoing_of};

fn secret() -> SigningSecret {
    SigningSecret::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).expect("a secret")
}

fn channel(url: &str, allow_private: bool) -> WebhookChannel {
    let url = SecretUrl::new(Url::parse(url).expect("a URL"));
    WebhookChannel::new(url, vec![secret()], BodyFormat::Tokenwatch, allow_private)
        .expect("a channel")
}

/// The one part of a message that opens a finding.
fn part(channel: &WebhookChannel) -> Part {
    let mut parts = channel.render(&opened(finding(1)));
    assert_eq!(parts.len(), 1);
    parts.remove(0)
}

fn retry(reason: &str, after: Option<u64>) -> Delivery {
    Delivery::Retry {
        reason: reason.to_owned(),
        after: after.map(Duration::from_secs),
    }
}

#[tokio::test]
async fn every_attempt_has_the_same_id_a_fresh_timestamp_and_a_valid_signature() {
    let mut server = HttpServer::answering(&["HTTP/1.1 500 Oops"]).await;
    let channel = channel(&server.url, true);
    let later = NOW + Duration::from_mins(5);
    assert_eq!(
        channel.send(&part(&channel), NOW).await,
        retry("http_500", None)
    );
    assert_eq!(
        channel.send(&part(&channel), later).await,
        Delivery::Accepted
    );
    for now in [NOW, later] {
        let request = server.requests.recv().await.expect("a request");
        assert_eq!(request.headers["webhook-id"], opened(finding(1)).id);
        assert_eq!(
            request.headers["webhook-timestamp"],
            now.as_secs().to_string()
        );
        assert_eq!(
            request.headers["webhook-signature"],
            sign(
                &[secret()],
                &opened(finding(1)).id,
                now.as_secs(),
                &request.body
            )
        );
        let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(body["type"], "finding.opened");
        assert_eq!(body["timestamp"], finding(1).detected_at.to_string());
        assert_eq!(body["data"]["id"], finding(1).id.to_string());
        assert!(request.body.len() < 20_000);
    }
}

#[tokio::test]
async fn answers_are_told_apart() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK", Delivery::Accepted),
        ("HTTP/1.1 410 Gone", Delivery::Gone),
        ("HTTP/1.1 404 Not Found", retry("http_404", None)),
        (
            "HTTP/1.1 429 Slow\r\nretry-after: 7",
            retry("http_429", Some(7)),
        ),
        (
            "HTTP/1.1 503 No\r\nretry-after: 60",
            retry("http_503", Some(60)),
        ),
    ] {
        let server = HttpServer::answering(&[answer]).await;
        let channel = channel(&server.url, true);
        assert_eq!(
            channel.send(&part(&channel), NOW).await,
            expected,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn redirects_are_failures_and_not_followed() {
    let mut other = HttpServer::answering(&[]).await;
    let location = format!("HTTP/1.1 302 Found\r\nlocation: {}", other.url);
    let server = HttpServer::answering(&[location.leak()]).await;
    let channel = channel(&server.url, true);
    let delivery = channel.send(&part(&channel), NOW).await;
    assert_eq!(delivery, retry("http_302", None));
    assert!(other.requests.try_recv().is_err());
}

#[tokio::test]
async fn names_that_lead_inside_are_refused_unless_allowed() {
    let mut server = HttpServer::answering(&[]).await;
    let by_name = server.url.replace("127.0.0.1", "localhost");
    for url in [&server.url, &by_name] {
        let channel = channel(url, false);
        let delivery = channel.send(&part(&channel), NOW).await;
        let reason = "blocked_address".to_owned();
        assert_eq!(delivery, Delivery::Rejected { reason }, "{url}");
    }
    assert!(server.requests.try_recv().is_err());
    let channel = channel(&by_name, true);
    let delivery = channel.send(&part(&channel), NOW).await;
    assert_eq!(delivery, Delivery::Accepted);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_again() {
    let server = HttpServer::answering(&[]).await;
    let url = server.url.clone();
    drop(server);
    let channel = channel(&url, true);
    let delivery = channel.send(&part(&channel), NOW).await;
    assert_eq!(delivery, retry("no_connection", None));
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up_after_fifteen_seconds() {
    let server = HttpServer::answering(&[""]).await;
    let channel = channel(&server.url, true);
    let started = tokio::time::Instant::now();
    let delivery = channel.send(&part(&channel), NOW).await;
    assert_eq!(delivery, retry("timeout", None));
    let waited = started.elapsed();
    assert!((15..17).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn a_group_is_a_request_per_finding_with_the_id_that_it_would_have_alone() {
    let channel = channel("https://hook.example.com/", false);
    let parts = channel.render(&outgoing_of((1..=500).map(finding).collect()));
    assert_eq!(parts.len(), 500);
    for (index, part) in parts.iter().enumerate() {
        assert_eq!(part.items, index..index + 1);
        assert_eq!(part.id, opened(finding(index as u128 + 1)).id);
        let Payload::Body(body) = &part.payload else {
            panic!("a body");
        };
        assert!(body.len() < 20_000);
    }
}

#[test]
fn the_body_can_be_ocsf() {
    let message = opened(finding(1));
    let body = body(BodyFormat::Ocsf, "ntf_1", &message, message.items.first());
    let event: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(event["class_uid"], 2_004);
    assert_eq!(event["metadata"]["uid"], "ntf_1");
}
