//! Timelines of revocations, against a target on loopback.

use tokenwatch_model::{NotificationResult, ResponseResult, TokenId};
use tokio::runtime::Builder;

use super::*;
use crate::outgoing::Outgoing;
use crate::testing::http_server::HttpServer;
use crate::testing::{finding, revised, settings};

fn journal(world: &World) -> Vec<String> {
    let lines = world.ledger.all_responses();
    lines
        .iter()
        .map(|line| format!("{} {}", line.result.name(), line.reason))
        .collect()
}

fn critical(number: u128) -> Finding {
    revised(&finding(number), Severity::Critical)
}

#[test]
fn a_dry_run_is_recorded_once_and_the_message_says_so() {
    let (world, ops) = (World::new(), ScriptChannel::default());
    for _ in 0..2 {
        world.process(ONE, &[&ops], async |process| {
            process.announce(&world, &[critical(1)]);
            pass(1).await;
        });
    }
    assert_eq!(journal(&world), ["would_respond "]);
    let sent = ops.attempts();
    assert_eq!(sent.len(), 1);
    let response = sent[0].items[0]
        .response
        .as_ref()
        .expect("the message knows of it");
    assert_eq!(response.result, ResponseResult::WouldRespond);
}

#[test]
fn people_hear_of_a_burst_while_responses_to_the_rest_of_it_are_decided() {
    let (world, ops) = (World::new(), ScriptChannel::default());
    world.ledger.delay_facts(Duration::from_secs(1));
    world.process(ONE, &[&ops], async |process| {
        pass(1).await;
        process.announce(&world, &(1..=50).map(critical).collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(ops.attempts().len(), 16);
        pass(5).await;
    });
    let sent = ops.attempts();
    assert_eq!(sent.len(), 50);
    let says = |message: &Outgoing| message.items.iter().all(|item| item.response.is_some());
    assert!(
        sent.iter().all(says),
        "every message says what was done about its finding"
    );
}

fn enforcing(url: &str, more: &str) -> String {
    format!(
        r#"
        {ONE}
        [response]
        mode = "enforce"
        {more}
        [response.target]
        name = "gateway"
        url = "{url}"
        allow_private = true
        secret_env = ["HOOK_SECRET"]
        "#
    )
}

/// A process, and what it tells while it runs.
fn hear(
    world: &World,
    text: &str,
    ops: &ScriptChannel,
) -> (Process, broadcast::Receiver<AlertingEvent>) {
    let (events, heard) = broadcast::channel(64);
    let process = world.start_with_events(settings(text), &[ops], Some(events));
    (process, heard)
}

/// Waits until the journal's events have told `count` outcomes that are not intentions.
async fn outcomes(events: &mut broadcast::Receiver<AlertingEvent>, count: usize) {
    let mut seen = 0;
    while seen < count {
        if let AlertingEvent::Response(line) = events.recv().await.expect("an event")
            && line.result != ResponseResult::Intended
        {
            seen += 1;
        }
    }
}

#[tokio::test]
async fn a_token_is_revoked_once_for_a_finding_and_attempts_share_an_id() {
    let mut target = HttpServer::answering(&["HTTP/1.1 503 Busy"]).await;
    let world = World::new();
    let text = enforcing(&target.url, "");
    let ops = ScriptChannel::default();
    let (process, mut heard) = hear(&world, &text, &ops);
    process.announce(&world, &[critical(1)]);
    outcomes(&mut heard, 1).await;
    process.announce(&world, &[revised(&critical(1), Severity::Critical)]);
    let mut same_token = critical(2);
    same_token.token = critical(1).token;
    process.announce(&world, &[same_token]);
    outcomes(&mut heard, 1).await;
    process.stop().await;
    assert_eq!(
        journal(&world),
        ["intended ", "delivered ", "withheld already_revoked"]
    );
    let first = target.requests.recv().await.expect("an attempt");
    let second = target.requests.recv().await.expect("another");
    assert!(target.requests.try_recv().is_err());
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
    assert!(first.headers["webhook-signature"].starts_with("v1,"));
    let body: serde_json::Value = serde_json::from_slice(&second.body).expect("JSON");
    assert_eq!(body["type"], "token.revoke");
    assert_eq!(
        body["data"]["token"]["id"],
        TokenId::from_bits(1).to_string()
    );
    assert_eq!(body["data"]["token"]["credential_id"], "5cbc");
    assert_eq!(body["data"]["finding"]["severity"], "critical");
}

#[tokio::test]
async fn a_burst_of_critical_findings_is_held_by_the_rate_limit() {
    let mut target = HttpServer::answering(&[]).await;
    let world = World::new();
    let text = enforcing(&target.url, "max_per_hour = 2");
    let ops = ScriptChannel::default();
    let (process, mut heard) = hear(&world, &text, &ops);
    process.announce(&world, &(1..=5).map(critical).collect::<Vec<_>>());
    outcomes(&mut heard, 5).await;
    process.stop().await;
    let withheld = journal(&world)
        .iter()
        .filter(|line| *line == "withheld rate_limited")
        .count();
    assert_eq!(withheld, 3);
    assert!(target.requests.recv().await.is_some());
    assert!(target.requests.recv().await.is_some());
    assert!(target.requests.try_recv().is_err());
    let messages = ops.attempts();
    let told = messages
        .iter()
        .filter_map(|sent| sent.items[0].response.as_ref())
        .filter(|response| response.result == ResponseResult::Withheld)
        .count();
    assert_eq!(told, 3, "messages say what was withheld");
}

#[tokio::test]
async fn a_refusal_is_final_and_a_403_is_not_tried_again() {
    let mut target = HttpServer::answering(&["HTTP/1.1 403 No"]).await;
    let world = World::new();
    let (text, ops) = (enforcing(&target.url, ""), ScriptChannel::default());
    let (process, mut heard) = hear(&world, &text, &ops);
    process.announce(&world, &[critical(1)]);
    outcomes(&mut heard, 1).await;
    process.stop().await;
    assert_eq!(journal(&world), ["intended ", "failed http_403"]);
    assert!(target.requests.recv().await.is_some());
    assert!(target.requests.try_recv().is_err());
}

#[tokio::test]
async fn without_a_journal_nothing_is_revoked_and_people_hear_of_it_all_the_same() {
    let mut target = HttpServer::answering(&[]).await;
    let world = World::new();
    world.ledger.fail_responses();
    let (text, ops) = (enforcing(&target.url, ""), ScriptChannel::default());
    let (process, mut heard) = hear(&world, &text, &ops);
    process.announce(&world, &[critical(1)]);
    while !matches!(
        heard.recv().await.expect("an event"),
        AlertingEvent::Notification(line) if line.result == NotificationResult::Sent
    ) {}
    process.stop().await;
    assert!(target.requests.try_recv().is_err());
    assert_eq!(ops.attempts().len(), 1);
}

#[tokio::test]
async fn what_a_dead_process_had_asked_for_is_unknown_and_not_asked_again() {
    let mut target = HttpServer::answering(&[""]).await;
    let world = World::new();
    let text = enforcing(&target.url, "");
    let ops = ScriptChannel::default();
    let killed = {
        let world_ledger = world.ledger.clone();
        let (clock, settings, ops) = (world.clock.clone(), settings(&text), ops.clone());
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let world = World {
                ledger: world_ledger,
                clock,
            };
            runtime.block_on(async {
                let process = world.start(settings, &[&ops]);
                process.announce(&world, &[critical(1)]);
                // The target has the request and does not answer; then the runtime is dropped.
                target.requests.recv().await.expect("the request");
            });
            target
        })
    };
    let mut target = tokio::task::spawn_blocking(|| killed.join().expect("no panic"))
        .await
        .expect("a thread");
    assert_eq!(journal(&world), ["intended "]);
    let (process, mut heard) = hear(&world, &text, &ops);
    outcomes(&mut heard, 1).await;
    process.announce(&world, &[revised(&critical(1), Severity::Critical)]);
    process.stop().await;
    assert_eq!(journal(&world), ["intended ", "unknown process_died"]);
    assert!(target.requests.try_recv().is_err());
}
