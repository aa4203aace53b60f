//! Timelines: each process is a runtime of its own on virtual time, and dropping it is a kill -9.

mod instances;
mod ladder;
mod responses;
mod storm;

use std::time::Duration;

use tokenwatch_model::{NotificationResult, Severity};
use tokio::runtime::Builder;

use super::*;
use crate::channel::Delivery;
use crate::channel::script::ScriptChannel;
use crate::ledger::memory::MemoryLedger;
use crate::receiver::QUEUE_LIMIT;
use crate::response::ScriptTarget;
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
        self.start_with(settings, channels, None, events)
    }

    fn start_with(
        &self,
        settings: AlertingSettings,
        channels: &[&ScriptChannel],
        target: Option<&ScriptTarget>,
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
        let targets = match target {
            Some(target) => vec![Target::Script(target.clone())],
            None => settings
                .response
                .targets
                .iter()
                .map(|target| Target::new(target).expect("a target"))
                .collect(),
        };
        let settings = Arc::new(settings);
        let dispatcher = Dispatcher::start_with(settings, ledger, channels, targets, runtime);
        Process {
            dispatcher,
            tracker,
            cancel,
        }
    }

    /// Runs a process with these settings and channels; it is killed after `work`.
    fn process(&self, text: &str, channels: &[&ScriptChannel], work: impl AsyncFnOnce(&Process)) {
        self.run(text, channels, None, work);
    }

    /// The same with a target that is asked to act.
    fn process_with(
        &self,
        text: &str,
        channels: &[&ScriptChannel],
        target: &ScriptTarget,
        work: impl AsyncFnOnce(&Process),
    ) {
        self.run(text, channels, Some(target), work);
    }

    fn run(
        &self,
        text: &str,
        channels: &[&ScriptChannel],
        target: Option<&ScriptTarget>,
        work: impl AsyncFnOnce(&Process),
    ) {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            self.clock.start();
            let process = self.start_with(settings(text), channels, target, None);
            work(&process).await;
            self.clock.stop();
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
