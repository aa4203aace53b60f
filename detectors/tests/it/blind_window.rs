//! A fleet of gateway nodes that log steadily for hours: who is missed when silent, and who is not.

use proptest::prelude::*;
use tokenwatch_detectors::{Detections, Engine};
use tokenwatch_model::{
    AccessEvent, Detector, Finding, FindingStatus, Severity, StreamId, Timestamp,
};

use crate::support::{Call, DAY, MONDAY, last_versions, settings};

const HOUR: i64 = 3_600;
const NODES: [&str; 6] = ["gw-1", "gw-2", "gw-3", "gw-4", "gw-5", "gw-6"];

/// Calls per minute of a node at a second.
type Load<'l> = &'l dyn Fn(usize, i64) -> f64;

/// Calls of `nodes` nodes from `from` to `until` seconds after Monday; `load` says how many calls a node logs per minute.
fn fleet(
    nodes: usize,
    from: i64,
    until: i64,
    load: impl Fn(usize, i64) -> f64,
) -> Vec<AccessEvent<'static>> {
    let mut random = fastrand::Rng::with_seed(5);
    let mut calls = Vec::new();
    for (node, name) in NODES.iter().enumerate().take(nodes) {
        let mut second = from;
        while second < until {
            let per_minute = load(node, second);
            let expected = per_minute / 4.0;
            let count = expected as u32 + u32::from(random.f64() < expected.fract());
            for _ in 0..count {
                let token = random.u128(1..40);
                calls.push(Call {
                    token,
                    at_ms: (MONDAY + second) * 1_000 + random.i64(0..15_000),
                    gateway: Some(name),
                    partition: (token % 4) as i32,
                    ..Call::default()
                });
            }
            second += 15;
        }
    }
    calls.sort_by_key(|call| call.at_ms);
    calls.iter().map(Call::event).collect()
}

fn blind(out: &Detections) -> Vec<Finding> {
    let mut found = last_versions(&out.findings);
    found.retain(|finding| finding.detector == Detector::BlindWindow);
    found
}

fn of(events: &[AccessEvent<'_>]) -> Vec<Finding> {
    let mut engine = Engine::new(settings("[blind_window]\nlag = \"10m\""));
    let mut out = Detections::default();
    engine.process(events, &mut out);
    engine.finish(&mut out);
    blind(&out)
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(MONDAY + secs)
}

#[test]
fn a_silent_node_is_told_once_and_told_again_when_it_logs_again() {
    let (stops, returns) = (4 * HOUR, 4 * HOUR + 1_300);
    let events = fleet(3, 0, 6 * HOUR, |node, second| {
        if node == 1 && (stops..returns).contains(&second) {
            0.0
        } else {
            60.0
        }
    });
    let found = of(&events);
    let [finding] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(finding.subject.id, "gw-2");
    assert_eq!(finding.severity, Severity::Low);
    assert_eq!(finding.status, FindingStatus::Closed);
    assert_eq!(finding.first_event_at, at(stops));
    assert!(
        (at(stops + 300)..=at(stops + 360)).contains(&finding.detected_at),
        "{finding:#?}"
    );
    let expected = finding.evidence.expected.expect("what is missing");
    assert!((1_100.0..1_400.0).contains(&expected), "{expected}");
    assert!(
        finding.summary.starts_with("Gateway node gw-2 logs again"),
        "{}",
        finding.summary
    );
}

#[test]
fn who_is_not_missed_is_not_told() {
    let stop = 4 * HOUR;
    let calm: [(&str, Load<'_>); 7] = [
        ("a rolling restart of a minute each", &|node, second| {
            let restart = stop + 300 * node as i64;
            if (restart..restart + 60).contains(&second) {
                0.0
            } else {
                60.0
            }
        }),
        (
            "a node that is drained over ten minutes",
            &|node, second| {
                let left = 1.0 - (second - stop) as f64 / 600.0;
                if node == 0 {
                    60.0 * left.clamp(0.0, 1.0)
                } else {
                    60.0
                }
            },
        ),
        (
            "a node whose work the others take over",
            &|node, second| match (second >= stop, node) {
                (false, _) => 60.0,
                (true, 0) => 0.0,
                (true, _) => 90.0,
            },
        ),
        (
            "a node that another replaces",
            &|node, second| match (second >= stop, node) {
                (false, 2) | (true, 0) => 0.0,
                _ => 60.0,
            },
        ),
        ("a node that never logged steadily", &|node, second| {
            let quiet = node == 0 && (second / 600 % 3 == 0 || second > stop);
            if quiet { 0.0 } else { 60.0 }
        }),
        ("a young fleet", &|node, second| {
            if second < 2 * HOUR || (node == 0 && second > stop) {
                0.0
            } else {
                60.0
            }
        }),
        ("a sparse fleet", &|node, second| {
            if node == 0 && second > stop { 0.0 } else { 6.0 }
        }),
    ];
    for (name, load) in calm {
        let found = of(&fleet(3, 0, 6 * HOUR, load));
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn one_busy_client_that_stops_is_no_silent_gateway() {
    let mut events = fleet(3, 0, 6 * HOUR, |node, second| {
        if node == 0 && second > 4 * HOUR {
            0.0
        } else {
            60.0
        }
    });
    for event in &mut events {
        if event.origin.gateway.as_deref() == Some("gw-1")
            && let Some(token) = &mut event.token
        {
            token.id = tokenwatch_model::TokenId::from_bits(7);
        }
    }
    let found = of(&events);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_diurnal_fleet_sleeps_in_silence_however_suddenly() {
    for sudden in [true, false] {
        let events = fleet(3, 0, 10 * DAY, |_, second| {
            let hour = (second % DAY) as f64 / 3_600.0;
            let works = (7.0..19.0).contains(&hour) && second / DAY % 7 < 5;
            let bell = (-0.5 * ((hour - 13.0) / 2.5) * ((hour - 13.0) / 2.5)).exp();
            match (sudden, works) {
                (true, true) => 30.0,
                (true, false) => 0.0,
                (false, _) => 30.0 * bell,
            }
        });
        let found = of(&events);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn a_clock_that_is_ahead_leaves_no_gap() {
    let wrong = 30 * HOUR..31 * HOUR;
    let events = fleet(3, 0, 33 * HOUR, |_, _| 20.0);
    let mut events: Vec<_> = events
        .into_iter()
        .enumerate()
        .map(|(number, mut event)| {
            event.origin.gateway = None;
            event.origin.partition = Some(0);
            let order = event.ts;
            if number % 3 == 0 && wrong.contains(&(event.ts.as_secs() - MONDAY)) {
                event.ts = Timestamp::from_secs(event.ts.as_secs() + 600);
            }
            (order, event)
        })
        .collect();
    events.sort_by_key(|(order, _)| *order);
    let events: Vec<_> = events.into_iter().map(|(_, event)| event).collect();
    let found = of(&events);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn many_silent_nodes_are_one_finding() {
    let stop = 4 * HOUR;
    let events = fleet(6, 0, 6 * HOUR, |node, second| {
        if node < 4 && (stop..stop + 1_200).contains(&second) {
            0.0
        } else {
            60.0
        }
    });
    let half = fleet(6, 0, 6 * HOUR, |node, second| {
        if node < 3 && (stop..stop + 1_200).contains(&second) {
            0.0
        } else {
            60.0
        }
    });
    for events in [&events, &half] {
        let found = of(events);
        let [finding] = &found[..] else {
            panic!("{found:#?}");
        };
        assert_eq!(finding.subject.id, "fleet");
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(finding.status, FindingStatus::Closed);
        assert!(finding.summary.contains("log again"), "{}", finding.summary);
    }
}

#[test]
fn a_silence_of_all_is_told_when_it_is_over_and_while_time_passes() {
    let (stop, back) = (DAY + 10 * HOUR, DAY + 10 * HOUR + 2_400);
    let load = |_: usize, second: i64| {
        if (stop..back).contains(&second) {
            0.0
        } else {
            20.0
        }
    };
    let events = fleet(2, 0, DAY + 12 * HOUR, load);
    let found = of(&events);
    let [finding] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(
        (finding.subject.id.as_str(), finding.severity),
        ("fleet", Severity::Medium)
    );
    assert!(
        finding.summary.contains("for 40 min"),
        "{}",
        finding.summary
    );
    assert!(finding.detected_at <= at(stop + 360));

    let mut engine = Engine::new(settings(""));
    let mut out = Detections::default();
    let before: Vec<_> = events
        .iter()
        .filter(|event| event.ts < at(stop))
        .cloned()
        .collect();
    engine.process(&before, &mut out);
    engine.pass_time(at(stop + 240), &mut out);
    assert!(blind(&out).is_empty());
    engine.pass_time(at(stop + 400), &mut out);
    let live = blind(&out);
    assert_eq!(live.len(), 1);
    assert_eq!(
        (live[0].id, live[0].status),
        (finding.id, FindingStatus::Open)
    );
    assert!(
        live[0].summary.starts_with("Nothing was logged"),
        "{}",
        live[0].summary
    );
}

#[test]
fn the_end_of_a_replay_and_a_jump_of_years_are_no_blindness() {
    let mut events = fleet(2, 0, 30 * HOUR, |_, _| 20.0);
    let again = fleet(2, 900 * DAY, 900 * DAY + HOUR, |_, _| 20.0);
    assert!(of(&events).is_empty());
    events.extend(again);
    // The gap is told once, as it begins at a busy hour.
    assert!(of(&events).len() <= 1);
}

#[test]
fn a_stream_behind_the_others_is_told_and_days_caught_up_with_are_not() {
    let events = fleet(2, 0, 6 * HOUR, |_, _| 60.0);
    let delayed = |from: i64, by: i64| {
        let mut events = events.clone();
        events.sort_by_key(|event| {
            let second = event.ts.as_secs() - MONDAY;
            let late =
                event.origin.partition == Some(2) && (from..from + 2 * HOUR).contains(&second);
            event.ts.as_micros() + if late { by * 1_000_000 } else { 0 }
        });
        of(&events)
    };
    let found = delayed(3 * HOUR, 1_500);
    let [finding] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(finding.subject.id, "gateway.access/2");
    assert_eq!(finding.status, FindingStatus::Closed);
    assert!(finding.summary.contains("abreast"), "{}", finding.summary);
    assert!(delayed(3 * HOUR, 300).is_empty());
    assert!(delayed(0, 5_400).is_empty(), "it never was abreast");
}

#[test]
fn unreadable_records_are_told_if_they_are_many_and_unusual() {
    let events = fleet(2, 0, 4 * HOUR, |_, _| 60.0);
    let stream = StreamId {
        topic: "gateway.access".to_owned(),
        partition: 1,
    };
    // Of every stream 30 a minute can be read; `rejects` says how many of this one cannot.
    let run = |rejects: &dyn Fn(i64) -> i64| {
        let mut engine = Engine::new(settings(""));
        let mut out = Detections::default();
        let mut minute = 0;
        for event in &events {
            engine.process(std::slice::from_ref(event), &mut out);
            while minute < (event.ts.as_secs() - MONDAY) / 60 {
                minute += 1;
                for _ in 0..rejects(minute) {
                    engine.rejected(&stream, &mut out);
                }
            }
        }
        engine.finish(&mut out);
        blind(&out)
    };
    let found = run(&|minute| if (120..150).contains(&minute) { 30 } else { 0 });
    let [finding] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(finding.subject.id, "gateway.access/1");
    assert_eq!(finding.severity, Severity::Medium);
    assert!(
        finding.summary.contains("900 could not"),
        "{}",
        finding.summary
    );
    assert_eq!(finding.event_count, 900);
    for (name, rejects) in [
        (
            "a few",
            (&|minute: i64| i64::from(minute % 4i64 == 0)) as &dyn Fn(i64) -> i64,
        ),
        ("as always", &|_| 6),
        ("at first", &|minute| if minute < 40 { 30 } else { 0 }),
    ] {
        let found = run(rejects);
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn nodes_beyond_the_limit_are_counted_and_not_kept() {
    let mut engine = Engine::new(settings(""));
    let mut out = Detections::default();
    for number in 0..2_000 {
        let mut event = Call {
            at_ms: (MONDAY + number) * 1_000,
            ..Call::default()
        }
        .event();
        event.origin.gateway = Some(format!("gw-{number}").into());
        engine.process(&[event], &mut out);
    }
    assert_eq!(engine.stats().coverage_overflowed, 2_000 - 256);
    assert!(engine.checkpoint().engine_state.len() < 500_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn neither_partitions_nor_batches_nor_restarts_change_what_is_missed(partitions in 1i32..9, batch in 1usize..3_000, cut in 0.0..1.0f64, shuffle: u64) {
        let mut events = fleet(4, 0, 5 * HOUR, |node, second| {
            if node == 1 && (4 * HOUR..4 * HOUR + 900).contains(&second) { 0.0 } else { 40.0 }
        });
        let one = of(&events);
        prop_assert_eq!(one.len(), 1);
        let mut random = fastrand::Rng::with_seed(shuffle);
        for event in &mut events {
            let bits = event.token.as_ref().expect("set").id.bits();
            event.origin.partition = Some((bits % partitions as u128) as i32);
        }
        let mut keyed: Vec<_> = events.into_iter().map(|event| {
            let partition = event.origin.partition;
            (event, partition)
        }).collect();
        // Partitions at most nine seconds apart, each in its order.
        let delays: Vec<i64> = (0..partitions).map(|_| random.i64(0..9_000_000)).collect();
        keyed.sort_by_key(|(event, partition)| event.ts.as_micros() + delays[partition.expect("set") as usize]);
        let events: Vec<_> = keyed.into_iter().map(|(event, _)| event).collect();
        let mut engine = Engine::new(settings(""));
        let mut out = Detections::default();
        let (before, after) = events.split_at((cut * events.len() as f64) as usize);
        for part in before.chunks(batch) {
            engine.process(part, &mut out);
        }
        let delta = engine.checkpoint();
        let tokens = delta.tokens.iter().map(|token| (token.id, token.state.as_slice()));
        engine = Engine::restore(settings(""), Some(&delta.engine_state), tokens).expect("restores");
        for part in after.chunks(batch) {
            engine.process(part, &mut out);
        }
        engine.finish(&mut out);
        prop_assert_eq!(one, blind(&out));
    }
}
