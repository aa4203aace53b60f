//! The finding that `routes test` and `alerts test` are about: one from a file, or a sample.

use std::io::Read as _;

use anyhow::{Context as _, anyhow};
use serde_json::json;
use tokenwatch_model::{Detector, Finding, FindingId, Severity, Timestamp, TokenId};

use crate::cli::FindingArgs;

/// The finding that `args` name.
pub(super) fn finding(args: &FindingArgs, now: Timestamp) -> anyhow::Result<Finding> {
    let Some(path) = &args.finding else {
        return sample(args, now);
    };
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text
    } else {
        std::fs::read_to_string(path).with_context(|| path.display().to_string())?
    };
    serde_json::from_str(&text).context("the file does not hold a finding as JSON")
}

/// The same for a group: other findings of its kind, each with an id of its own.
pub(super) fn group(finding: &Finding, count: u32) -> Vec<Finding> {
    (0..u128::from(count))
        .map(|index| Finding {
            id: FindingId::from_bits(finding.id.bits().wrapping_add(index)),
            ..finding.clone()
        })
        .collect()
}

/// By way of JSON, which is the contract: what this release does not know of tokens is left out.
fn sample(args: &FindingArgs, now: Timestamp) -> anyhow::Result<Finding> {
    let severity = Severity::ALL
        .into_iter()
        .find(|severity| severity.name() == args.severity)
        .ok_or_else(|| anyhow!("{:?} is no severity", args.severity))?;
    let detector = Detector::ALL
        .into_iter()
        .find(|detector| detector.name() == args.detector)
        .ok_or_else(|| anyhow!("{:?} is no detector", args.detector))?;
    // Nothing that is stored has this id.
    let id = FindingId::from_bits(u128::from(now.as_micros().unsigned_abs()));
    let token = TokenId::from_bits(1);
    let started = now - std::time::Duration::from_mins(10);
    let mut about = json!({"id": token, "credential_id": "sample", "consumer": args.consumer});
    for (key, value) in [
        ("owner", &args.owner),
        ("team", &args.team),
        ("environment", &args.environment),
    ] {
        if let Some(value) = value {
            about[key] = json!(value);
        }
    }
    let finding = json!({
        "id": id, "revision": 1, "detector": detector, "severity": severity, "confidence": 0.99, "status": "open",
        "evidence_db": 31.5, "subject": {"kind": "token", "id": token}, "token": about,
        "first_event_at": started, "last_event_at": now, "detected_at": now, "event_count": 42,
        "summary": "This is a sample that somebody sent by hand to see whether it arrives; nothing happened.",
        "evidence": {"observed": 42.0, "expected": 3.0, "window_s": 600, "statistic": "a sample",
            "source_ips": ["203.0.113.7"], "countries": ["DE"], "routes": ["/v1/orders/{id}"], "user_agents": ["sample/1.0"]},
        "attack": ["T1550.001"], "owasp": ["API2:2023"],
    });
    serde_json::from_value(finding).context("the sample does not fit this release")
}
