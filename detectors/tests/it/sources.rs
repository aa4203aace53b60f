//! Lists of credentials tried from one address or thousands, amid a fleet at work: found, once, and nothing else is.

use tokenwatch_detectors::{Detections, Engine};
use tokenwatch_model::{Detector, Finding, Severity, SubjectKind};

use crate::support::{Call, MONDAY, last_versions, replay, settings};

/// Owners' tokens, each in a network of its own.
const OWNERS: u128 = 300;

/// Three hours of a fleet: every owner calls every few minutes, one in fifty calls is refused, and a few move about.
fn fleet(seed: u64) -> Vec<Call> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut calls = Vec::new();
    for token in 1..=OWNERS {
        let every = random.i64(60_000..400_000);
        let mut at_ms = MONDAY * 1_000 + random.i64(0..every);
        while at_ms < (MONDAY + 3 * 3_600) * 1_000 {
            let roams = token % 20 == 0;
            let ip = if roams {
                [10, random.u8(..), random.u8(..), 7]
            } else {
                [192, 0, (token / 200) as u8, (token % 200) as u8]
            };
            calls.push(Call {
                token,
                at_ms,
                ip,
                place: Some(("DE", 3_320 + (token % 7) as u32)),
                status: if random.u8(..) < 5 { 401 } else { 200 },
                ..Call::default()
            });
            at_ms += random.i64(every / 2..every * 3 / 2);
        }
    }
    calls
}

/// One attack: so many addresses, credentials, and calls a minute of each address; two of the credentials are owners'.
#[derive(Clone, Copy, Debug)]
struct Attack {
    addresses: u32,
    tokens: u32,
    per_minute: u32,
}

fn attack(attack: Attack, seed: u64) -> Vec<Call> {
    let mut random = fastrand::Rng::with_seed(seed);
    let pace = attack.addresses * attack.per_minute;
    let attempts = (pace * 10).max(attack.tokens).min(10_000);
    let ips: Vec<[u8; 4]> = (0..attack.addresses)
        .map(|_| random.u32(1 << 24..u32::MAX).to_be_bytes())
        .collect();
    (0..attempts)
        .map(|number| {
            let credential = u128::from(number % attack.tokens);
            let is_owners = credential < 2;
            let ip = ips[(number % attack.addresses) as usize];
            Call {
                token: if is_owners {
                    40 + credential
                } else {
                    1_000_000 + credential
                },
                named: is_owners,
                at_ms: (MONDAY + 3_600) * 1_000 + i64::from(number) * 60_000 / i64::from(pace),
                ip,
                place: Some(("NL", 60_000 + u32::from(ip[0]))),
                agent: "python-requests/2.32",
                status: if is_owners { 200 } else { 401 },
                ..Call::default()
            }
        })
        .collect()
}

fn of_sources(out: &Detections) -> Vec<Finding> {
    let mut findings = last_versions(&out.findings);
    findings.retain(|finding| finding.subject.kind == SubjectKind::Source);
    findings
}

fn run(attacks: Vec<Call>, seed: u64) -> Detections {
    let mut calls = fleet(seed);
    calls.extend(attacks);
    calls.sort_by_key(|call| call.at_ms);
    replay("", &calls)
}

#[test]
fn lists_are_found_from_one_address_or_thousands_and_as_one_finding() {
    for addresses in [1, 50, 2_000] {
        for tokens in [10, 1_000] {
            for per_minute in [1, 10] {
                let shape = Attack {
                    addresses,
                    tokens,
                    per_minute,
                };
                let findings = of_sources(&run(attack(shape, 5), 6));
                let told: Vec<&str> = findings.iter().map(|f| f.summary.as_str()).collect();
                assert_eq!(findings.len(), 1, "{shape:?}: {told:#?}");
                let found = &findings[0];
                // Of a thousand credentials over many addresses, two that work may be missed in the sample.
                let exact = tokens == 10 || addresses == 1;
                let is_guessing = found.detector == Detector::TokenGuessing;
                assert!(
                    found.detector == Detector::CredentialStuffing || (is_guessing && !exact),
                    "{shape:?}"
                );
                let seconds = found.detected_at.as_secs() - (MONDAY + 3_600);
                println!(
                    "{shape:?}: {} after {seconds} s: {}",
                    found.severity, found.summary
                );
                assert!(
                    found.severity >= Severity::Medium && seconds <= 720,
                    "{shape:?}"
                );
            }
        }
    }
}

/// The events as `partitions` bring them, each up to some seconds behind, with a restart amid them.
fn run_partitioned(calls: &[Call], partitions: u128, seed: u64) -> Detections {
    let mut random = fastrand::Rng::with_seed(seed);
    let behind: Vec<i64> = (0..partitions).map(|_| random.i64(0..8_000)).collect();
    let mut calls: Vec<Call> = calls.to_vec();
    for call in &mut calls {
        call.partition = (call.token % partitions) as i32;
    }
    calls.sort_by_key(|call| call.at_ms + behind[call.partition as usize]);
    let half = calls.len() / 2;
    let mut engine = Engine::new(settings(""));
    let mut out = Detections::default();
    let feed = |engine: &mut Engine, calls: &[Call], out: &mut Detections| {
        for call in calls {
            engine.process(&[call.event()], out);
        }
    };
    feed(&mut engine, &calls[..half], &mut out);
    let delta = engine.checkpoint();
    let states = delta
        .tokens
        .iter()
        .map(|token| (token.id, token.state.as_slice()));
    let mut engine =
        Engine::restore(settings(""), Some(&delta.engine_state), states).expect("restores");
    feed(&mut engine, &calls[half..], &mut out);
    engine.finish(&mut out);
    out
}

#[test]
fn partitions_and_a_restart_do_not_change_what_is_found() {
    let shape = Attack {
        addresses: 50,
        tokens: 60,
        per_minute: 4,
    };
    let mut calls = fleet(3);
    calls.extend(attack(shape, 5));
    calls.sort_by_key(|call| call.at_ms);
    let one = last_versions(&run_partitioned(&calls, 1, 0).findings);
    assert!(
        one.iter()
            .any(|found| found.subject.kind == SubjectKind::Source)
    );
    for partitions in [1, 2, 3, 8, 12] {
        let many = last_versions(&run_partitioned(&calls, partitions, 9).findings);
        assert_eq!(one, many, "{partitions} partitions");
    }
}

#[test]
fn a_fleet_at_work_has_no_findings_about_sources() {
    for seed in 10..14 {
        let findings = of_sources(&run(Vec::new(), seed));
        assert!(findings.is_empty(), "{seed}: {:?}", findings[0].summary);
    }
}
