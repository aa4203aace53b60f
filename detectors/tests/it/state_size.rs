//! Bytes per token over a fleet of 70 % quiet, 25 % regular and 5 % busy tokens.

use tokenwatch_detectors::{Detections, Engine};

use crate::mix::Mix;
use crate::support::{Call, DAY, MONDAY, settings};

const TOKENS: u128 = 20_000;
const AVERAGE_BYTES: f64 = 300.0;

/// What the tokens of `engine` take, of which there are [`TOKENS`]; `most` is what any one may.
fn check(engine: &Engine, most: usize) {
    let stats = engine.stats();
    assert_eq!(stats.tokens, TOKENS as usize);
    let average = stats.state_bytes as f64 / TOKENS as f64;
    assert!(average <= AVERAGE_BYTES, "{average}");
    assert!(stats.largest_token_bytes <= most, "{stats:?}");
}

#[test]
fn an_average_token_takes_less_than_300_bytes_where_busy_ones_have_every_part() {
    let mut engine = Engine::new(settings(""));
    let mut out = Detections::default();
    let mut random = fastrand::Rng::with_seed(11);
    for day in 0..3 {
        for token in 0..TOKENS {
            // Busy tokens roam over networks and fail in both ways, so that they have every part.
            let (calls, busy) = match token % 20 {
                0 => (40, true),
                1..=5 => (24, false),
                _ => (1, false),
            };
            for call in 0..calls {
                let status = if busy { [200, 403, 404][call % 3] } else { 200 };
                let asn = if busy { random.u32(1..7) } else { 1 };
                let at_ms = (MONDAY + day * DAY + 1_000 * call as i64) * 1_000;
                let call = Call {
                    token,
                    at_ms,
                    status,
                    place: Some(("DE", asn)),
                    ..Call::default()
                };
                engine.process(&[call.event()], &mut out);
            }
        }
    }
    // A busy token that fails in both ways for a third of its calls each has both habits of failures.
    check(&engine, 1_200);
}

#[test]
fn an_average_token_takes_less_than_300_bytes_where_all_fail_now_and_then() {
    let mut engine = Engine::new(settings(""));
    let mut out = Detections::default();
    let mut mix = Mix::new(TOKENS as u64, 1.0);
    let mut batch = Vec::new();
    while mix.days() < 1.3 {
        batch.clear();
        batch.extend((0..1_000).map(|_| mix.next_call()));
        engine.process(&batch, &mut out);
    }
    // One that had four failures in an hour today keeps them until its day ends.
    check(&engine, 1_250);
}
