//! Bytes per token over a fleet of 70 % quiet, 25 % regular and 5 % busy tokens.

use tokenwatch_detectors::{Detections, Engine};

use crate::support::{Call, DAY, MONDAY, settings};

const TOKENS: u128 = 20_000;

#[test]
fn an_average_token_takes_less_than_325_bytes() {
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
    let stats = engine.stats();
    assert_eq!(stats.tokens, TOKENS as usize);
    let average = stats.state_bytes as f64 / TOKENS as f64;
    println!("{average:.0} bytes per token");
    assert!(average <= 325.0, "{average}");
}
