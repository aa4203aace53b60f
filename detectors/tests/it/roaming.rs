//! Where tokens are used from, in a simulated fleet: people with phones, trips and new laptops, services with releases and
//! moves, developers who try things, keys inside of apps. None of that may be taken for theft, and theft must be found.

use std::sync::Arc;

use tokenwatch_detectors::{Detections, Engine};
use tokenwatch_model::{AccessEvent, Severity, Timestamp, TokenId};

use crate::support::{Call, DAY, MONDAY, settings};

const DAYS: i64 = 42;
/// The first two weeks are for learning.
const SCORED_FROM: i64 = 14;
const PER_CLASS: usize = 8;
/// Of life, and of theft.
const LIVES: [u64; 1] = [11];
const THEFTS: [u64; 2] = [100, 101];

/// Where from and with what.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Face {
    country: &'static str,
    asn: u32,
    org: &'static str,
    agent: &'static str,
}

const fn face(country: &'static str, asn: u32, org: &'static str, agent: &'static str) -> Face {
    Face {
        country,
        asn,
        org,
        agent,
    }
}

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36";
const NEXT_CHROME: &str = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0 Safari/537.36";
const SAFARI: &str = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
const APP: &str = "ShopApp/7.2 (iPhone; iOS 18.6)";
const SDK: &str = "acme-sdk/2.1 (linux)";
const NEXT_SDK: &str = "acme-sdk/3.0 (linux)";
const ISPS: [(&str, u32, &str); 6] = [
    ("DE", 3_320, "Deutsche Telekom AG"),
    ("DE", 3_209, "Vodafone GmbH"),
    ("FR", 3_215, "Orange S.A."),
    ("GB", 2_856, "British Telecommunications PLC"),
    ("US", 7_922, "Comcast Cable Communications, LLC"),
    ("US", 701, "Verizon Business"),
];
const CARRIERS: [(&str, u32, &str); 3] = [
    ("DE", 6_805, "Telefonica Germany"),
    ("FR", 15_557, "Societe Francaise Du Radiotelephone"),
    ("US", 21_928, "T-Mobile USA, Inc."),
];
const CLOUDS: [(&str, u32, &str); 6] = [
    ("US", 16_509, "Amazon.com, Inc."),
    ("DE", 16_509, "Amazon.com, Inc."),
    ("NL", 8_075, "Microsoft Corporation"),
    ("DE", 24_940, "Hetzner Online GmbH"),
    ("FR", 16_276, "OVH SAS"),
    ("US", 396_982, "Google LLC"),
];

/// How a token is used, by somebody who has every right to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    /// A service in one network; a release of its client every three weeks.
    Service,
    /// The same behind two egress networks, with a move to another region while it scores.
    TwoRegions,
    /// A person at home, in the office, on the phone; a trip, a new laptop, a VPN now and then.
    Person,
    /// A person with one call an hour.
    RarePerson,
    /// A phone that is in another network every day.
    Roamer,
    /// A build farm, and a developer who tries things from home with other tools every few days.
    Developer,
    /// A key inside of an app that a thousand people use.
    PublicKey,
}

const CLASSES: [Class; 7] = [
    Class::Service,
    Class::TwoRegions,
    Class::Person,
    Class::RarePerson,
    Class::Roamer,
    Class::Developer,
    Class::PublicKey,
];

struct Owner {
    class: Class,
    token: u128,
    calls_per_day: i64,
    home: usize,
    seed: u64,
}

impl Owner {
    fn new(token: u128, random: &mut fastrand::Rng) -> Self {
        let class = CLASSES[token as usize % CLASSES.len()];
        Self {
            class,
            token,
            calls_per_day: match class {
                Class::RarePerson => random.i64(6..20),
                Class::PublicKey => 400,
                _ => random.i64(60..250),
            },
            home: random.usize(0..60),
            seed: random.u64(..),
        }
    }

    /// Where a call of `day` comes from. What lasts a day follows from the day alone.
    fn face(&self, day: i64, random: &mut fastrand::Rng) -> Face {
        let mut of_day = fastrand::Rng::with_seed(self.seed ^ day as u64);
        let isp = ISPS[self.home % ISPS.len()];
        let cloud = CLOUDS[self.home % CLOUDS.len()];
        let at = |(country, asn, org): (&'static str, u32, &'static str), agent| {
            face(country, asn, org, agent)
        };
        match self.class {
            Class::Service => {
                // It rolls out over a day.
                let since = day - 21 - (self.seed % 7) as i64;
                let is_next = since > 0 || (since == 0 && random.bool());
                at(cloud, if is_next { NEXT_SDK } else { SDK })
            }
            Class::TwoRegions => {
                let moved = day - 24 - (self.seed % 9) as i64;
                let new = moved > 0 || (moved == 0 && of_day.bool());
                let first = CLOUDS[(self.home + if new { 2 } else { 0 }) % CLOUDS.len()];
                let second = CLOUDS[(self.home + 1) % CLOUDS.len()];
                let agent = ["order-service/1.4", "axios/1.7.9"][self.home % 2];
                at(if random.bool() { first } else { second }, agent)
            }
            Class::Person | Class::RarePerson => self.person(day, isp, random, &mut of_day),
            Class::Roamer => {
                let asn = 60_000 + of_day.u32(0..40);
                face(isp.0, asn, "Regional Telecom", APP)
            }
            Class::Developer => {
                if of_day.u8(0..4) == 0 && random.u8(0..10) == 0 {
                    let tool =
                        ["curl/8.5.0", "PostmanRuntime/7.43", "HTTPie/3.2"][of_day.usize(0..3)];
                    return at(isp, tool);
                }
                at(CLOUDS[2], "acme-ci/5.1")
            }
            Class::PublicKey => {
                let agent = [CHROME, SAFARI, APP][random.usize(0..3)];
                face("DE", 61_000 + random.u32(0..300), "Regional Telecom", agent)
            }
        }
    }

    fn person(
        &self,
        day: i64,
        isp: (&'static str, u32, &'static str),
        random: &mut fastrand::Rng,
        of_day: &mut fastrand::Rng,
    ) -> Face {
        let carrier = CARRIERS[self.home % CARRIERS.len()];
        let first_trip = 16 + (self.seed % 20) as i64;
        let laptop_day = 15 + (self.seed / 32 % 60) as i64;
        let browser = if day >= laptop_day {
            SAFARI
        } else if day >= 25 {
            NEXT_CHROME
        } else {
            CHROME
        };
        let on_trip = (first_trip..first_trip + 3).contains(&day) && self.seed.is_multiple_of(3);
        let at = |(country, asn, org): (&'static str, u32, &'static str), agent| {
            face(country, asn, org, agent)
        };
        let mobile = random.u8(0..3) == 0;
        if on_trip {
            return if mobile {
                face("ES", 12_479, "Orange Espagne SA", APP)
            } else {
                face("ES", 3_352, "Telefonica de Espana", browser)
            };
        }
        if mobile {
            return at(carrier, APP);
        }
        if of_day.u8(0..12) == 0 && random.bool() {
            return face("NL", 9_009, "M247 Europe SRL", browser);
        }
        let in_office = of_day.bool() && random.bool();
        if in_office {
            let asn = 64_000 + (self.seed % 50) as u32;
            return face(isp.0, asn, "Office Networks Ltd", browser);
        }
        at(isp, browser)
    }

    /// The calls of a day.
    fn calls(&self, day: i64) -> Vec<AccessEvent<'static>> {
        let mut random = fastrand::Rng::with_seed(self.seed.wrapping_add(day as u64 * 7_919));
        let mut times: Vec<i64> = (0..self.calls_per_day)
            .map(|_| random.i64(0..DAY * 1_000))
            .collect();
        times.sort_unstable();
        times
            .into_iter()
            .map(|ms| {
                let face = self.face(day, &mut random);
                event(
                    self.token,
                    (MONDAY + day * DAY) * 1_000 + ms,
                    face,
                    &mut random,
                )
            })
            .collect()
    }
}

fn event(token: u128, at_ms: i64, face: Face, random: &mut fastrand::Rng) -> AccessEvent<'static> {
    let call = Call {
        token,
        at_ms,
        consumer: "acme",
        ip: [
            (face.asn % 200) as u8,
            (face.asn / 200 % 250) as u8,
            random.u8(0..3),
            7,
        ],
        place: Some((face.country, face.asn)),
        agent: face.agent,
        ..Call::default()
    };
    let mut event = call.event();
    event.client.as_org = Some(face.org.into());
    event
}

/// A thief with a face that the owner never has.
fn thief(owner: &Owner, random: &mut fastrand::Rng) -> Face {
    let agent = *[
        "python-requests/2.32.3",
        "node-fetch/2.7.0",
        "Go-http-client/2.0",
    ]
    .get(random.usize(0..3))
    .expect("three");
    let own = |asn: u32| {
        let mut any = fastrand::Rng::with_seed(1);
        (0..60).any(|day| owner.face(day % DAYS, &mut any).asn == asn)
    };
    loop {
        let (country, asn, org) = match random.u8(0..3) {
            0 => CLOUDS[random.usize(0..CLOUDS.len())],
            1 => ISPS[random.usize(0..ISPS.len())],
            _ => [("BR", 28_573, "Claro NXT"), ("VN", 45_899, "VNPT Corp")][random.usize(0..2)],
        };
        if !own(asn) {
            return face(country, asn, org, agent);
        }
    }
}

struct Tally {
    token_days: f64,
    by_class: [u32; CLASSES.len()],
    low: u32,
}

#[test]
fn life_is_not_taken_for_theft() {
    let mut tally = Tally {
        token_days: 0.0,
        by_class: [0; CLASSES.len()],
        low: 0,
    };
    for seed in LIVES {
        let mut random = fastrand::Rng::with_seed(seed);
        let owners: Vec<Owner> = (0..(PER_CLASS * CLASSES.len()) as u128)
            .map(|token| Owner::new(token, &mut random))
            .collect();
        let out = run(&owners, &[]);
        let mut known = std::collections::BTreeMap::new();
        for finding in &out.findings {
            if finding.detected_at.as_secs() >= MONDAY + SCORED_FROM * DAY {
                known.insert(finding.id, finding.clone());
            }
        }
        for finding in known.values() {
            let id: TokenId = finding.subject.id.parse().expect("a token");
            let class = id.bits() as usize % CLASSES.len();
            if finding.severity >= Severity::Medium {
                tally.by_class[class] += 1;
                println!(
                    "{:?} {} {}",
                    CLASSES[class], finding.detector, finding.summary
                );
            } else {
                tally.low += 1;
            }
        }
        tally.token_days += owners.len() as f64 * (DAYS - SCORED_FROM) as f64;
    }
    let medium: u32 = tally.by_class.iter().sum();
    println!(
        "{:.0} token-days: {medium} medium {:?}, {} low",
        tally.token_days, tally.by_class, tally.low
    );
    assert!(f64::from(medium) <= 0.002 * tally.token_days);
}

#[test]
fn theft_is_found_within_twenty_calls() {
    // Who makes ten calls in three days, or whose developers' tools are as new as the thief's, may be missed; and a key that a
    // thousand people use is nobody's.
    for (age, at_least) in [(3, 0.85), (10, 0.9), (30, 0.9)] {
        let (mut all, mut found) = (0.0, 0.0);
        let mut missed = [0; CLASSES.len()];
        for seed in THEFTS {
            let mut random = fastrand::Rng::with_seed(seed);
            let owners: Vec<Owner> = (0..(PER_CLASS * CLASSES.len()) as u128)
                .map(|token| Owner::new(token, &mut random))
                .collect();
            let thefts: Vec<Vec<AccessEvent<'static>>> = owners
                .iter()
                .map(|owner| theft(owner, age, &mut random))
                .collect();
            let out = run_until(&owners, &thefts.concat(), age + 1);
            for (owner, theft) in owners.iter().zip(&thefts) {
                let is_public = owner.class == Class::PublicKey;
                if is_found(owner, theft, &out) {
                    found += f64::from(!is_public);
                } else {
                    missed[owner.token as usize % CLASSES.len()] += 1;
                }
                all += f64::from(!is_public);
            }
        }
        println!("{age} days old: {found} of {all} found; missed by class {missed:?}");
        assert!(found >= at_least * all, "{age} days old: {missed:?}");
    }
}

/// Twenty calls of a thief within seven minutes, the first a minute after one of the owner's.
fn theft(owner: &Owner, day: i64, random: &mut fastrand::Rng) -> Vec<AccessEvent<'static>> {
    let thief = thief(owner, random);
    let own = owner.calls(day);
    let start = own[random.usize(0..own.len() / 2)].ts.as_millis() + 60_000;
    (0..20)
        .map(|number| event(owner.token, start + number * 20_000, thief, random))
        .collect()
}

/// Whether there is a medium finding before the last of the thief's calls is over.
fn is_found(owner: &Owner, theft: &[AccessEvent<'static>], out: &Detections) -> bool {
    let id = TokenId::from_bits(owner.token).to_string();
    let (first, last) = (theft[0].ts, theft[theft.len() - 1].ts);
    out.findings.iter().any(|finding| {
        finding.subject.id == id
            && finding.severity >= Severity::Medium
            && (first..=last).contains(&finding.detected_at)
    })
}

fn run(owners: &[Owner], thefts: &[AccessEvent<'static>]) -> Detections {
    run_until(owners, thefts, DAYS)
}

fn run_until(owners: &[Owner], thefts: &[AccessEvent<'static>], days: i64) -> Detections {
    let settings = settings("");
    let mut engine = Engine::new(Arc::clone(&settings));
    let mut out = Detections::default();
    for day in 0..days {
        let mut events: Vec<AccessEvent<'static>> =
            owners.iter().flat_map(|owner| owner.calls(day)).collect();
        let begins = Timestamp::from_secs(MONDAY + day * DAY);
        let ends = Timestamp::from_secs(MONDAY + (day + 1) * DAY);
        events.extend(
            thefts
                .iter()
                .filter(|event| (begins..ends).contains(&event.ts))
                .cloned(),
        );
        events.sort_by_key(|event| event.ts);
        engine.process(&events, &mut out);
    }
    engine.finish(&mut out);
    out
}
