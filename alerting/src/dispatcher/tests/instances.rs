//! Several instances over one store: one announces at a time, and another goes on where it stopped.

use super::*;

fn instance(name: &str) -> String {
    format!("instance = \"{name}\"\ntakeover_after = \"15s\"\n{ONE}")
}

#[test]
fn of_two_instances_one_announces_what_either_finds() {
    let world = World::new();
    let (first, second) = (ScriptChannel::default(), ScriptChannel::default());
    world.process(&instance("a"), &[&first], async |a| {
        let b = world.start(settings(&instance("b")), &[&second]);
        pass(3).await;
        a.announce(&world, &[finding(1), finding(2)]);
        b.announce(&world, &[finding(3), finding(4)]);
        pass(60).await;
    });
    let told: Vec<usize> = [&first, &second]
        .iter()
        .map(|channel| channel.attempts().len())
        .collect();
    assert_eq!(told.iter().sum::<usize>(), 4, "{told:?}");
    assert!(told.contains(&0), "by one of them alone: {told:?}");
    assert_eq!(world.ledger.count(NotificationResult::Sent), 4);
}

#[test]
fn what_a_killed_instance_had_begun_is_finished_by_the_other_after_its_lease() {
    let world = World::new();
    let (hanging, other) = (ScriptChannel::hanging(), ScriptChannel::default());
    world.process(&instance("a"), &[&hanging], async |a| {
        pass(2).await;
        a.announce(&world, &[finding(1), finding(2)]);
        pass(5).await;
    });
    assert_eq!(hanging.attempts().len(), 1);
    world.process(&instance("b"), &[&other], async |_| {
        pass(5).await;
        assert!(other.attempts().is_empty(), "the lease may still be used");
        pass(30).await;
        assert_eq!(other.attempts().len(), 2);
    });
    let ids: Vec<String> = other
        .attempts()
        .iter()
        .map(|sent| sent.id.clone())
        .collect();
    assert!(ids.contains(&hanging.attempts()[0].id), "under the same id");
}

#[test]
fn an_instance_that_stops_leaves_it_to_the_other_at_once() {
    let world = World::new();
    let (first, second) = (ScriptChannel::default(), ScriptChannel::default());
    world.process(&instance("a"), &[&first], async |a| {
        pass(2).await;
        let b = world.start(settings(&instance("b")), &[&second]);
        pass(2).await;
        a.announce(&world, &[finding(1)]);
        pass(5).await;
        a.stop().await;
        b.announce(&world, &[finding(2)]);
        pass(5).await;
        assert_eq!((first.attempts().len(), second.attempts().len()), (1, 1));
    });
}

#[test]
fn an_instance_that_is_cut_off_sends_nothing_that_the_other_sends() {
    let world = World::new();
    // The first attempt fails, so that the message waits in the worker while the lease is lost.
    let first = ScriptChannel::answering([retry("http_500", None)]);
    let second = ScriptChannel::default();
    let slow = |name| format!("retry_delays = [\"40s\", \"40s\"]\n{}", instance(name));
    world.process(&slow("a"), &[&first], async |a| {
        pass(2).await;
        a.announce(&world, &[finding(1)]);
        pass(2).await;
        assert_eq!(first.attempts().len(), 1);
        world.ledger.cut_off("a");
        let b = world.start(settings(&slow("b")), &[&second]);
        pass(120).await;
        drop(b);
    });
    assert_eq!(
        first.attempts().len(),
        1,
        "cut off, it stops by its own clock"
    );
    assert_eq!(second.attempts().len(), 1);
    assert_eq!(first.attempts()[0].id, second.attempts()[0].id);
}

#[test]
fn a_running_process_hears_of_silences_and_acknowledgements_through_the_store() {
    let world = World::new();
    let ops = ScriptChannel::default();
    let text = format!("{ONE}repeat = \"10m\"\n");
    world.process(&text, &[&ops], async |process| {
        pass(1).await;
        process.announce(&world, &[finding(1)]);
        pass(700).await;
        assert_eq!(ops.attempts().len(), 2, "told, and told again");
        let id = finding(1).id.to_string();
        world.ledger.acknowledge(&id, world.clock.now());
        world.ledger.silence(tokenwatch_model::Silence {
            id: "sil_1".to_owned(),
            starts_at: world.clock.now(),
            ends_at: world.clock.now() + Duration::from_hours(1),
            created_by: "ann".to_owned(),
            reason: "load test".to_owned(),
            matcher: tokenwatch_model::FindingMatcher {
                consumers: vec!["acme".to_owned()],
                ..tokenwatch_model::FindingMatcher::default()
            },
        });
        pass(10).await;
        process.announce(&world, &[finding(2)]);
        pass(3_000).await;
        assert_eq!(ops.attempts().len(), 2);
        pass(1_000).await;
        assert_eq!(ops.attempts().len(), 3, "the silence has ended");
    });
    assert_eq!(world.ledger.count(NotificationResult::Muted), 1);
}
