//! OCSF 1.5: a finding as an event of class 2004, Detection Finding, for data lakes and SIEMs that speak it.
//!
//! Required are activity, category, class, type, severity, time, metadata and `finding_info.uid`; what the finding knows
//! beyond that goes where the schema has a place for it, and into `unmapped` where it has none. What is not known is
//! left out: readers built on the schema take no nulls. Techniques have their names, which older versions insist on.

use serde_json::{Value, json};
use tokenwatch_model::{FindingStatus, Severity};

use crate::occasion::Occasion;
use crate::outgoing::Item;

const CATEGORY_FINDINGS: u32 = 2;
const CLASS_DETECTION_FINDING: u32 = 2_004;
/// The version of the schema that this follows.
const SCHEMA: &str = "1.5.0";

/// `item` as an OCSF event; `id` is the message's.
pub(super) fn detection_finding(item: &Item, id: &str) -> Value {
    let finding = &*item.finding;
    let (activity_id, activity_name) = match item.occasion {
        Occasion::Opened | Occasion::Notice => (1, "Create"),
        Occasion::Closed => (3, "Close"),
        Occasion::Escalated | Occasion::Repeated | Occasion::Unacknowledged => (2, "Update"),
    };
    let (status_id, status) = match finding.status {
        FindingStatus::Open => (1, "New"),
        FindingStatus::Closed => (4, "Resolved"),
    };
    let (severity_id, severity) = severity(item.severity);
    let attacks: Vec<Value> = finding
        .attack
        .iter()
        .map(|uid| json!({"technique": {"uid": uid, "name": technique_name(uid)}}))
        .collect();
    let mut event = json!({
        "activity_id": activity_id,
        "activity_name": activity_name,
        "category_uid": CATEGORY_FINDINGS,
        "category_name": "Findings",
        "class_uid": CLASS_DETECTION_FINDING,
        "class_name": "Detection Finding",
        "type_uid": CLASS_DETECTION_FINDING * 100 + activity_id,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "is_alert": true,
        "confidence_score": (finding.confidence * 100.0).round() as i64,
        "time": finding.detected_at.as_millis(),
        "start_time": finding.first_event_at.as_millis(),
        "end_time": finding.last_event_at.as_millis(),
        "count": finding.event_count,
        "message": finding.summary,
        "metadata": {
            "version": SCHEMA,
            "uid": id,
            "product": {"name": "Tokenwatch", "vendor_name": "Tokenwatch", "version": env!("CARGO_PKG_VERSION")},
        },
        "finding_info": {
            "uid": finding.id,
            "title": format!("{}: {}", finding.detector, finding.subject.id),
            "desc": finding.summary,
            "types": finding.owasp,
            "created_time": finding.detected_at.as_millis(),
            "first_seen_time": finding.first_event_at.as_millis(),
            "last_seen_time": finding.last_event_at.as_millis(),
            "analytic": {"name": finding.detector, "uid": finding.detector, "type_id": 3, "type": "Statistical"},
            "attacks": attacks,
        },
        "resources": resources(item),
        "evidences": evidences(item),
        "unmapped": {"evidence_db": finding.evidence_db, "evidence": finding.evidence, "token": finding.token},
    });
    if let Some(incident) = &finding.incident_id {
        event["metadata"]["correlation_uid"] = json!(incident);
    }
    event
}

fn resources(item: &Item) -> Value {
    let finding = &*item.finding;
    let token = finding.token.as_ref();
    let mut resource = json!({"type": finding.subject.kind, "uid": finding.subject.id});
    if let Some(consumer) = token.and_then(|token| token.consumer.as_ref()) {
        resource["name"] = json!(consumer);
    }
    json!([resource])
}

/// At least one, with something in it.
fn evidences(item: &Item) -> Value {
    let finding = &*item.finding;
    let ips = &finding.evidence.source_ips;
    let endpoints: Vec<Value> = ips
        .iter()
        .map(|ip| json!({"src_endpoint": {"ip": ip}}))
        .collect();
    if endpoints.is_empty() {
        json!([{"data": finding.evidence}])
    } else {
        json!(endpoints)
    }
}

/// What MITRE ATT&CK calls a technique that a detector points at; one that it does not know by its number.
fn technique_name(uid: &str) -> &str {
    match uid {
        "T1040" => "Network Sniffing",
        "T1078.004" => "Cloud Accounts",
        "T1087.004" => "Cloud Account",
        "T1098.001" => "Additional Cloud Credentials",
        "T1110" => "Brute Force",
        "T1110.001" => "Password Guessing",
        "T1110.004" => "Credential Stuffing",
        "T1528" => "Steal Application Access Token",
        "T1530" => "Data from Cloud Storage",
        "T1550.001" => "Application Access Token",
        "T1552" => "Unsecured Credentials",
        "T1552.001" => "Credentials In Files",
        "T1567" => "Exfiltration Over Web Service",
        "T1580" => "Cloud Infrastructure Discovery",
        "T1595.003" => "Wordlist Scanning",
        "T1606" => "Forge Web Credentials",
        other => other,
    }
}

fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::Detector;

    use super::*;
    use crate::testing::{finding, outgoing};

    #[test]
    fn an_event_has_all_that_the_class_requires() {
        let item = &outgoing(finding(1)).items[0];
        let event = detection_finding(item, "ntf_1");
        for required in [
            "activity_id",
            "category_uid",
            "class_uid",
            "type_uid",
            "severity_id",
            "time",
            "metadata",
            "finding_info",
        ] {
            assert!(!event[required].is_null(), "{required}");
        }
        assert_eq!(event["type_uid"], 200_401);
        assert_eq!(event["severity_id"], 4);
        assert_eq!(event["time"], finding(1).detected_at.as_millis());
        assert_eq!(event["finding_info"]["uid"], finding(1).id.to_string());
        assert_eq!(event["metadata"]["product"]["name"], "Tokenwatch");
        assert_eq!(event["evidences"].as_array().map(Vec::len), Some(1));
        let technique = &event["finding_info"]["attacks"][0]["technique"];
        assert_eq!(technique["name"], "Application Access Token");
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let mut finding = finding(1);
        finding.token.as_mut().expect("a token").consumer = None;
        let event = detection_finding(&outgoing(finding).items[0], "ntf_1");
        assert!(!event.to_string().contains(":null"), "{event}");
    }

    #[test]
    fn every_technique_that_a_detector_points_at_has_a_name() {
        for uid in Detector::ALL.into_iter().flat_map(Detector::attack) {
            assert_ne!(technique_name(uid), *uid);
        }
    }

    #[test]
    fn the_occasion_is_the_activity() {
        let mut item = outgoing(finding(1)).items.remove(0);
        for (occasion, type_uid) in [
            (Occasion::Opened, 200_401),
            (Occasion::Escalated, 200_402),
            (Occasion::Repeated, 200_402),
            (Occasion::Closed, 200_403),
        ] {
            item.occasion = occasion;
            assert_eq!(detection_finding(&item, "ntf_1")["type_uid"], type_uid);
        }
    }
}
