//! Records that no gateway would write: whatever they are, they are counted and the rest goes on.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tokenwatch_ingest::{Decoder, DecoderConfig, FormatChoice, RejectReason};

use super::{decode, decoder};

/// How many lines of each format are damaged, and how long they may be: each is decoded once for each of its bytes.
const LINES_EACH: usize = 5;
const LINE_BYTES_LIMIT: usize = 1_300;

fn decoders() -> Vec<Decoder> {
    FormatChoice::ALL
        .into_iter()
        .filter(|format| *format != FormatChoice::Mapped)
        .map(|format| {
            decoder(&DecoderConfig {
                format,
                ..DecoderConfig::default()
            })
        })
        .collect()
}

fn lines() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    FormatChoice::ALL
        .into_iter()
        .filter(|format| !matches!(format, FormatChoice::Mapped | FormatChoice::Auto))
        .flat_map(|format| {
            let text = fs::read_to_string(folder.join(format.name()).join("lines.log")).unwrap();
            text.lines()
                .filter(|line| line.len() <= LINE_BYTES_LIMIT)
                .take(LINES_EACH)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn reasons(record: &[u8]) -> Vec<RejectReason> {
    let (_, rejects) = decode(&decoder(&DecoderConfig::default()), 0, record);
    rejects.into_iter().map(|reject| reject.reason).collect()
}

#[test]
fn a_record_cut_at_any_byte_is_an_event_or_a_reject() {
    let decoder = decoder(&DecoderConfig::default());
    for line in lines() {
        for end in 1..line.len() {
            let (events, rejects) = decode(&decoder, 0, &line.as_bytes()[..end]);
            let is_blank = line.as_bytes()[..end].trim_ascii().is_empty();
            assert!(
                is_blank || !events.is_empty() || !rejects.is_empty(),
                "{}",
                &line[..end]
            );
        }
    }
}

#[test]
fn a_cut_json_record_is_never_an_event() {
    let decoder = decoder(&DecoderConfig::default());
    for line in lines().iter().filter(|line| line.starts_with('{')) {
        for end in 1..line.len() {
            let (events, rejects) = decode(&decoder, 0, &line.as_bytes()[..end]);
            assert!(events.is_empty() && rejects.len() == 1, "{}", &line[..end]);
        }
    }
}

#[test]
fn what_stands_before_the_damage_is_no_event_either() {
    let decoder = decoder(&DecoderConfig::default());
    for line in lines().iter().filter(|line| line.starts_with('{')) {
        let (events, rejects) = decode(&decoder, 0, format!("{line},\"rest\":1}}").as_bytes());
        assert!(events.is_empty(), "{line}");
        assert_eq!(rejects.len(), 1, "{line}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_hide_no_call() {
    // As nginx 1.22 writes what a client sent, with `escape=json` too.
    let line = b"{\"msec\":\"1763793600.123\",\"remote_addr\":\"203.0.113.7\",\"request_method\":\"GET\",\"request_uri\":\"/v1/\xff\xfe/x\",\"status\":\"401\",\"http_x_api_key\":\"\xffk-4711\"}";
    let (events, rejects) = decode(&decoder(&DecoderConfig::default()), 0, line);
    assert_eq!((events.len(), rejects.len()), (1, 0));
    let path = events[0].http.path.as_deref();
    assert_eq!(path, Some("/v1/\u{fffd}\u{fffd}/x"));
    assert!(events[0].token.is_some());
}

#[test]
fn what_is_empty_is_absent() {
    // Found by fuzzing: a line of gin without a method, and a host that is nothing but a port.
    for line in [
        r#"[GIN] 2025/11/22 - 06:40:00 | 200 | 51.9µs | 203.0.113.7 |"/v1/orders""#,
        r#"{"start_time":"2025-11-22T06:40:00.310Z","response_flags":"-","response_code":200,"authority":":8443"}"#,
    ] {
        let (events, rejects) = decode(&decoder(&DecoderConfig::default()), 0, line.as_bytes());
        assert_eq!((events.len(), rejects.len()), (1, 0), "{line}");
        assert_eq!(events[0].http.method, None);
        assert_eq!(events[0].http.host, None);
    }
}

#[test]
fn every_kind_of_damage_has_its_reason() {
    assert_eq!(reasons(b"\xff\xfe"), [RejectReason::NotUtf8]);
    assert_eq!(reasons(&vec![b'a'; 10_000_000]), [RejectReason::Oversized]);
    assert_eq!(reasons(b"{\"a\":"), [RejectReason::InvalidJson]);
    assert_eq!(reasons(b"{\"a\":1}"), [RejectReason::UnknownFormat]);
    assert_eq!(reasons(b"lorem ipsum"), [RejectReason::UnknownFormat]);
    for bomb in ["[", "{\"a\":", "[{\"a\":[", "{\"remote_addr\":[["] {
        assert_eq!(
            reasons(bomb.repeat(10_000).as_bytes()),
            [RejectReason::NestingTooDeep],
            "{bomb}"
        );
    }
    let kong = |time: &str| {
        format!("{{\"started_at\":{time},\"latencies\":{{}},\"request\":{{\"method\":\"GET\"}}}}")
    };
    assert_eq!(
        reasons(kong("null").as_bytes()),
        [RejectReason::MissingTimestamp]
    );
    assert_eq!(
        reasons(kong("\"soon\"").as_bytes()),
        [RejectReason::UnreadableTimestamp]
    );
    assert_eq!(
        reasons(kong("17").as_bytes()),
        [RejectReason::TimestampOutOfRange]
    );
    assert_eq!(
        reasons(kong("9e15").as_bytes()),
        [RejectReason::TimestampOutOfRange]
    );
    assert_eq!(
        reasons(kong("1e400").as_bytes()),
        [RejectReason::InvalidJson]
    );
    assert_eq!(
        reasons(b"{\"started_at\":1763793600122,\"latencies\":{}}"),
        [RejectReason::MissingRequiredField]
    );
    assert_eq!(reasons(b"[203] - \"x"), [RejectReason::InvalidLine]);
}

#[test]
fn no_client_hides_a_record_behind_the_keys_of_another_gateway() {
    let hidden = [
        // Tags of a resource, labels of an object, a user agent.
        (
            "cloudtrail",
            r#"{"eventSource":"ec2.amazonaws.com","eventName":"CreateTags","eventTime":"2025-11-22T06:40:00Z","requestParameters":{"started_at":"1","latencies":"2"}}"#,
        ),
        (
            "k8s-audit",
            r#"{"auditID":"a","stage":"ResponseComplete","requestURI":"/api","verb":"create","requestReceivedTimestamp":"2025-11-22T06:40:00Z","requestObject":{"labels":{"eventSource":"x","eventName":"y","response_flags":"z"}}}"#,
        ),
        (
            "nginx",
            r#"{"remote_addr":"203.0.113.7","time_iso8601":"2025-11-22T06:40:00Z","status":200,"http_user_agent":"http.log.x"}"#,
        ),
    ];
    let decoder = decoder(&DecoderConfig::default());
    for (format, record) in hidden {
        let (events, rejects) = decode(&decoder, 0, record.as_bytes());
        assert_eq!((events.len(), rejects.len()), (1, 0), "{record}");
        assert_eq!(events[0].format.name(), format);
        assert_eq!(events[0].origin.index, 0);
    }
}

#[test]
fn good_records_around_damaged_ones_all_arrive() {
    let good = lines()
        .into_iter()
        .find(|line| line.starts_with('{'))
        .unwrap();
    let mut record = Vec::new();
    for damage in [
        &b"{\"started_at\":"[..],
        b"\xff",
        b"nonsense",
        b"{}",
        b"[[[",
    ] {
        record.extend_from_slice(good.as_bytes());
        record.push(b'\n');
        record.extend_from_slice(damage);
        record.push(b'\n');
    }
    let (events, rejects) = decode(&decoder(&DecoderConfig::default()), 0, &record);
    assert_eq!((events.len(), rejects.len()), (5, 5));
    let indexes: Vec<_> = events.iter().map(|event| event.origin.index).collect();
    assert_eq!(indexes, [0, 1, 2, 3, 4]);
}

#[test]
fn more_events_than_the_limit_are_rejected_once() {
    let good = lines()
        .into_iter()
        .find(|line| line.starts_with('{'))
        .unwrap();
    let mut config = DecoderConfig::default();
    config.limits.record_events = 3;
    let record = format!("[{}]", [good.as_str(); 10].join(","));
    let (events, rejects) = decode(&decoder(&config), 0, record.as_bytes());
    assert_eq!(events.len(), 3);
    assert_eq!(
        rejects
            .iter()
            .map(|reject| reject.reason)
            .collect::<Vec<_>>(),
        [RejectReason::TooManyEvents]
    );
}

#[test]
fn long_texts_are_cut_at_whole_characters() {
    let agent = "ü".repeat(10_000);
    let record = format!(
        r#"{{"remote_addr":"203.0.113.7","time_iso8601":"2025-11-22T06:40:00Z","status":200,"http_user_agent":"{agent}"}}"#
    );
    let (events, _) = decode(&decoder(&DecoderConfig::default()), 0, record.as_bytes());
    assert_eq!(events[0].client.user_agent.as_ref().unwrap().len(), 512);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for decoder in decoders() {
            decode(&decoder, 0, &bytes);
        }
    }

    #[test]
    fn no_flipped_bytes_panic(
        index in any::<prop::sample::Index>(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let lines = lines();
        let mut bytes = index.get(&lines).clone().into_bytes();
        for (at, byte) in flips {
            let length = bytes.len();
            bytes[at.index(length)] = byte;
        }
        for decoder in decoders() {
            let (events, rejects) = decode(&decoder, 0, &bytes);
            prop_assert!(bytes.trim_ascii().is_empty() || !events.is_empty() || !rejects.is_empty());
        }
    }
}
