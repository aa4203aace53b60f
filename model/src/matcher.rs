//! Which findings are meant: what routes take and what silences mute.
//!
//! Every list that is not empty has to hold the finding's value; a finding without the value does not match. So a
//! matcher with nothing in it matches everything, and one that asks for a team matches nothing until teams are known.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Detector, Finding, FindingId, Severity, SubjectKind};

/// Which findings are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FindingMatcher {
    /// The mildest severity; absent takes all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Detectors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<Detector>,
    /// What findings are about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<SubjectKind>,
    /// Ids or credential ids of tokens; for what is not about a token, the subject's id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Consumers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<String>,
    /// Owners of tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// Teams that tokens belong to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Environments of tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Tags of tokens; one of them is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Findings by their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingId>,
    /// Incidents by their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<String>,
}

impl FindingMatcher {
    /// Whether `finding` is meant.
    pub fn matches(&self, finding: &Finding) -> bool {
        self.mismatch(finding).is_none()
    }

    /// The first key by which `finding` is not meant, if any: what a person is told who asks why.
    pub fn mismatch(&self, finding: &Finding) -> Option<&'static str> {
        let token = finding.token.as_ref();
        let consumer = token.and_then(|token| token.consumer.as_deref());
        let owner = token.and_then(|token| token.owner.as_deref());
        let incident = finding.incident_id.as_deref();
        let checks = [
            (
                "severity",
                self.severity.is_none_or(|least| finding.severity >= least),
            ),
            ("detectors", holds(&self.detectors, &finding.detector)),
            ("subjects", holds(&self.subjects, &finding.subject.kind)),
            ("tokens", self.tokens.is_empty() || self.names(finding)),
            ("consumers", one_of(&self.consumers, consumer)),
            ("owners", one_of(&self.owners, owner)),
            ("teams", of_token(&self.teams, finding, "team")),
            (
                "environments",
                of_token(&self.environments, finding, "environment"),
            ),
            ("tags", of_token(&self.tags, finding, "tags")),
            ("findings", holds(&self.findings, &finding.id)),
            ("incidents", one_of(&self.incidents, incident)),
        ];
        checks
            .into_iter()
            .find_map(|(key, holds)| (!holds).then_some(key))
    }

    /// Whether nothing is asked for, so that everything matches.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn names(&self, finding: &Finding) -> bool {
        let is = |name: &str| self.tokens.iter().any(|listed| listed == name);
        match &finding.token {
            Some(token) => {
                is(&token.id.to_string()) || token.credential_id.as_deref().is_some_and(is)
            }
            None => is(&finding.subject.id),
        }
    }
}

/// What the inventory says of the finding's token under `key`: one text, or several.
pub fn token_facts(finding: &Finding, key: &str) -> Vec<String> {
    // By the names in the token's JSON, which is the contract: what it does not hold is not known.
    let token = finding
        .token
        .as_ref()
        .and_then(|token| serde_json::to_value(token).ok());
    match token.as_ref().and_then(|token| token.get(key)) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => texts
            .iter()
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

fn holds<T: PartialEq>(listed: &[T], value: &T) -> bool {
    listed.is_empty() || listed.contains(value)
}

fn one_of(listed: &[String], value: Option<&str>) -> bool {
    listed.is_empty() || value.is_some_and(|value| listed.iter().any(|one| one == value))
}

fn of_token(listed: &[String], finding: &Finding, key: &str) -> bool {
    listed.is_empty()
        || token_facts(finding, key)
            .iter()
            .any(|value| listed.contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Evidence, FindingStatus, FindingToken, Subject, Timestamp, TokenId};

    fn finding() -> Finding {
        let token = TokenId::from_bits(1);
        Finding {
            id: FindingId::from_bits(1),
            revision: 1,
            detector: Detector::RateSpike,
            severity: Severity::High,
            confidence: 0.9,
            status: FindingStatus::Open,
            evidence_db: 20.0,
            subject: Subject {
                kind: SubjectKind::Token,
                id: token.to_string(),
            },
            token: Some(
                serde_json::from_value::<FindingToken>(serde_json::json!({
                    "id": token.to_string(), "credential_id": "5cbc", "consumer": "acme", "owner": "ann"
                }))
                .expect("a token"),
            ),
            first_event_at: Timestamp::from_secs(1),
            last_event_at: Timestamp::from_secs(2),
            detected_at: Timestamp::from_secs(2),
            event_count: 1,
            summary: String::new(),
            evidence: Evidence::default(),
            incident_id: Some("inc_1".to_owned()),
            attack: Vec::new(),
            owasp: Vec::new(),
        }
    }

    fn mismatch(json: &str) -> Option<&'static str> {
        let matcher: FindingMatcher = serde_json::from_str(json).expect("a matcher");
        matcher.mismatch(&finding())
    }

    #[test]
    fn an_empty_matcher_takes_everything() {
        assert_eq!(mismatch("{}"), None);
        assert!(FindingMatcher::default().is_empty());
    }

    #[test]
    fn every_key_that_is_given_has_to_hold() {
        for holds in [
            r#"{"severity":"high"}"#,
            r#"{"detectors":["rate_spike"],"subjects":["token"]}"#,
            r#"{"tokens":["5cbc"]}"#,
            r#"{"tokens":["tok_00000000000000000000000001"]}"#,
            r#"{"consumers":["acme","other"],"owners":["ann"]}"#,
            r#"{"incidents":["inc_1"],"findings":["fnd_00000000000000000000000001"]}"#,
        ] {
            assert_eq!(mismatch(holds), None, "{holds}");
        }
        for (misses, key) in [
            (r#"{"severity":"critical"}"#, "severity"),
            (r#"{"detectors":["token_guessing"]}"#, "detectors"),
            (r#"{"subjects":["fleet"]}"#, "subjects"),
            (r#"{"tokens":["other"]}"#, "tokens"),
            (r#"{"consumers":["umbrella"]}"#, "consumers"),
            (r#"{"consumers":["acme"],"owners":["bob"]}"#, "owners"),
            (r#"{"incidents":["inc_2"]}"#, "incidents"),
        ] {
            assert_eq!(mismatch(misses), Some(key), "{misses}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_token_does_not_match() {
        for key in ["teams", "environments", "tags"] {
            assert_eq!(mismatch(&format!(r#"{{"{key}":["x"]}}"#)), Some(key));
        }
        assert_eq!(token_facts(&finding(), "consumer"), ["acme"]);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_json::from_str::<FindingMatcher>(r#"{"colour":["red"]}"#).is_err());
    }
}
