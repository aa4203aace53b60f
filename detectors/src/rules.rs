//! What an operator says about single tokens, consumers, routes and networks: other modes, and exceptions with an end.

use std::net::IpAddr;

use ipnet::IpNet;
use tokenwatch_model::{AccessEvent, Detector, Problems, Timestamp, TokenId};

use crate::config::{DetectorMode, ExceptionConfig, OverrideConfig};
use crate::route_pattern::{CalledPath, RoutePattern};

/// Validated overrides and exceptions, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    overrides: Vec<(Detector, Matcher, DetectorMode)>,
    exceptions: Vec<Exception>,
}

/// What is expected for a while.
#[derive(Clone, Debug)]
pub(crate) struct Exception {
    pub(crate) reason: String,
    pub(crate) until: Timestamp,
    from: Option<Timestamp>,
    detectors: Vec<Detector>,
    matcher: Matcher,
}

#[derive(Clone, Debug, Default)]
struct Matcher {
    consumer: Option<String>,
    token: Option<String>,
    token_id: Option<TokenId>,
    route: Option<RoutePattern>,
    network: Option<IpNet>,
}

/// What rules look at in a call, or in a source.
pub(crate) struct Matched<'e> {
    ts: Timestamp,
    id: Option<TokenId>,
    credential_id: Option<&'e str>,
    consumer: Option<&'e str>,
    path: Option<CalledPath<'e>>,
    route: Option<&'e str>,
    network: Option<IpNet>,
}

impl<'e> Matched<'e> {
    /// The call of `event`.
    pub(crate) fn of(event: &'e AccessEvent<'_>) -> Self {
        let token = event.token.as_ref();
        Self {
            ts: event.ts,
            id: token.map(|token| token.id),
            credential_id: token.and_then(|token| token.credential_id.as_deref()),
            consumer: token.and_then(|token| token.consumer.as_deref()),
            path: event.http.path.as_deref().map(CalledPath::new),
            route: event.http.route.as_deref(),
            network: event.client.ip.map(IpNet::from),
        }
    }

    /// A source by its name, which may be an address or a network, at `ts`; of no token.
    pub(crate) fn source(name: &'e str, ts: Timestamp) -> Self {
        Self {
            ts,
            id: None,
            credential_id: None,
            consumer: None,
            path: None,
            route: Some(name),
            network: parse_network(name),
        }
    }
}

fn parse_network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().or_else(address)
}

impl Rules {
    /// Compiles the configuration; what is wrong with it goes to `problems`.
    pub(crate) fn compile(
        overrides: &[OverrideConfig],
        exceptions: &[ExceptionConfig],
        problems: &mut Problems,
    ) -> Self {
        let mut rules = Self::default();
        for (index, entry) in overrides.iter().enumerate() {
            let path = format!("overrides[{index}]");
            if entry.consumer.is_none() && entry.token.is_none() && entry.route.is_none() {
                problems.add(&path, "name a consumer, a token or a route");
            }
            let (consumer, token) = (entry.consumer.as_ref(), entry.token.as_ref());
            let matcher =
                Matcher::compile(consumer, token, entry.route.as_deref(), &path, problems);
            rules.overrides.push((entry.detector, matcher, entry.mode));
        }
        for (index, entry) in exceptions.iter().enumerate() {
            let path = format!("exceptions[{index}]");
            let scoped = entry.consumer.is_some()
                || entry.token.is_some()
                || entry.route.is_some()
                || entry.network.is_some();
            if !scoped && entry.detectors.is_empty() {
                problems.add(&path, "name what it is for: it would cover everything");
            }
            if entry.reason.trim().is_empty() {
                problems.add(format!("{path}.reason"), "must not be empty");
            }
            if entry.from.is_some_and(|from| from >= entry.until) {
                problems.add(format!("{path}.until"), "must lie after from");
            }
            let (consumer, token) = (entry.consumer.as_ref(), entry.token.as_ref());
            let mut matcher =
                Matcher::compile(consumer, token, entry.route.as_deref(), &path, problems);
            matcher.network = entry.network.as_deref().and_then(|text| {
                let parsed = parse_network(text);
                if parsed.is_none() {
                    problems.add(
                        format!("{path}.network"),
                        "is no network such as 203.0.113.0/24",
                    );
                }
                parsed
            });
            rules.exceptions.push(Exception {
                reason: entry.reason.clone(),
                until: entry.until,
                from: entry.from,
                detectors: entry.detectors.clone(),
                matcher,
            });
        }
        rules
    }

    /// The mode of the first override that matches.
    pub(crate) fn mode(&self, detector: Detector, call: &Matched<'_>) -> Option<DetectorMode> {
        self.overrides
            .iter()
            .find(|(of, matcher, _)| *of == detector && matcher.matches(call))
            .map(|(_, _, mode)| *mode)
    }

    /// The first exception that covers a hit of `detector` at this call.
    pub(crate) fn exception(&self, detector: Detector, call: &Matched<'_>) -> Option<&Exception> {
        self.exceptions.iter().find(|exception| {
            call.ts < exception.until
                && exception.from.is_none_or(|from| call.ts >= from)
                && (exception.detectors.is_empty() || exception.detectors.contains(&detector))
                && exception.matcher.matches(call)
        })
    }
}

impl Matcher {
    fn compile(
        consumer: Option<&String>,
        token: Option<&String>,
        route: Option<&str>,
        path: &str,
        problems: &mut Problems,
    ) -> Self {
        Self {
            consumer: consumer.cloned(),
            token_id: token.and_then(|token| token.parse().ok()),
            token: token.cloned(),
            route: route.and_then(|route| match RoutePattern::compile(route) {
                Ok(pattern) => Some(pattern),
                Err(why) => {
                    problems.add(format!("{path}.route"), why);
                    None
                }
            }),
            network: None,
        }
    }

    fn matches(&self, call: &Matched<'_>) -> bool {
        let consumer = self.consumer.as_deref();
        let is_token = |name: &String| {
            call.credential_id == Some(name.as_str())
                || (self.token_id.is_some() && self.token_id == call.id)
        };
        consumer.is_none_or(|name| call.consumer == Some(name))
            && self.token.as_ref().is_none_or(is_token)
            && self
                .route
                .as_ref()
                .is_none_or(|route| route.matches(call.path.as_ref(), call.route))
            && self
                .network
                .is_none_or(|network| call.network.is_some_and(|of| network.contains(&of)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DetectorsConfig;

    fn rules(toml: &str) -> Rules {
        let config: DetectorsConfig = toml::from_str(toml).expect("configuration");
        config.validate("detectors").expect("valid").rules
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_793_577_600 + secs)
    }

    #[test]
    fn an_exception_covers_what_it_names_until_it_ends() {
        let rules = rules(
            "[[exceptions]]\nreason = \"penetration test\"\nfrom = \"2026-11-02T00:00:00Z\"\n\
             until = \"2026-11-03T00:00:00Z\"\nnetwork = \"203.0.113.0/24\"\n\
             detectors = [\"credential_stuffing\", \"failure_burst\"]\n",
        );
        for (name, secs, detector, want) in [
            ("203.0.113.9", 10, Detector::CredentialStuffing, true),
            ("203.0.113.0/25", 10, Detector::CredentialStuffing, true),
            ("203.0.0.0/16", 10, Detector::CredentialStuffing, false),
            ("198.51.100.9", 10, Detector::CredentialStuffing, false),
            ("203.0.113.9", 10, Detector::RateSpike, false),
            ("203.0.113.9", -10, Detector::FailureBurst, false),
            ("203.0.113.9", 86_400, Detector::FailureBurst, false),
        ] {
            let covered = rules.exception(detector, &Matched::source(name, at(secs)));
            assert_eq!(covered.is_some(), want, "{name} {secs} {detector}");
        }
    }

    #[test]
    fn an_override_needs_all_that_it_names() {
        let rules = rules(
            "[[overrides]]\ndetector = \"rate_spike\"\nconsumer = \"acme\"\nroute = \"/v1/export/{*rest}\"\nmode = \"off\"\n",
        );
        for (consumer, path, want) in [
            ("acme", "/v1/export/all", Some(DetectorMode::Off)),
            ("acme", "/v1/orders", None),
            ("bolt", "/v1/export/all", None),
        ] {
            let call = Matched {
                consumer: Some(consumer),
                path: Some(CalledPath::new(path)),
                ..Matched::source("", at(0))
            };
            assert_eq!(rules.mode(Detector::RateSpike, &call), want, "{path}");
            assert_eq!(rules.mode(Detector::NewClient, &call), None);
        }
    }

    #[test]
    fn an_exception_for_everything_is_refused() {
        let config: DetectorsConfig = toml::from_str(
            "[[exceptions]]\nreason = \" \"\nuntil = \"2026-11-03T00:00:00Z\"\nnetwork = \"x\"\n\
             [[exceptions]]\nreason = \"r\"\nuntil = \"2026-11-03T00:00:00Z\"\n",
        )
        .expect("configuration");
        let problems = config.validate("detectors").expect_err("invalid");
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for (problem, path) in problems.iter().zip([
            "detectors.exceptions[0].reason",
            "detectors.exceptions[0].network",
            "detectors.exceptions[1]",
        ]) {
            assert!(problem.starts_with(path), "{problem}");
        }
        assert_eq!(problems.len(), 3);
    }
}
