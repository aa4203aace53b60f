//! How many decoded events the engine takes per second: a million events of 100,000 tokens over ten minutes.

use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use tokenwatch_detectors::{Detections, DetectorsConfig, Engine};
use tokenwatch_model::{
    AccessEvent, Client, CountryCode, EventFlags, Format, Http, Origin, Outcome, Timestamp,
    TokenId, TokenKind, TokenUse,
};

const EVENTS: usize = 1_000_000;
const TOKENS: u32 = 100_000;

fn main() {
    divan::main();
}

fn events() -> Vec<AccessEvent<'static>> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..EVENTS)
        .map(|number| {
            // A fifth of the calls come from one token in a hundred.
            let tokens = if number % 5 == 0 {
                TOKENS / 100
            } else {
                TOKENS
            };
            let status = if number % 50 == 0 { 404 } else { 200 };
            AccessEvent {
                ts: Timestamp::from_micros(1_793_577_600_000_000 + number as i64 * 600),
                format: Format::ALL[0],
                request_id: None,
                token: Some(TokenUse {
                    id: TokenId::from_bits(u128::from(random.u32(0..tokens)) << 64),
                    kind: TokenKind::ApiKey,
                    credential_id: None,
                    instance: None,
                    consumer: Some("acme".into()),
                    scopes: Vec::new(),
                    fingerprint: None,
                    issued_at: None,
                    expires_at: None,
                }),
                client: Client {
                    country: CountryCode::parse("DE"),
                    asn: Some(3_320),
                    user_agent: Some("acme-sdk/2.1".into()),
                    ..Client::default()
                },
                http: Http {
                    method: Some("GET".into()),
                    path: Some("/v1/orders/17".into()),
                    status: Some(status),
                    ..Http::default()
                },
                tls: None,
                outcome: Outcome::of_status(Some(status)),
                flags: EventFlags::default(),
                origin: Origin {
                    topic: Some("gateway.access".into()),
                    partition: Some((number / 1_000 % 4) as i32),
                    ..Origin::default()
                },
            }
        })
        .collect()
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn process(bencher: Bencher<'_, '_>) {
    let events = events();
    let settings = Arc::new(
        DetectorsConfig::default()
            .validate("")
            .expect("the defaults are valid"),
    );
    bencher
        .counter(ItemsCount::new(EVENTS))
        .with_inputs(|| Engine::new(Arc::clone(&settings)))
        .bench_local_values(|mut engine| {
            let mut out = Detections::default();
            for batch in events.chunks(10_000) {
                engine.process(batch, &mut out);
            }
            engine
        });
}
