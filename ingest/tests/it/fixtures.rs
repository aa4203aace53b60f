//! `tests/fixtures/<format>/lines.log` becomes `expected.ndjson`: one line per event or reject.
//!
//! `TOKENWATCH_UPDATE_FIXTURES=1 cargo test` writes the expectations anew, to be read in the diff.

use std::fs;
use std::path::PathBuf;

use tokenwatch_ingest::{DecoderConfig, FormatChoice, RejectReason};

use super::{decode, decoder};

pub(super) fn folder(format: FormatChoice) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(format.name())
}

pub(super) fn config(format: FormatChoice) -> DecoderConfig {
    match fs::read_to_string(folder(format).join("config.json")) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => DecoderConfig {
            format,
            ..DecoderConfig::default()
        },
    }
}

fn check(format: FormatChoice) {
    let folder = folder(format);
    let config = config(format);
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
fn traefik_records_become_events() {
    check(FormatChoice::Traefik);
}

#[test]
fn haproxy_records_become_events() {
    check(FormatChoice::Haproxy);
}

#[test]
fn apisix_records_become_events() {
    check(FormatChoice::Apisix);
}

#[test]
fn tyk_records_become_events() {
    check(FormatChoice::Tyk);
}

#[test]
fn krakend_records_become_events() {
    check(FormatChoice::Krakend);
}

#[test]
fn otlp_records_become_events() {
    check(FormatChoice::Otlp);
}

#[test]
fn ecs_records_become_events() {
    check(FormatChoice::Ecs);
}

#[test]
fn ocsf_records_become_events() {
    check(FormatChoice::Ocsf);
}

#[test]
fn mapped_records_become_events() {
    check(FormatChoice::Mapped);
}

#[test]
fn mixed_records_are_recognised_one_by_one() {
    check(FormatChoice::Auto);
}

#[test]
fn a_line_of_every_format_is_the_same_event_when_the_format_is_recognised() {
    let choices = FormatChoice::ALL.into_iter();
    for format in choices.filter(|choice| choice.format().is_some()) {
        if format == FormatChoice::Mapped {
            continue;
        }
        let told = decoder(&config(format));
        let recognised = decoder(&DecoderConfig {
            format: FormatChoice::Auto,
            ..config(format)
        });
        for line in fs::read_to_string(folder(format).join("lines.log"))
            .unwrap()
            .lines()
        {
            let (expected, _) = decode(&told, 0, line.as_bytes());
            let (events, rejects) = decode(&recognised, 0, line.as_bytes());
            // Operators name API Gateway's keys as they like.
            let is_unknown = format == FormatChoice::AwsApigw
                && rejects
                    .iter()
                    .any(|reject| reject.reason == RejectReason::UnknownFormat);
            if !expected.is_empty() && !is_unknown {
                assert_eq!(events, expected, "{format}: {line}");
            }
        }
    }
}
