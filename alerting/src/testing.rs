//! What the tests of this crate start from: a finding, settings, secrets, a clock that is moved by hand.

pub(crate) mod http_server;
pub(crate) mod smtp_server;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokenwatch_model::{
    Clock, Detector, Evidence, Finding, FindingId, FindingStatus, FindingToken, SecretSource,
    Severity, Subject, SubjectKind, Timestamp, TokenId,
};

use tokio::time::Instant;

use crate::channel::Channel;
use crate::config::{AlertingConfig, AlertingSettings};
use crate::outgoing::{Item, Outgoing};

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
        ("PAGERDUTY_KEY", "R0UT1NGKEYR0UT1NGKEYR0UT1NGKEYR0"),
        ("OPSGENIE_KEY", "eb243592-faa2-4ba2-a551q-1afdf565c889"),
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

/// A message that opens `finding`.
pub(crate) fn outgoing(finding: Finding) -> Outgoing {
    outgoing_of(vec![finding])
}

/// A message that opens `findings`.
pub(crate) fn outgoing_of(findings: Vec<Finding>) -> Outgoing {
    let id = match findings.as_slice() {
        [finding] => Item::opening(finding.clone()).id("ops", 0),
        _ => "ntf_0123456789abcdef0123456789abcdef".to_owned(),
    };
    let group = "grp_0123456789abcdef0123456789abcdef".to_owned();
    Outgoing::opening(id, "ops".into(), group, findings)
}

/// The channel of a receiver with these keys besides its name.
pub(crate) fn channel(keys: &str) -> Channel {
    let text = format!(
        "public_url = \"https://tokenwatch.example.com\"\n[[receivers]]\nname = \"ops\"\n{keys}\n\
         [[routes]]\nreceivers = [\"ops\"]"
    );
    let settings = settings(&text);
    Channel::new(&settings.receivers[0], &settings.layouts[0]).expect("a channel")
}

/// The same finding in its next version, with this severity.
pub(crate) fn revised(finding: &Finding, severity: Severity) -> Finding {
    Finding {
        revision: finding.revision + 1,
        severity,
        ..finding.clone()
    }
}

/// A clock that starts at [`NOW`], goes on with the runtime's virtual time, and can be moved ahead of it.
#[derive(Clone)]
pub(crate) struct HandClock {
    micros: Arc<AtomicI64>,
    running_since: Arc<Mutex<Option<Instant>>>,
}

impl HandClock {
    pub(crate) fn new() -> Self {
        Self {
            micros: Arc::new(AtomicI64::new(NOW.as_micros())),
            running_since: Arc::default(),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::new(move || clock.now())
    }

    pub(crate) fn now(&self) -> Timestamp {
        let since = *self.running_since.lock().unwrap();
        let elapsed = since.map_or(Duration::ZERO, |since| since.elapsed());
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst)) + elapsed
    }

    /// From now on it goes on with this runtime's time.
    pub(crate) fn start(&self) {
        *self.running_since.lock().unwrap() = Some(Instant::now());
    }

    /// The runtime ends; its time has passed.
    pub(crate) fn stop(&self) {
        let now = self.now();
        *self.running_since.lock().unwrap() = None;
        self.micros.store(now.as_micros(), Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a short time");
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}
