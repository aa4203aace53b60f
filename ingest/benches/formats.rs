//! Every format against the yardstick: a plain typed `serde_json` parse of the same lines.
//!
//! Decoding counts whole: recognising records, JSON, scrubbing, fingerprints, places. Both run on one thread, in turns, so
//! that what else the machine does falls on both, and are timed by the thread's CPU time; medians count. Formats that are
//! text have no yardstick, only a rate. `cargo bench -p tokenwatch-ingest --bench formats [-- NAME]`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "formats/clouds.rs"]
mod clouds;
#[path = "formats/gateways.rs"]
mod gateways;
#[path = "decode/yardstick.rs"]
mod kong;
#[path = "formats/lines.rs"]
mod lines;
#[path = "formats/standards.rs"]
mod standards;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokenwatch_ingest::{
    Decoder, DecoderConfig, FormatChoice, Geo, GeoConfig, IngestMetrics, RawRecord, TokenKey,
};
use tokenwatch_model::StreamId;

/// Turns of each; the median counts.
const ROUNDS: usize = 9;
/// Enough records that none of them stays in the first cache.
const RECORDS: usize = 2_000;
/// How often they are gone through in a turn: the kernel counts CPU time in steps of some milliseconds.
const PASSES: usize = 25;

/// One row of the table.
struct Row {
    name: &'static str,
    format: FormatChoice,
    /// Which line of the format's fixtures.
    line: usize,
    yardstick: Option<fn(&str)>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let (rounds, passes) = if has("--bench") && !has("--test") {
        (ROUNDS, PASSES)
    } else {
        (1, 1)
    };
    // A name that `make bench` filters by: this benchmark's own, or that of a row.
    let wanted = arguments.iter().find(|name| !name.starts_with("--"));
    let is_wanted = |row: &Row| {
        wanted.is_none_or(|name| {
            "formats".contains(name.as_str()) || row.name.contains(name.as_str())
        })
    };
    println!(
        "{:<16} {:>6} {:>14} {:>14} {:>7}",
        "format", "bytes", "yardstick /s", "decode /s", "ratio"
    );
    for row in rows().iter().filter(|row| is_wanted(row)) {
        measure(row, rounds, passes);
    }
}

fn rows() -> Vec<Row> {
    use FormatChoice as F;
    let json = |name, format, line, yardstick: fn(&str)| Row {
        name,
        format,
        line,
        yardstick: Some(yardstick),
    };
    let text = |name, format, line| Row {
        name,
        format,
        line,
        yardstick: None,
    };
    vec![
        json("kong", F::Kong, 0, parse::<kong::Record>),
        json("kong, auto", F::Auto, 0, parse::<kong::Record>),
        json("envoy", F::Envoy, 1, parse::<gateways::envoy::Record>),
        json("nginx", F::Nginx, 1, parse::<gateways::nginx::Record>),
        json("istio", F::Istio, 0, parse::<gateways::istio::Record>),
        json("caddy", F::Caddy, 0, parse::<gateways::caddy::Record>),
        json("traefik", F::Traefik, 0, parse::<gateways::traefik::Record>),
        json("haproxy", F::Haproxy, 1, parse::<gateways::haproxy::Record>),
        json("apisix", F::Apisix, 0, parse::<gateways::apisix::Record>),
        json("tyk", F::Tyk, 0, parse::<gateways::tyk::Record>),
        json(
            "aws-apigw",
            F::AwsApigw,
            0,
            parse::<clouds::aws_apigw::Record>,
        ),
        json(
            "cloudtrail",
            F::Cloudtrail,
            0,
            parse::<clouds::cloudtrail::Record>,
        ),
        json("gcp", F::Gcp, 0, parse::<clouds::gcp::Record>),
        json(
            "azure-apim",
            F::AzureApim,
            0,
            parse::<clouds::azure_apim::Record>,
        ),
        json(
            "cloudflare",
            F::Cloudflare,
            0,
            parse::<clouds::cloudflare::Record>,
        ),
        json("otlp", F::Otlp, 0, parse::<standards::otlp::Record>),
        json("ecs", F::Ecs, 0, parse::<standards::ecs::Record>),
        json("ocsf", F::Ocsf, 0, parse::<standards::ocsf::Record>),
        json(
            "k8s-audit",
            F::K8sAudit,
            0,
            parse::<standards::k8s_audit::Record>,
        ),
        text("envoy, text", F::Envoy, 0),
        text("nginx, text", F::Nginx, 0),
        text("haproxy, text", F::Haproxy, 0),
        text("krakend, text", F::Krakend, 0),
        text("aws-alb, text", F::AwsAlb, 0),
    ]
}

/// The yardstick of a line.
fn parse<T: DeserializeOwned>(line: &str) {
    black_box(serde_json::from_str::<T>(line).expect("the line is as the yardstick says"));
}

fn measure(row: &Row, rounds: usize, passes: usize) {
    let source = match row.format {
        FormatChoice::Auto => FormatChoice::Kong,
        format => format,
    };
    let lines = lines::vary(&fixtures().join(source.name()), row.line, RECORDS);
    let decoder = decoder(row.format);
    let (mut plain, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.extend(
            row.yardstick
                .map(|parse| timed(passes, || lines.iter().for_each(|line| parse(line)))),
        );
        whole.push(timed(passes, || decode(&decoder, &lines)));
    }
    let bytes = lines.iter().map(String::len).sum::<usize>() / RECORDS;
    let rate = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        let median = times.get(times.len() / 2)?;
        Some(RECORDS as f64 / median.as_secs_f64())
    };
    let whole = rate(&mut whole).expect("there is a round");
    let (plain, ratio) = match rate(&mut plain) {
        Some(plain) => (format!("{plain:.0}"), format!("{:.2}", whole / plain)),
        None => ("-".to_owned(), "-".to_owned()),
    };
    println!(
        "{:<16} {bytes:>6} {plain:>14} {whole:>14.0} {ratio:>7}",
        row.name
    );
}

fn decode(decoder: &Decoder, lines: &[String]) {
    let stream = StreamId {
        topic: "gateway.access".into(),
        partition: 0,
    };
    let (mut events, mut rejects) = (Vec::new(), Vec::new());
    let mut count = 0;
    for (offset, line) in (0..).zip(lines) {
        let record = RawRecord {
            stream: &stream,
            offset,
            appended_at: None,
            bytes: line.as_bytes(),
        };
        decoder.decode(record, &mut events, &mut rejects);
        count += black_box(&events).len();
        events.clear();
    }
    assert_eq!((count, rejects.len()), (lines.len(), 0));
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn decoder(format: FormatChoice) -> Decoder {
    let config = DecoderConfig {
        format,
        ..DecoderConfig::default()
    };
    let geo = GeoConfig {
        databases: ["city-ipv4.mmdb", "city-ipv6.mmdb", "asn.mmdb"]
            .map(|file| fixtures().join("geo").join(file))
            .into(),
    };
    let metrics = IngestMetrics::default();
    Decoder::new(
        config.validate("decoder").expect("the defaults are valid"),
        TokenKey::from_bytes(&[7; 32]),
        Geo::open(&geo, &metrics),
        metrics,
    )
}

/// The CPU time that `work` takes this thread each time.
fn timed(passes: usize, work: impl Fn()) -> Duration {
    let start = cpu_time();
    for _ in 0..passes {
        work();
    }
    cpu_time().saturating_sub(start) / passes as u32
}

/// The kernel's count of this thread's time on a CPU.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    Duration::from_nanos(nanos.expect("Linux counts the time of each thread"))
}
