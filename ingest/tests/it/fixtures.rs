//! `tests/fixtures/<format>/lines.log` becomes `expected.ndjson`: one line per event or reject.
//!
//! `TOKENWATCH_UPDATE_FIXTURES=1 cargo test` writes the expectations anew, to be read in the diff.

use std::fs;
use std::path::PathBuf;

use tokenwatch_ingest::{DecoderConfig, FormatChoice};

use super::{decode, decoder};

fn check(format: FormatChoice) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(format.name());
    let config = match fs::read_to_string(folder.join("config.json")) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => DecoderConfig {
            format,
            ..DecoderConfig::default()
        },
    };
    assert_eq!(config.format, format);
    let decoder = decoder(&config);
    let mut actual = String::new();
    for (offset, line) in (0..).zip(
        fs::read_to_string(folder.join("lines.log"))
            .unwrap()
            .lines(),
    ) {
        let (events, rejects) = decode(&decoder, offset, line.as_bytes());
        assert!(
            !events.is_empty() || !rejects.is_empty(),
            "line {offset} vanished"
        );
        for event in events {
            actual += &serde_json::to_string(&event).unwrap();
            actual += "\n";
        }
        for reject in rejects {
            actual += &serde_json::to_string(&reject).unwrap();
            actual += "\n";
        }
    }
    let path = folder.join("expected.ndjson");
    if std::env::var_os("TOKENWATCH_UPDATE_FIXTURES").is_some() {
        fs::write(&path, &actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    for (line, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "{} line {}", path.display(), line + 1);
    }
    assert_eq!(
        actual.lines().count(),
        expected.lines().count(),
        "{}",
        path.display()
    );
}

#[test]
fn kong_records_become_events() {
    check(FormatChoice::Kong);
}

#[test]
fn nginx_records_become_events() {
    check(FormatChoice::Nginx);
}

#[test]
fn envoy_records_become_events() {
    check(FormatChoice::Envoy);
}

#[test]
fn istio_records_become_events() {
    check(FormatChoice::Istio);
}

#[test]
fn caddy_records_become_events() {
    check(FormatChoice::Caddy);
}

#[test]
fn cloudtrail_records_become_events() {
    check(FormatChoice::Cloudtrail);
}

#[test]
fn aws_apigw_records_become_events() {
    check(FormatChoice::AwsApigw);
}

#[test]
fn aws_alb_records_become_events() {
    check(FormatChoice::AwsAlb);
}

#[test]
fn gcp_records_become_events() {
    check(FormatChoice::Gcp);
}

#[test]
fn azure_apim_records_become_events() {
    check(FormatChoice::AzureApim);
}

#[test]
fn cloudflare_records_become_events() {
    check(FormatChoice::Cloudflare);
}

#[test]
fn k8s_audit_records_become_events() {
    check(FormatChoice::K8sAudit);
}

#[test]
fn mapped_records_become_events() {
    check(FormatChoice::Mapped);
}

#[test]
fn mixed_records_are_recognised_one_by_one() {
    check(FormatChoice::Auto);
}
