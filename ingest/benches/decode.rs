//! What a record costs: each format, its parts, and the yardstick: a plain typed parse of the same Kong lines.
//!
//! `cargo bench -p tokenwatch-ingest`; items are events.

#[path = "decode/yardstick.rs"]
mod yardstick;

use std::path::PathBuf;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tokenwatch_ingest::{
    Decoder, DecoderConfig, FormatChoice, Geo, GeoConfig, IngestMetrics, RawRecord, TokenKey,
};
use tokenwatch_model::StreamId;
use yardstick::Record;

/// Enough records that none of them stays in the first cache.
const RECORDS: usize = 2_000;

fn main() {
    divan::main();
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The documented line of a format, with the client, the key, the path and the ids of each record its own.
fn lines(format: FormatChoice) -> Vec<String> {
    let text = std::fs::read_to_string(fixtures().join(format.name()).join("lines.log"))
        .expect("the fixtures are there");
    let line = text.lines().next().expect("a line");
    (0..RECORDS)
        .map(|index| {
            line.replace("203.0.113.7", &format!("203.0.113.{}", index % 250))
                .replace(
                    "sk_live_example",
                    &format!("sk_live_example{:04}", index % 300),
                )
                .replace("5cbc6a9e", &format!("5cbc{:04}", index % 300))
                .replace("/v1/orders", &format!("/v1/orders/{index}"))
                .replace("2f6946", &format!("{index:06}"))
        })
        .collect()
}

fn decoder(format: FormatChoice) -> Decoder {
    let folder = fixtures();
    let settings = match format {
        FormatChoice::Mapped => {
            let text = std::fs::read_to_string(folder.join("mapped/config.json"));
            serde_json::from_str::<DecoderConfig>(&text.expect("the fixtures are there"))
                .expect("the fixture is a configuration")
        }
        format => DecoderConfig {
            format,
            ..DecoderConfig::default()
        },
    }
    .validate("decoder")
    .expect("the configuration is valid");
    let files = ["city-ipv4.mmdb", "city-ipv6.mmdb", "asn.mmdb"];
    let config = GeoConfig {
        databases: files
            .iter()
            .map(|file| folder.join("geo").join(file))
            .collect(),
    };
    let metrics = IngestMetrics::default();
    Decoder::new(
        settings,
        TokenKey::from_bytes(&[7; 32]),
        Geo::open(&config, &metrics),
        metrics,
    )
}

#[divan::bench(args = FormatChoice::ALL)]
fn decode(bencher: Bencher<'_, '_>, format: FormatChoice) {
    let source = if format == FormatChoice::Auto {
        FormatChoice::Kong
    } else {
        format
    };
    let (lines, decoder) = (lines(source), decoder(format));
    let stream = StreamId {
        topic: "gateway.access".into(),
        partition: 0,
    };
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        let (mut events, mut rejects) = (Vec::with_capacity(RECORDS), Vec::new());
        for (offset, line) in (0..).zip(&lines) {
            let bytes = line.as_bytes();
            let record = RawRecord {
                stream: &stream,
                offset,
                appended_at: None,
                bytes,
            };
            decoder.decode(record, &mut events, &mut rejects);
        }
        assert_eq!((events.len(), rejects.len()), (RECORDS, 0));
        black_box(events.len())
    });
}

/// The yardstick: every documented field of a Kong record, typed and owned, and nothing done with it.
#[divan::bench]
fn yardstick_typed_parse(bencher: Bencher<'_, '_>) {
    let lines = lines(FormatChoice::Kong);
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        let mut records = Vec::with_capacity(RECORDS);
        for line in &lines {
            records.push(serde_json::from_str::<Record>(line).expect("the line is JSON"));
        }
        black_box(&records).len()
    });
}

#[divan::bench]
fn fingerprint(bencher: Bencher<'_, '_>) {
    let key = TokenKey::from_bytes(&[7; 32]);
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| key.token_id(black_box(b"sk_live_4eC39HqLyjWDarjtT1zdp7dc")));
}

/// Addresses that come back (`250`), and more than the cache holds (`100000`).
#[divan::bench(args = [250, 100_000])]
fn geo(bencher: Bencher<'_, '_>, addresses: u32) {
    let decoder = decoder(FormatChoice::Kong);
    let mut next = 0_u32;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        next = (next + 1) % addresses;
        let ip = std::net::Ipv4Addr::from_bits(0xcb00_7100 + next);
        black_box(decoder.geo().place(ip.into()).country)
    });
}
