//! The same events give the same findings: in batches of any size, across checkpoints, from any partition.

use proptest::prelude::*;
use tokenwatch_detectors::{Detections, Engine};
use tokenwatch_model::{AccessEvent, Detector, Family, Finding, Timestamp, TokenId};

use crate::support::{Call, DAY, MONDAY, last_versions, settings};

const CONFIG: &str = r#"
mature_days = 2
min_calls = 20
[new_geography]
learn_days = 1
[fleet_failure]
group_tokens = 10
[[out_of_scope.policies]]
consumers = ["acme"]
allow = [{ routes = ["/v1/{*rest}"] }]
"#;

/// The same with only those detectors on that ask neither peers nor the fleet.
fn alone() -> String {
    let alone = [
        Detector::RateSpike,
        Detector::FailureBurst,
        Detector::OutOfScope,
    ];
    let others = Detector::ALL.into_iter().filter(|one| !alone.contains(one));
    let mut config: toml::Table = CONFIG.parse().expect("configuration");
    for detector in others {
        let settings = config
            .entry(detector.name())
            .or_insert_with(|| toml::Table::new().into());
        let settings = settings.as_table_mut().expect("a table");
        settings.insert("mode".to_owned(), "off".into());
    }
    toml::to_string(&config).expect("configuration")
}

/// Some days of a few tokens with bursts, strange places, refusals, forbidden calls and late events among them.
fn traffic(seed: u64) -> Vec<AccessEvent<'static>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut calls = Vec::new();
    for token in 1..=4u128 {
        let mut at_ms = MONDAY * 1_000;
        while at_ms < (MONDAY + 5 * DAY) * 1_000 {
            at_ms += random.i64(1_000..1_800_000);
            let burst = if random.u8(..) < 4 {
                random.i64(30..300)
            } else {
                1
            };
            let place = if random.u8(..) < 3 {
                ("BR", 28_573)
            } else {
                ("DE", 3_320)
            };
            let status = *[200, 200, 200, 403, 404, 429]
                .get(random.usize(0..12))
                .unwrap_or(&200);
            let root = if random.u8(..) < 3 { "admin" } else { "v1" };
            for number in 0..burst {
                at_ms += random.i64(1..500);
                let late = if random.u8(..) < 5 { 20_000 } else { 0 };
                calls.push(Call {
                    token,
                    at_ms: at_ms - late,
                    place: Some(place),
                    path: format!("/{root}/{}", number % 40),
                    status,
                    partition: (token % 3) as i32,
                    ..Call::default()
                });
            }
        }
    }
    calls.extend((0..6_000).map(|number| Call {
        token: 2,
        at_ms: (MONDAY + 4 * DAY + 7_200) * 1_000 + 50 * number,
        partition: 2,
        ..Call::default()
    }));
    calls.sort_by_key(|call| call.at_ms / 60_000);
    calls.iter().map(Call::event).collect()
}

fn run(events: &[AccessEvent<'_>], batch: usize) -> Detections {
    run_with(CONFIG, events, batch)
}

fn run_with(config: &str, events: &[AccessEvent<'_>], batch: usize) -> Detections {
    let mut engine = Engine::new(settings(config));
    let mut out = Detections::default();
    for batch in events.chunks(batch) {
        engine.process(batch, &mut out);
    }
    engine.finish(&mut out);
    out
}

#[test]
fn the_traffic_of_these_tests_leads_to_findings_of_every_kind() {
    let out = run(&traffic(1), 1_000);
    for family in [Family::Volume, Family::Abuse, Family::Scope] {
        let of_family = |finding: &Finding| finding.detector.family() == family;
        assert!(out.findings.iter().any(of_family), "{family:?}");
    }
    assert!(!out.incidents.is_empty());
    let attacked = run(&attacked_fleet(1, 1), 1_000);
    for detector in [
        Detector::FleetFailure,
        Detector::CredentialStuffing,
        Detector::TokenGuessing,
    ] {
        let of_detector = |finding: &Finding| finding.detector == detector;
        assert!(attacked.findings.iter().any(of_detector), "{detector}");
    }
}

/// An hour of sixty tokens over `partitions`, keyed by token, with an outage and an attacking address in it.
fn attacked_fleet(seed: u64, partitions: u128) -> Vec<AccessEvent<'static>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut calls = Vec::new();
    for token in 1..=60u128 {
        let mut at_ms = MONDAY * 1_000 + random.i64(0..3_000);
        while at_ms < (MONDAY + 3_600) * 1_000 {
            at_ms += random.i64(500..6_000);
            let minute = (at_ms / 1_000 - MONDAY) / 60;
            let failing = (20..26).contains(&minute) && random.u8(..) < 170;
            let late = if random.u8(..) < 8 { 15_000 } else { 0 };
            calls.push(Call {
                token,
                at_ms: at_ms - late,
                consumer: ["acme", "bolt", "core"][(token % 3) as usize],
                path: format!("/v1/orders/{}", random.u8(..)),
                status: if failing { 503 } else { 200 },
                ..Call::default()
            });
        }
    }
    for number in 0..600u128 {
        calls.push(Call {
            token: 1_000 + number % 150,
            at_ms: (MONDAY + 2_400) * 1_000 + 700 * number as i64,
            ip: [203, 0, 113, 9],
            named: false,
            status: 401,
            ..Call::default()
        });
    }
    for number in 0..200u128 {
        calls.push(Call {
            token: 1 + number % 50,
            at_ms: (MONDAY + 3_000) * 1_000 + 900 * number as i64,
            ip: [198, 51, 100, 9],
            status: 401,
            ..Call::default()
        });
    }
    calls.sort_by_key(|call| (call.at_ms / 2_000, call.token));
    calls
        .iter()
        .map(|call| {
            Call {
                partition: (call.token % partitions) as i32,
                ..call.clone()
            }
            .event()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn the_size_of_batches_does_not_matter(seed: u64, batch in 1usize..5_000) {
        let events = traffic(seed);
        prop_assert_eq!(run(&events, 1), run(&events, batch));
    }

    #[test]
    fn going_on_from_a_checkpoint_equals_going_on(seed: u64, cuts in prop::collection::vec(0.0..1.0f64, 1..4)) {
        let events = traffic(seed);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * events.len() as f64) as usize).collect();
        cuts.sort_unstable();
        let mut stored = std::collections::BTreeMap::new();
        let mut engine = Engine::new(settings(CONFIG));
        let mut out = Detections::default();
        let mut from = 0;
        for cut in cuts {
            engine.process(&events[from..cut], &mut out);
            from = cut;
            let delta = engine.checkpoint();
            for token in delta.tokens {
                prop_assert_eq!(&token.profile, &engine.profile(token.id).expect("it exists"));
                stored.insert(token.id, token.state);
            }
            for id in delta.removed {
                stored.remove(&id);
            }
            let states = stored.iter().map(|(id, state)| (*id, state.as_slice()));
            engine = Engine::restore(settings(CONFIG), Some(&delta.engine_state), states).expect("restores");
        }
        engine.process(&events[from..], &mut out);
        engine.finish(&mut out);
        prop_assert_eq!(run(&events, 777), out);
    }

    #[test]
    fn neither_partitions_nor_their_interleaving_change_what_is_found(seed: u64, shuffle: u64, batch in 1usize..100_000) {
        let of = |events: &[AccessEvent<'_>], batch| {
            let out = run(events, batch);
            let findings = last_versions(&out.findings);
            let mut signals: Vec<String> = out.signals.iter().map(|signal| format!("{signal:?}")).collect();
            signals.sort();
            (serde_json::to_string(&findings).expect("serialises"), signals)
        };
        let together = std::time::Duration::from_secs(9);
        let one = of(&attacked_fleet(seed, 1), 1_000);
        for partitions in [2, 3, 8, 12] {
            let mixed = interleave(&attacked_fleet(seed, partitions), shuffle, together);
            prop_assert_eq!(&one, &of(&mixed, batch), "{} partitions", partitions);
        }
        let days = traffic(seed);
        let mixed = interleave(&days, shuffle, together);
        prop_assert_eq!(of(&days, 500), of(&mixed, batch));
    }

    #[test]
    fn a_partition_days_behind_has_the_same_findings_where_only_the_token_counts(seed: u64, shuffle: u64) {
        // Peers and the fleet are asked as of now: what they say to a partition that is days behind is of another day. Detectors that
        // ask them would lend their evidence to the signals of the others.
        let config = alone();
        let events = traffic(seed);
        let mixed = interleave(&events, shuffle, std::time::Duration::from_hours(40));
        let last = |events: &[AccessEvent<'_>]| {
            let found = last_versions(&run_with(&config, events, 500).findings);
            found.iter().map(|finding| (finding.id, finding.event_count)).collect::<Vec<_>>()
        };
        prop_assert_eq!(last(&events), last(&mixed));
    }
}

/// The events, partition by partition in their order, the partitions at random but at most `ahead` of each other.
fn interleave(
    events: &[AccessEvent<'static>],
    shuffle: u64,
    ahead: std::time::Duration,
) -> Vec<AccessEvent<'static>> {
    let partition = |event: &AccessEvent<'_>| event.origin.partition.expect("set") as usize;
    let partitions = events
        .iter()
        .map(partition)
        .max()
        .map_or(1, |last| last + 1);
    let mut queues = vec![std::collections::VecDeque::new(); partitions];
    for event in events {
        queues[partition(event)].push_back(event.clone());
    }
    let mut random = fastrand::Rng::with_seed(shuffle);
    let mut mixed = Vec::new();
    while mixed.len() < events.len() {
        let head =
            |queue: &std::collections::VecDeque<AccessEvent<'_>>| queue.front().map(|e| e.ts);
        let last = queues
            .iter()
            .filter_map(head)
            .min()
            .expect("events are left")
            + ahead;
        let queue = &mut queues[random.usize(0..partitions)];
        for _ in 0..random.usize(1..60) {
            if head(queue).is_some_and(|ts| ts <= last) {
                mixed.extend(queue.pop_front());
            }
        }
    }
    mixed
}

#[test]
fn only_changed_tokens_are_checkpointed_and_damage_is_refused() {
    let mut engine = Engine::new(settings(""));
    let mut out = Detections::default();
    let call = |token| {
        Call {
            token,
            ..Call::default()
        }
        .event()
    };
    engine.process(&[call(1), call(2)], &mut out);
    assert_eq!(engine.checkpoint().tokens.len(), 2);
    engine.process(&[call(2)], &mut out);
    let delta = engine.checkpoint();
    assert_eq!(delta.tokens.len(), 1);
    assert_eq!(delta.tokens[0].id, TokenId::from_bits(2));
    assert!(engine.checkpoint().tokens.is_empty());

    let id = delta.tokens[0].id;
    let mut newer = delta.tokens[0].state.clone();
    newer[0] = 99;
    for state in [&[][..], &delta.tokens[0].state[..9], &newer] {
        assert!(Engine::restore(settings(""), None, [(id, state)].into_iter()).is_err());
    }
}

#[test]
fn no_order_of_events_makes_state_grow_past_its_bounds() {
    let config = "max_tokens = 64\nmax_cases = 16\n[[out_of_scope.policies]]\nconsumers = [\"acme\"]\nallow = []\n";
    let mut engine = Engine::new(settings(config));
    let mut random = fastrand::Rng::with_seed(7);
    let mut out = Detections::default();
    for _ in 0..20_000 {
        let call = Call {
            token: u128::from(random.u16(..)),
            at_ms: MONDAY * 1_000 + random.i64(0..30 * DAY * 1_000),
            partition: i32::from(random.u8(..)),
            ..Call::default()
        };
        engine.process(&[call.event()], &mut out);
    }
    let stats = engine.stats();
    assert!(stats.tokens <= 64 && stats.cases <= 16, "{stats:?}");
    assert!(
        stats.tokens_evicted > 0 && stats.cases_evicted > 0,
        "{stats:?}"
    );
    let delta = engine.checkpoint();
    assert!(delta.tokens.len() <= 64 && delta.engine_state.len() < 2_000_000);
}

#[test]
fn tokens_forgotten_between_the_events_of_a_batch_change_nothing() {
    let mut random = fastrand::Rng::with_seed(8);
    let mut at_ms = MONDAY * 1_000;
    let events: Vec<_> = (0..8_000)
        .map(|number| {
            at_ms += random.i64(0..2_000);
            let status = if number % 3 == 0 { 403 } else { 200 };
            Call {
                // A few tokens call most of the time, and so many others once that those are forgotten in between.
                token: u128::from(random.u16(0..if number % 2 == 0 { 8 } else { 2_000 })),
                at_ms,
                status,
                path: format!("/admin/{number}"),
                ..Call::default()
            }
            .event()
        })
        .collect();
    let run = |batch: usize| {
        let mut engine = Engine::new(settings(&format!("max_tokens = 32\n{CONFIG}")));
        let mut out = Detections::default();
        for batch in events.chunks(batch) {
            engine.process(batch, &mut out);
        }
        (engine.stats(), engine.checkpoint().engine_state, out)
    };
    let one_by_one = run(1);
    assert!(one_by_one.0.tokens_evicted > 1_000 && !one_by_one.2.findings.is_empty());
    assert!(one_by_one == run(1_000));
}

#[test]
fn a_clock_a_day_ahead_is_counted_and_changes_nothing() {
    let mut events: Vec<_> = traffic(3)
        .into_iter()
        .filter(|e| e.origin.partition == Some(1))
        .collect();
    let clean = run(&events, 100);
    let wrong: Vec<_> = events
        .iter()
        .skip(200)
        .step_by(50)
        .filter(|event| event.origin.gateway.is_none())
        .map(|event| {
            let mut event = event.clone();
            event.ts = Timestamp::from_micros(event.ts.as_micros() + 40 * DAY * 1_000_000);
            event.origin.gateway = Some("broken".into());
            event
        })
        .collect();
    let added = wrong.len() as u64;
    for (number, event) in wrong.into_iter().enumerate() {
        events.insert((200 + number * 51).min(events.len()), event);
    }
    let out = run(&events, 100);
    assert_eq!(out.quarantined, clean.quarantined + added);
    assert_eq!(last_versions(&out.findings), last_versions(&clean.findings));
}
