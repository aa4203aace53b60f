//! What the tests of this crate start from: a finding, settings, secrets, a clock that is moved by hand.

pub(crate) mod http_server;
pub(crate) mod smtp_server;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use tokenwatch_model::{
    Clock, Detector, Evidence, Finding, FindingId, FindingStatus, FindingToken, SecretSource,
    Severity, Subject, SubjectKind, Timestamp, TokenId,
};

use crate::config::{AlertingConfig, AlertingSettings};

/// The time at which every test starts.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_329_600);

/// Secrets by name; files and variables share the names.
#[derive(Default)]
pub(crate) struct Secrets(pub HashMap<&'static str, &'static str>);

impl SecretSource for Secrets {
    fn env(&self, name: &str) -> Option<SecretString> {
        self.0.get(name).map(|text| (*text).into())
    }

    fn file(&self, path: &str) -> Result<SecretString, String> {
        self.env(path).ok_or_else(|| "no such file".to_owned())
    }
}

/// The settings that `text` gives, with a usual set of secrets.
pub(crate) fn settings(text: &str) -> AlertingSettings {
    let config: AlertingConfig = toml::from_str(text).expect("the configuration's shape");
    config
        .validate("alerting", &secrets())
        .expect("valid settings")
}

pub(crate) fn secrets() -> Secrets {
    Secrets(HashMap::from([
        ("HOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        (
            "SLACK_URL",
            "https://hooks.slack.example/services/T0/B0/verysecret",
        ),
        ("PASSWORD", "hunter2hunter2"),
    ]))
}

/// A finding about token `number`, open, of severity high, a minute old.
pub(crate) fn finding(number: u128) -> Finding {
    let token = TokenId::from_bits(number);
    Finding {
        id: FindingId::from_bits(number),
        revision: 1,
        detector: Detector::RateSpike,
        severity: Severity::High,
        confidence: 0.93,
        status: FindingStatus::Open,
        evidence_db: 24.5,
        subject: Subject {
            kind: SubjectKind::Token,
            id: token.to_string(),
        },
        token: Some(FindingToken {
            id: token,
            credential_id: Some("5cbc".to_owned()),
            consumer: Some("acme".to_owned()),
            owner: None,
            team: None,
            environment: None,
        }),
        first_event_at: NOW - Duration::from_mins(2),
        last_event_at: NOW - Duration::from_mins(1),
        detected_at: NOW - Duration::from_mins(1),
        event_count: 4312,
        summary: "acme's key makes 70 times its usual calls".to_owned(),
        evidence: Evidence {
            observed: Some(4312.0),
            expected: Some(61.0),
            window_s: Some(600),
            ..Evidence::default()
        },
        incident_id: None,
        attack: vec!["T1550.001".to_owned()],
        owasp: vec!["API2:2023".to_owned()],
    }
}

/// The same finding in its next version, with this severity.
pub(crate) fn revised(finding: &Finding, severity: Severity) -> Finding {
    Finding {
        revision: finding.revision + 1,
        severity,
        ..finding.clone()
    }
}

/// A clock that starts at [`NOW`] and moves when told to.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW.as_micros())))
    }

    pub(crate) fn clock(&self) -> Clock {
        let micros = Arc::clone(&self.0);
        Clock::new(move || Timestamp::from_micros(micros.load(Ordering::SeqCst)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a short time");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}
