//! A small simulated fleet: five classes of tokens over five weeks, from one seed. False findings must be next to none,
//! and spikes of eight times a token's own peak must be found.

use tokenwatch_detectors::{Detections, Engine};
use tokenwatch_model::{AccessEvent, Detector, Severity};

use crate::support::{Call, DAY, MONDAY, last_versions, settings};

const PER_CLASS: u128 = 6;
const DAYS: i64 = 35;
/// The first two weeks are for learning.
const SCORED_FROM: i64 = 14;
const SEEDS: [u64; 2] = [20_261_101, 20_261_102];

/// Calls in every minute of one token.
fn minutes(class: u128, random: &mut fastrand::Rng) -> Vec<u32> {
    let scale = 10f64.powf(random.f64());
    let phase = random.f64() * 16.0 - 8.0;
    let minute_of_job = random.i64(0..60);
    let mut session = 0;
    (0..DAYS * 1_440)
        .map(|minute| {
            let hour = (minute % 1_440) as f64 / 60.0;
            let weekday = (minute / 1_440) % 7 < 5;
            let from_noon = ((hour - phase).rem_euclid(24.0) - 12.0) / 3.2;
            let daylight = (-0.5 * from_noon * from_noon).exp() * if weekday { 1.0 } else { 0.3 };
            match class {
                0 => poisson(random, 0.5 * scale),
                1 => {
                    // Over-dispersed: a gamma-like rate around the hour's.
                    let gust = -random.f64().max(1e-9).ln();
                    poisson(
                        random,
                        0.4 * scale * (0.1 + 1.9 * daylight) * (0.5 + 0.5 * gust),
                    )
                }
                2 if minute % 60 == minute_of_job => poisson(random, 20.0 * scale),
                2 => poisson(random, 0.05),
                3 => u32::from(random.f64() < 8.0 / 1_440.0) * random.u32(1..5),
                _ => {
                    if session == 0 && random.f64() < 10.0 / 1_440.0 * 3.0 * daylight {
                        session = random.i64(2..15);
                    }
                    if session == 0 {
                        return 0;
                    }
                    session -= 1;
                    poisson(random, 2.0 + scale)
                }
            }
        })
        .collect()
}

/// Knuth's method; the means here are small.
fn poisson(random: &mut fastrand::Rng, mean: f64) -> u32 {
    if mean > 30.0 {
        return poisson(random, mean / 2.0) + poisson(random, mean / 2.0);
    }
    let limit = (-mean).exp();
    let mut product = random.f64();
    let mut count = 0;
    while product > limit {
        product *= random.f64();
        count += 1;
    }
    count
}

/// The largest ten minutes of the two weeks before `minute`.
fn peak(minutes: &[u32], minute: usize) -> u32 {
    let before = &minutes[minute - 14 * 1_440..minute];
    before
        .chunks(10)
        .map(|window| window.iter().sum())
        .max()
        .unwrap_or(0)
}

fn run(fleet: &[Vec<u32>]) -> Detections {
    let mut engine = Engine::new(settings(""));
    let mut out = Detections::default();
    let mut batch: Vec<AccessEvent<'static>> = Vec::new();
    let template: Vec<AccessEvent<'static>> = (0..fleet.len())
        .map(|token| {
            Call {
                token: token as u128,
                ..Call::default()
            }
            .event()
        })
        .collect();
    for minute in 0..DAYS as usize * 1_440 {
        batch.clear();
        for (token, minutes) in fleet.iter().enumerate() {
            let calls = minutes[minute];
            for call in 0..calls {
                let mut event = template[token].clone();
                let offset = i64::from(call) * 60_000_000 / i64::from(calls);
                let at = (MONDAY + 60 * minute as i64) * 1_000_000 + offset;
                event.ts = tokenwatch_model::Timestamp::from_micros(at);
                batch.push(event);
            }
        }
        batch.sort_by_key(|event| event.ts);
        engine.process(&batch, &mut out);
    }
    engine.finish(&mut out);
    out
}

#[test]
fn false_findings_are_rare_and_spikes_of_eight_times_the_peak_are_found() {
    let (mut spikes, mut as_signal, mut as_finding, mut token_days, mut low) = (0, 0, 0, 0, 0);
    for seed in SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fleet: Vec<Vec<u32>> = (0..5 * PER_CLASS)
            .map(|token| minutes(token / PER_CLASS, &mut random))
            .collect();
        let calm = run(&fleet);
        let scored = |ts: tokenwatch_model::Timestamp| ts.as_secs() >= MONDAY + SCORED_FROM * DAY;
        for finding in last_versions(&calm.findings) {
            assert!(
                finding.severity < Severity::Medium,
                "seed {seed}: {finding:#?}"
            );
            low += i32::from(scored(finding.detected_at));
        }
        token_days += fleet.len() as i64 * (DAYS - SCORED_FROM);

        let starts: Vec<usize> = fleet
            .iter_mut()
            .map(|minutes| {
                let start = random.usize(22 * 144..32 * 144) * 10;
                let extra = (8 * peak(minutes, start)).max(80);
                for minute in &mut minutes[start..start + 10] {
                    *minute += extra.div_ceil(10);
                }
                start
            })
            .collect();
        let attacked = run(&fleet);
        for (token, start) in starts.iter().enumerate() {
            let begin = MONDAY + 60 * *start as i64;
            let within =
                |ts: tokenwatch_model::Timestamp| (begin..begin + 900).contains(&ts.as_secs());
            let id = tokenwatch_model::TokenId::from_bits(token as u128);
            let of_token =
                |of: &Option<tokenwatch_model::FindingToken>| of.as_ref().map(|t| t.id) == Some(id);
            spikes += 1;
            let signal = attacked
                .signals
                .iter()
                .any(|s| s.detector == Detector::RateSpike && within(s.ts) && of_token(&s.token));
            let finding = attacked.findings.iter().any(|f| {
                f.detector == Detector::RateSpike && within(f.detected_at) && of_token(&f.token)
            });
            as_signal += i32::from(signal);
            as_finding += i32::from(finding);
        }
    }
    println!(
        "{low} low findings in {token_days} token-days; of {spikes} spikes {as_signal} signals, {as_finding} findings"
    );
    assert!(low <= 2, "{low} low findings in {token_days} token-days");
    assert!(
        f64::from(as_signal) >= 0.95 * f64::from(spikes),
        "{as_signal} of {spikes}"
    );
    assert!(
        f64::from(as_finding) >= 0.80 * f64::from(spikes),
        "{as_finding} of {spikes}"
    );
}
