//! Events and engines for tests.

use std::sync::Arc;

use tokenwatch_detectors::{Detections, DetectorSettings, DetectorsConfig, Engine};
use tokenwatch_model::{
    AccessEvent, Client, CountryCode, EventFlags, Finding, Format, Http, Origin, Outcome, Severity,
    Timestamp, TokenId, TokenKind, TokenUse,
};

/// Monday, 2026-11-02, 00:00 UTC.
pub(crate) const MONDAY: i64 = 1_793_577_600;
pub(crate) const DAY: i64 = 86_400;

/// One call, to be turned into an event.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) token: u128,
    /// The gateway knows whose token it is.
    pub(crate) named: bool,
    pub(crate) at_ms: i64,
    pub(crate) consumer: &'static str,
    pub(crate) ip: [u8; 4],
    pub(crate) place: Option<(&'static str, u32)>,
    pub(crate) agent: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) partition: i32,
    pub(crate) gateway: Option<&'static str>,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            token: 1,
            named: true,
            at_ms: MONDAY * 1_000,
            consumer: "acme",
            ip: [192, 0, 2, 7],
            place: Some(("DE", 3_320)),
            agent: "acme-sdk/2.1",
            method: "GET",
            path: "/v1/orders/17".to_owned(),
            status: 200,
            partition: 0,
            gateway: None,
        }
    }
}

impl Call {
    /// The event.
    pub(crate) fn event(&self) -> AccessEvent<'static> {
        AccessEvent {
            ts: Timestamp::from_millis(self.at_ms),
            format: Format::ALL[0],
            request_id: None,
            token: Some(TokenUse {
                id: TokenId::from_bits(self.token),
                kind: TokenKind::ApiKey,
                credential_id: self.named.then(|| format!("key-{}", self.token).into()),
                instance: None,
                consumer: self.named.then(|| self.consumer.into()),
                scopes: Vec::new(),
                fingerprint: None,
                issued_at: None,
                expires_at: None,
                jwt: None,
            }),
            client: Client {
                ip: Some(self.ip.into()),
                country: self
                    .place
                    .and_then(|(country, _)| CountryCode::parse(country)),
                asn: self.place.map(|(_, asn)| asn),
                user_agent: Some(self.agent.into()),
                ..Client::default()
            },
            http: Http {
                method: Some(self.method.into()),
                path: Some(self.path.clone().into()),
                status: Some(self.status),
                ..Http::default()
            },
            tls: None,
            outcome: Outcome::of_status(Some(self.status)),
            flags: EventFlags::default(),
            origin: Origin {
                topic: Some("gateway.access".into()),
                partition: Some(self.partition),
                gateway: self.gateway.map(Into::into),
                ..Origin::default()
            },
        }
    }
}

/// Settings from TOML below `[detectors]`.
pub(crate) fn settings(toml: &str) -> Arc<DetectorSettings> {
    let config: DetectorsConfig = toml::from_str(toml).expect("configuration");
    Arc::new(config.validate("detectors").expect("valid configuration"))
}

/// What a new engine makes of the calls, to the end.
pub(crate) fn replay(config: &str, calls: &[Call]) -> Detections {
    let mut engine = Engine::new(settings(config));
    let mut out = Detections::default();
    for call in calls {
        engine.process(&[call.event()], &mut out);
    }
    engine.finish(&mut out);
    out
}

/// The last version of every finding, by detection time and id.
pub(crate) fn last_versions(findings: &[Finding]) -> Vec<Finding> {
    let mut last = std::collections::BTreeMap::new();
    for finding in findings {
        let kept = last.entry(finding.id).or_insert_with(|| finding.clone());
        assert!(finding.revision >= kept.revision, "revisions grow");
        *kept = finding.clone();
    }
    let mut last: Vec<Finding> = last.into_values().collect();
    last.sort_by_key(|finding| (finding.detected_at, finding.id));
    last
}

/// The gravest severity of any version.
pub(crate) fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}

/// A token that calls every `every_s` seconds, a little irregularly, for `days` days up to `until_s`.
pub(crate) fn history(template: &Call, days: i64, every_s: i64, until_s: i64) -> Vec<Call> {
    let mut random = fastrand::Rng::with_seed(template.token as u64);
    let start = until_s - days * DAY;
    (0..days * DAY / every_s)
        .map(|number| Call {
            at_ms: (start + number * every_s) * 1_000 + random.i64(0..every_s * 1_000),
            ..template.clone()
        })
        .collect()
}
