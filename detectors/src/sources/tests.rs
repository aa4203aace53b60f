//! Attacks, and what looks like one, from traffic to hits.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use tokenwatch_model::{
    AccessEvent, Client, Detector, EventFlags, Format, Http, Origin, Outcome, Severity, Timestamp,
    TokenId, TokenKind, TokenUse,
};

use super::*;

const START_S: i64 = 1_793_577_600;

/// One call.
#[derive(Clone, Copy, Debug)]
struct Call {
    at_ms: i64,
    token: u128,
    ip: u32,
    status: u16,
}

fn call(at_s: i64, token: u128, ip: u32, status: u16) -> Call {
    Call {
        at_ms: at_s * 1_000,
        token,
        ip,
        status,
    }
}

/// The event; token 0 is none, and addresses of one /16 are of one autonomous system.
fn event(call: Call) -> AccessEvent<'static> {
    AccessEvent {
        ts: Timestamp::from_millis(START_S * 1_000 + call.at_ms),
        format: Format::ALL[0],
        request_id: None,
        token: (call.token != 0).then(|| TokenUse {
            id: TokenId::from_bits(call.token),
            kind: TokenKind::ApiKey,
            credential_id: None,
            instance: None,
            consumer: None,
            scopes: Vec::new(),
            fingerprint: None,
            issued_at: None,
            expires_at: None,
            jwt: None,
        }),
        client: Client {
            ip: Some(IpAddr::V4(Ipv4Addr::from_bits(call.ip))),
            asn: Some(64_500 + (call.ip >> 16)),
            user_agent: Some("curl/8.5".into()),
            ..Client::default()
        },
        http: Http {
            method: Some("POST".into()),
            path: Some("/v1/login".into()),
            status: Some(call.status),
            ..Http::default()
        },
        tls: None,
        outcome: Outcome::of_status(Some(call.status)),
        flags: EventFlags::default(),
        origin: Origin::default(),
    }
}

/// Sources, with the tokens' own side of it.
#[derive(Default)]
struct World {
    sources: Sources,
    homes: BTreeMap<u128, (Homes, Timestamp)>,
    hits: Vec<SourceHit>,
}

impl World {
    fn note(&mut self, call: Call) {
        let event = event(call);
        let standing = if call.token == 0 {
            Standing::Anonymous
        } else {
            let (homes, first_seen) = self
                .homes
                .entry(call.token)
                .or_insert((Homes::default(), event.ts));
            homes.visit(&event, *first_seen)
        };
        self.sources.note(&event, standing);
    }

    fn seal(&mut self, until_s: i64) {
        let (stuffing, guessing) = Default::default();
        let last = (START_S + until_s).div_euclid(WINDOW_S) - 1;
        self.sources
            .seal(last, &stuffing, &guessing, |_| false, &mut self.hits);
    }
}

/// What the calls lead to when they are read in order of time.
fn run(mut calls: Vec<Call>) -> World {
    calls.sort_by_key(|call| call.at_ms);
    let mut world = World::default();
    for call in calls {
        world.seal(call.at_ms / 1_000 - 30);
        world.note(call);
    }
    world.seal(10_000_000);
    world
}

/// Names, detectors and gravest severities of what was reported.
fn found(world: &World) -> Vec<(String, Detector, Severity)> {
    let mut found: BTreeMap<(String, Detector), Severity> = BTreeMap::new();
    for hit in &world.hits {
        let gravest = found
            .entry((hit.name.clone(), hit.hit.story.detector))
            .or_insert(hit.hit.severity);
        *gravest = (*gravest).max(hit.hit.severity);
    }
    found
        .into_iter()
        .map(|((name, detector), severity)| (name, detector, severity))
        .collect()
}

fn check(calls: Vec<Call>, want: &[(&str, Detector, Severity)]) -> World {
    let world = run(calls);
    let found = found(&world);
    let found: Vec<_> = found.iter().map(|(n, d, s)| (n.as_str(), *d, *s)).collect();
    assert_eq!(found, want);
    world
}

const ATTACKER: u32 = 0xcb00_7107;
const GUESSING: Detector = Detector::TokenGuessing;
const STUFFING: Detector = Detector::CredentialStuffing;

/// Tokens 1 to `count` at home in networks of their own, one call each in the first minute.
fn owners(count: u32) -> impl Iterator<Item = Call> {
    (1..=count).map(|token| call(i64::from(token % 60), token.into(), token << 8, 200))
}

#[test]
fn ten_unknown_credentials_from_one_address_are_guesses_and_nine_are_none() {
    let tries = |count: u32| {
        (0..count).map(|n| call(60 * i64::from(n), 1_000 + u128::from(n), ATTACKER, 401))
    };
    check(tries(9).collect(), &[]);
    let name = "203.0.113.7";
    let world = check(tries(10).collect(), &[(name, GUESSING, Severity::Medium)]);
    assert_eq!(world.hits.len(), 1);
    let bulk = world.hits[0].hit.bulk.as_ref().expect("events");
    assert_eq!((bulk.events, bulk.refused), (10, 10));
}

#[test]
fn credentials_of_others_are_stuffed_and_those_let_in_are_named() {
    let tries = (1..=20u32).map(|token| call(600 + i64::from(token), token.into(), ATTACKER, 401));
    let calls: Vec<Call> = owners(30).chain(tries).collect();
    check(
        calls.clone(),
        &[("203.0.113.7", STUFFING, Severity::Medium)],
    );
    let let_in = call(640, 25, ATTACKER, 200);
    let calls: Vec<Call> = calls.into_iter().chain([let_in]).collect();
    let world = check(calls, &[("203.0.113.7", STUFFING, Severity::High)]);
    assert_eq!(
        world.hits.last().expect("one").helped,
        [TokenId::from_bits(25)]
    );
}

#[test]
fn a_gateway_with_healthy_tokens_stays_quiet() {
    // Three hundred tokens that work, and fifteen wrong ones: on the first day, and after a long time.
    let healthy =
        |at: i64| (1..=300u32).map(move |n| call(at + i64::from(n), n.into(), ATTACKER, 200));
    let wrong = |at: i64| {
        (0..15u32).map(move |n| call(at + 20 * i64::from(n), 1_000 + u128::from(n), ATTACKER, 401))
    };
    check(healthy(0).chain(wrong(100)).collect(), &[]);
    let settled = (0..20).flat_map(|minute| healthy(60 * minute));
    check(settled.chain(wrong(600)).collect(), &[]);
}

#[test]
fn a_broken_release_and_an_outage_are_no_attacks() {
    // One token that fails everywhere.
    let release = (0..500u32).map(|n| call(300 + i64::from(n), 7, (n << 8) | 9, 401));
    check(owners(10).chain(release).collect(), &[]);
    // Everybody fails where they always worked, behind gateways too.
    let behind = |at: i64, status| {
        (1..=400u32).map(move |n| {
            call(
                at + i64::from(n % 60),
                n.into(),
                0x0a00_0000 | (n % 4) << 8,
                status,
            )
        })
    };
    check(behind(0, 200).chain(behind(900, 401)).collect(), &[]);
}

#[test]
fn an_attack_under_an_outage_is_seen() {
    let outage = (1..=400u32).map(|n| call(900 + i64::from(n % 60), n.into(), n << 8, 401));
    let tries = (0..40u32).map(|n| call(900 + i64::from(n), 5_000 + u128::from(n), ATTACKER, 401));
    let calls = owners(400).chain(outage).chain(tries).collect();
    check(calls, &[("203.0.113.7", GUESSING, Severity::Medium)]);
}

#[test]
fn thousands_of_addresses_are_one_attack() {
    let spread = |n: u32| n.wrapping_mul(0x9e37_79b1);
    let tries = (0..2_000u32).map(|n| {
        call(
            900 + i64::from(n % 300),
            5_000 + u128::from(n),
            spread(n),
            401,
        )
    });
    let calls = owners(400).chain(tries).collect();
    check(
        calls,
        &[("POST /v1/login (curl/8.5)", GUESSING, Severity::Medium)],
    );
}

#[test]
fn addresses_of_one_network_are_one_attack_even_with_the_same_list() {
    let tries = (0..50u32).flat_map(|n| {
        (0..12u32).map(move |t| {
            call(
                i64::from(900 + 20 * t + n % 20),
                5_000 + u128::from(t),
                (ATTACKER & !255) | n,
                401,
            )
        })
    });
    let calls = owners(400).chain(tries).collect();
    check(calls, &[("203.0.113.0/24", GUESSING, Severity::Medium)]);
}

#[test]
fn calls_without_a_credential_count_a_hundred_of_one_address() {
    let tries = |count: i64| (0..count).map(|n| call(n * 5, 0, ATTACKER, 401));
    check(tries(99).collect(), &[]);
    check(
        tries(120).collect(),
        &[("203.0.113.7", GUESSING, Severity::Medium)],
    );
}

#[test]
fn what_a_source_always_does_is_usual() {
    // A relay whose customers mistype a dozen keys in ten minutes, day after day.
    let day = |day: i64| {
        (0..12u32).map(move |n| {
            call(
                day * 86_400 + 40 * i64::from(n),
                (day as u128) * 100 + u128::from(n) + 9,
                ATTACKER,
                401,
            )
        })
    };
    let first = run(day(0).collect());
    assert_eq!(found(&first).len(), 1);
    let world = run((0..6).flat_map(day).collect());
    let last = world.hits.iter().map(|hit| hit.window).max().expect("one");
    assert!(
        last < (START_S + 3 * 86_400) / WINDOW_S,
        "the third day is usual"
    );
}

#[test]
fn a_million_random_addresses_stay_bounded() {
    let mut world = World::default();
    let mut random = fastrand::Rng::with_seed(7);
    let mut most = 0;
    for n in 0..1_000_000i64 {
        let at_s = n / 5_000;
        if n % 5_000 == 0 {
            world.seal(at_s - 30);
            most = most.max(world.sources.stats().bytes);
        }
        let token = random.u128(1..);
        world.sources.note(
            &event(call(at_s, token, random.u32(..), 401)),
            Standing::Stranger,
        );
    }
    world.seal(1_000);
    println!("{} MB at most", most / 1_000_000);
    assert!(most < 64_000_000, "{most}");
    assert!(world.sources.stats().keys <= 16_384);
    let found = found(&world);
    assert_eq!(found.len(), 1, "{found:?}");
}

/// Traffic with all of it: owners, gateways, attacks of several shapes.
fn traffic(seed: u64) -> Vec<Call> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut calls = Vec::new();
    for _ in 0..3_000 {
        let token = random.u128(1..200);
        let home = if token < 40 {
            0x0a00_0001
        } else {
            (token as u32) << 8
        };
        let status = if random.u8(..) < 12 { 401 } else { 200 };
        calls.push(call(random.i64(0..3_600), token, home, status));
    }
    for _ in 0..random.usize(1..4) {
        let (start, seconds) = (random.i64(300..3_000), random.i64(20..600));
        let (addresses, tokens) = (random.u32(1..40), random.u128(5..200));
        let base = random.u32(..);
        // Tokens of others, of which some work; or tokens of nobody.
        let (first, working) = if random.bool() { (0, 6) } else { (10_000, 0) };
        for _ in 0..random.usize(20..400) {
            let status = if random.u8(..) < working { 200 } else { 401 };
            let ip = base.wrapping_add(random.u32(0..addresses) * random.u32(1..3) * 77);
            let token = first + random.u128(1..=tokens);
            calls.push(call(start + random.i64(0..seconds), token, ip, status));
        }
    }
    calls.sort_by_key(|call| call.at_ms);
    calls
}

#[test]
fn the_traffic_of_these_tests_has_attacks_of_both_kinds() {
    let worlds: Vec<World> = (0..6).map(|seed| run(traffic(seed))).collect();
    let found: Vec<_> = worlds.iter().flat_map(found).collect();
    for detector in [GUESSING, STUFFING] {
        assert!(
            found.iter().any(|(_, found, _)| *found == detector),
            "{detector}"
        );
    }
}

/// The calls read from `partitions`, which are up to a few minutes apart.
fn run_partitioned(calls: &[Call], partitions: usize, seed: u64) -> World {
    let mut queues = vec![std::collections::VecDeque::new(); partitions];
    for call in calls {
        queues[call.token as usize % partitions].push_back(*call);
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::default();
    loop {
        let heads = queues.iter().filter_map(|queue| queue.front());
        let Some(least) = heads.map(|call| call.at_ms).min() else {
            break;
        };
        world.seal(least / 1_000);
        let ready: Vec<usize> = (0..partitions)
            .filter(|index| {
                queues[*index]
                    .front()
                    .is_some_and(|call| call.at_ms < least + 400_000)
            })
            .collect();
        let chosen = ready[random.usize(..ready.len())];
        for _ in 0..random.usize(1..20) {
            let is_ready = |call: &Call| call.at_ms < least + 400_000;
            match queues[chosen].front().copied().filter(is_ready) {
                Some(call) => world.note(call),
                None => break,
            }
            queues[chosen].pop_front();
        }
    }
    world.seal(10_000_000);
    world
}

fn told(world: &World) -> Vec<String> {
    world.hits.iter().map(|hit| format!("{hit:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn partitions_and_their_interleaving_do_not_matter(seed: u64, shuffle: u64) {
        let calls = traffic(seed);
        let one = told(&run_partitioned(&calls, 1, 0));
        for partitions in [1, 2, 3, 8, 12] {
            prop_assert_eq!(&one, &told(&run_partitioned(&calls, partitions, shuffle)));
        }
    }

    #[test]
    fn going_on_from_stored_state_equals_going_on(seed: u64, cut in 0usize..3_000) {
        let calls = traffic(seed);
        let cut = cut.min(calls.len());
        let mut world = World::default();
        for (index, call) in calls.iter().enumerate() {
            if index == cut {
                let bytes = postcard::to_allocvec(&world.sources).expect("encodes");
                world.sources = postcard::from_bytes(&bytes).expect("decodes");
                world.sources.rebuild();
            }
            world.seal(call.at_ms / 1_000 - 30);
            world.note(*call);
        }
        world.seal(10_000_000);
        prop_assert_eq!(told(&run(calls)), told(&world));
    }
}
