//! Timelines: each process is a runtime of its own on virtual time, and dropping it is a kill -9.

use std::time::Duration;

use tokenwatch_model::{NotificationResult, ResponseResult, TokenId};
use tokio::runtime::Builder;

use super::*;
use crate::channel::Delivery;
use crate::channel::script::ScriptChannel;
use crate::ledger::memory::MemoryLedger;
use crate::receiver::QUEUE_LIMIT;
use crate::testing::http_server::HttpServer;
use crate::testing::{HandClock, NOW, finding, revised, settings};

/// One receiver that hears of ends.
const ONE: &str = r#"
    [[receivers]]
    kind = "log"
    name = "ops"
    send_closed = true
    [[routes]]
    severity = "medium"
    receivers = ["ops"]
"#;

/// Two receivers that get the same.
const TWO: &str = r#"
    [[receivers]]
    kind = "log"
    name = "ops"
    [[receivers]]
    kind = "log"
    name = "soc"
    [[routes]]
    severity = "medium"
    receivers = ["ops", "soc"]
"#;

/// What outlives a process.
struct World {
    ledger: MemoryLedger,
    clock: HandClock,
}

/// A running dispatcher.
struct Process {
    dispatcher: Dispatcher,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl World {
    fn new() -> Self {
        Self {
            ledger: MemoryLedger::default(),
            clock: HandClock::new(),
        }
    }

    fn start(&self, settings: AlertingSettings, channels: &[&ScriptChannel]) -> Process {
        self.start_with_events(settings, channels, None)
    }

    fn start_with_events(
        &self,
        settings: AlertingSettings,
        channels: &[&ScriptChannel],
        events: Option<broadcast::Sender<AlertingEvent>>,
    ) -> Process {
        let runtime = Runtime {
            clock: self.clock.clock(),
            metrics: AlertingMetrics::default(),
            events,
            tracker: TaskTracker::new(),
            cancel: CancellationToken::new(),
        };
        let (tracker, cancel) = (runtime.tracker.clone(), runtime.cancel.clone());
        let channels = channels
            .iter()
            .map(|channel| Channel::Script((*channel).clone()))
            .collect();
        let ledger = Ledger::Memory(self.ledger.clone());
        let dispatcher = Dispatcher::start_with(Arc::new(settings), ledger, channels, runtime)
            .expect("nothing that can fail to start");
        Process {
            dispatcher,
            tracker,
            cancel,
        }
    }

    /// Runs a process with these settings and channels; it is killed after `work`.
    fn process(&self, text: &str, channels: &[&ScriptChannel], work: impl AsyncFnOnce(&Process)) {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let process = self.start(settings(text), channels);
            work(&process).await;
        });
    }
}

impl Process {
    /// Stores findings and offers them, as the pipeline does.
    fn announce(&self, world: &World, findings: &[Finding]) {
        world.ledger.store(findings);
        self.dispatcher.offer(findings);
    }

    async fn stop(&self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Lets virtual time pass; everything that is due happens meanwhile.
async fn pass(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
}

fn retry(reason: &str, after: Option<u64>) -> Delivery {
    Delivery::Retry {
        reason: reason.to_owned(),
        after: after.map(Duration::from_secs),
    }
}

/// The ledger as `receiver result attempts reason` lines.
fn told(world: &World) -> Vec<String> {
    let lines = world.ledger.all_notifications();
    lines
        .iter()
        .map(|line| {
            let result = line.result.name();
            format!(
                "{} {result} {} {}",
                line.receiver, line.attempts, line.reason
            )
        })
        .collect()
}

#[test]
fn a_finding_is_announced_once_however_many_versions_it_has() {
    let (world, ops) = (World::new(), ScriptChannel::default());
    world.process(ONE, &[&ops], async |process| {
        let first = finding(1);
        process.announce(&world, &[first.clone(), revised(&first, first.severity)]);
        pass(1).await;
        process.announce(&world, &[revised(&first, Severity::Medium)]);
        pass(1).await;
        process.announce(&world, &[revised(&first, Severity::Critical)]);
        pass(1).await;
    });
    let occasions: Vec<_> = ops
        .attempts()
        .iter()
        .map(|sent| sent.occasion.name())
        .collect();
    assert_eq!(occasions, ["opened", "escalated"]);
    assert_eq!(
        told(&world),
        [
            "ops sending 0 first_match",
            "ops sent 1 ",
            "ops sending 0 severity_rose",
            "ops sent 1 "
        ]
    );
}

#[test]
fn what_was_stored_and_never_offered_is_announced_after_the_next_start() {
    let (world, ops) = (World::new(), ScriptChannel::default());
    world.ledger.store(&[finding(1), finding(2)]);
    world.process(ONE, &[&ops], async |_| pass(1).await);
    assert_eq!(ops.attempts().len(), 2);
}

#[test]
fn nothing_is_announced_twice_after_a_kill() {
    let (world, ops) = (World::new(), ScriptChannel::default());
    world.process(ONE, &[&ops], async |process| {
        process.announce(&world, &[finding(1)]);
        pass(1).await;
    });
    for _ in 0..3 {
        world.process(ONE, &[&ops], async |process| {
            process.announce(&world, &[revised(&finding(1), Severity::High)]);
            pass(1_000).await;
        });
    }
    assert_eq!(ops.attempts().len(), 1);
}

#[test]
fn what_was_on_its_way_at_a_kill_is_sent_again_under_the_same_id() {
    let (world, hanging, ops) = (
        World::new(),
        ScriptChannel::hanging(),
        ScriptChannel::default(),
    );
    world.process(ONE, &[&hanging], async |process| {
        process.announce(&world, &[finding(1)]);
        pass(1).await;
    });
    assert_eq!(told(&world), ["ops sending 0 first_match"]);
    world.process(ONE, &[&ops], async |_| pass(1).await);
    let (before, after) = (hanging.attempts(), ops.attempts());
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_eq!(before[0].id, after[0].id);
    assert!(after[0].repeated);
    assert_eq!(world.ledger.count(NotificationResult::Sent), 1);
}

#[test]
fn failures_are_tried_again_on_schedule_and_the_ledger_tells_each() {
    let answers = [retry("http_500", None), retry("http_429", Some(3_600))];
    let (world, ops) = (World::new(), ScriptChannel::answering(answers));
    world.process(ONE, &[&ops], async |process| {
        process.announce(&world, &[finding(1)]);
        pass(3).await;
        assert_eq!(ops.attempts().len(), 1, "5 s less a fifth are not over");
        pass(4).await;
        assert_eq!(ops.attempts().len(), 2);
        pass(3_500).await;
        assert_eq!(ops.attempts().len(), 2, "the receiver asked for an hour");
        pass(200).await;
        assert_eq!(ops.attempts().len(), 3);
    });
    assert_eq!(
        told(&world),
        [
            "ops sending 0 first_match",
            "ops sending 1 retry: http_500",
            "ops sending 2 retry: http_429",
            "ops sent 3 "
        ]
    );
}

#[test]
fn attempts_end_with_the_schedule_also_across_restarts() {
    let down = || ScriptChannel::answering(vec![retry("timeout", None); 20]);
    let text = format!("retry_delays = [\"5s\", \"5s\", \"5s\"]\n{ONE}");
    let (world, first, second) = (World::new(), down(), down());
    world.process(&text, &[&first], async |process| {
        process.announce(&world, &[finding(1)]);
        pass(8).await;
    });
    world.process(&text, &[&second], async |_| pass(1_000).await);
    assert_eq!(first.attempts().len() + second.attempts().len(), 4);
    assert_eq!(
        told(&world).last().map(String::as_str),
        Some("ops failed 4 gave_up: timeout")
    );
}

#[test]
fn an_endpoint_that_is_gone_stays_disabled_after_a_restart() {
    let world = World::new();
    let (gone, later) = (
        ScriptChannel::answering([Delivery::Gone]),
        ScriptChannel::default(),
    );
    world.process(ONE, &[&gone], async |process| {
        process.announce(&world, &[finding(1)]);
        pass(1).await;
        process.announce(&world, &[finding(2)]);
        pass(1).await;
        assert!(process.dispatcher.receivers()[0].is_disabled);
    });
    world.process(ONE, &[&later], async |process| {
        process.announce(&world, &[finding(3)]);
        pass(1).await;
        assert!(process.dispatcher.receivers()[0].is_disabled);
    });
    assert_eq!((gone.attempts().len(), later.attempts().len()), (1, 0));
    assert_eq!(
        told(&world),
        [
            "ops sending 0 first_match",
            "ops failed 1 endpoint_gone script",
            "ops muted 0 endpoint_disabled",
            "ops muted 0 endpoint_disabled"
        ]
    );
}

#[test]
fn history_is_recorded_and_pages_nobody() {
    let (world, ops) = (World::new(), ScriptChannel::default());
    world.process(ONE, &[&ops], async |process| {
        for day in 2u32..20 {
            let mut old = finding(day.into());
            old.last_event_at = NOW - Duration::from_secs(u64::from(day) * 86_400);
            process.announce(&world, &[old]);
        }
        pass(1).await;
    });
    assert!(ops.attempts().is_empty());
    assert_eq!(world.ledger.count(NotificationResult::Muted), 18);
}

#[test]
fn a_receiver_that_hangs_delays_nobody_and_loses_nothing() {
    let world = World::new();
    let (hanging, soc, ops) = (
        ScriptChannel::hanging(),
        ScriptChannel::default(),
        ScriptChannel::default(),
    );
    // More than a worker's queue and the offers' queue hold together.
    let many: Vec<Finding> = (1..=6_000).map(finding).collect();
    world.process(TWO, &[&hanging, &soc], async |process| {
        process.announce(&world, &many);
        pass(30).await;
        assert_eq!(soc.attempts().len(), many.len());
        let queued: Vec<usize> = process
            .dispatcher
            .receivers()
            .iter()
            .map(|receiver| receiver.queued)
            .collect();
        assert_eq!(queued, [QUEUE_LIMIT, 0], "bounded");
    });
    let soc_again = ScriptChannel::default();
    world.process(TWO, &[&ops, &soc_again], async |_| pass(600).await);
    let mut ids: Vec<String> = ops.attempts().iter().map(|sent| sent.id.clone()).collect();
    assert_eq!(ids.len(), many.len(), "each once");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), many.len(), "and all of them");
    assert!(soc_again.attempts().is_empty());
    assert_eq!(world.ledger.count(NotificationResult::Sent), 2 * many.len());
}

#[test]
fn stopping_sends_what_is_due_and_leaves_the_rest_to_the_next_start() {
    let world = World::new();
    let ops = ScriptChannel::answering([retry("http_500", None)]);
    world.process(ONE, &[&ops], async |process| {
        // Lets it read the ledger first: before that it must not decide.
        pass(1).await;
        process.announce(&world, &(1..=500).map(finding).collect::<Vec<_>>());
        process.stop().await;
    });
    assert_eq!(ops.attempts().len(), 500);
    assert_eq!(world.ledger.count(NotificationResult::Sent), 499);
    let next = ScriptChannel::default();
    world.process(ONE, &[&next], async |_| pass(1).await);
    assert_eq!(next.attempts().len(), 1);
    assert_eq!(next.attempts()[0].id, ops.attempts()[0].id);
}

#[test]
fn latency_counts_from_detection_to_the_receivers_yes() {
    let (world, ops) = (World::new(), ScriptChannel::default());
    world.process(ONE, &[&ops], async |process| {
        world.clock.advance(Duration::from_secs(2));
        process.announce(&world, &[finding(1)]);
        pass(1).await;
        let latency = process.dispatcher.latency();
        assert_eq!(latency.count, 1);
        // Detected a minute before the test's start.
        assert!((61_000..=63_000).contains(&latency.max_ms), "{latency:?}");
    });
}

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
    let response = sent[0].response.as_ref().expect("the message knows of it");
    assert_eq!(response.result, ResponseResult::WouldRespond);
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
    let (events, mut heard) = broadcast::channel(64);
    let ops = ScriptChannel::default();
    let process = world.start_with_events(settings(&text), &[&ops], Some(events));
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
    let (events, mut heard) = broadcast::channel(64);
    let ops = ScriptChannel::default();
    let process = world.start_with_events(settings(&text), &[&ops], Some(events));
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
        .filter_map(|sent| sent.response.as_ref())
        .filter(|response| response.result == ResponseResult::Withheld)
        .count();
    assert_eq!(told, 3, "messages say what was withheld");
}

#[tokio::test]
async fn a_refusal_is_final_and_a_403_is_not_tried_again() {
    let mut target = HttpServer::answering(&["HTTP/1.1 403 No"]).await;
    let world = World::new();
    let (events, mut heard) = broadcast::channel(64);
    let text = enforcing(&target.url, "");
    let ops = ScriptChannel::default();
    let process = world.start_with_events(settings(&text), &[&ops], Some(events));
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
    let (events, mut heard) = broadcast::channel(64);
    let text = enforcing(&target.url, "");
    let ops = ScriptChannel::default();
    let process = world.start_with_events(settings(&text), &[&ops], Some(events));
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
    let (events, mut heard) = broadcast::channel(64);
    let process = world.start_with_events(settings(&text), &[&ops], Some(events));
    outcomes(&mut heard, 1).await;
    process.announce(&world, &[revised(&critical(1), Severity::Critical)]);
    process.stop().await;
    assert_eq!(journal(&world), ["intended ", "unknown process_died"]);
    assert!(target.requests.try_recv().is_err());
}
