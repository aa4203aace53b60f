//! Recognises the format of one record by keys that only its gateway writes.
//!
//! Each record is looked at by itself, so the answer does not depend on what came before. A key stands in quotes before a
//! colon, which no value that a client controls does: in a text quotes are escaped, and a whole text stands before something
//! else. Some gateways log headers and parameters as objects, and then clients choose keys. Headers and parameters are
//! texts, lists and `true`, so those gateways are asked for first, by keys that hold an object or a number.

use memchr::memmem::Finder;
use tokenwatch_model::Format;

use super::{aws_alb, haproxy, krakend, traefik};

/// The keys to search for, prepared once.
#[derive(Clone, Debug)]
pub(crate) struct Recogniser {
    kong: [Key; 2],
    apisix: [Key; 2],
    ecs: Finder<'static>,
    ocsf: Key,
    cloudtrail: [Key; 2],
    caddy: Key,
    envoy: Key,
    istio: Key,
    gateway_authority: Key,
    nginx: [Key; 2],
    cloud: [Keys; 5],
    /// Formats that are told by a single key.
    others: Vec<(Key, Format)>,
}

/// Keys that tell a format alone, in this order.
const OTHERS: [(&str, Format); 17] = [
    ("\"resourceLogs\"", Format::Otlp),
    ("\"resource_logs\"", Format::Otlp),
    ("\"DownstreamStatus\"", Format::Traefik),
    ("\"OriginStatus\"", Format::Traefik),
    ("\"StartUTC\"", Format::Traefik),
    ("\"raw_request\"", Format::Tyk),
    ("\"request_time_ms\"", Format::Tyk),
    ("\"termination_state\"", Format::Haproxy),
    ("\"fe_name_transport\"", Format::Haproxy),
    ("\"frontend_name\"", Format::Haproxy),
    ("\"route_id\"", Format::Apisix),
    ("\"service_id\"", Format::Apisix),
    ("\"latencyMs\"", Format::Krakend),
    ("\"latency_ms\"", Format::Krakend),
    ("\"prefix\"", Format::Krakend),
    ("\"request_time\"", Format::Nginx),
    ("\"remote_ip\"", Format::Nginx),
];

impl Recogniser {
    pub(crate) fn new() -> Self {
        Self {
            kong: [Key::new("\"started_at\""), Key::new("\"latencies\"")],
            apisix: [Key::new("\"start_time\""), Key::new("\"latency\"")],
            ecs: Finder::new("\"ecs"),
            ocsf: Key::new("\"class_uid\""),
            cloudtrail: [Key::new("\"eventSource\""), Key::new("\"eventName\"")],
            caddy: Key::new("\"logger\""),
            envoy: Key::new("\"response_flags\""),
            istio: Key::new("\"upstream_transport_failure_reason\""),
            gateway_authority: Key::new("\":authority\""),
            nginx: [Key::new("\"remote_addr\""), Key::new("\"body_bytes_sent\"")],
            cloud: [
                Keys::new(Format::K8sAudit, &["\"auditID\"", "\"requestURI\""], &[]),
                Keys::new(Format::Gcp, &["\"logName\"", "\"insertId\""], &[]),
                Keys::new(
                    Format::AzureApim,
                    &[],
                    &["\"callerIpAddress\"", "\"CallerIpAddress\""],
                ),
                Keys::new(
                    Format::Cloudflare,
                    &[],
                    &["\"EdgeStartTimestamp\"", "\"EdgeResponseStatus\""],
                ),
                Keys::new(
                    Format::AwsApigw,
                    &["\"requestId\""],
                    &[
                        "\"resourcePath\"",
                        "\"routeKey\"",
                        "\"requestTimeEpoch\"",
                        "\"apiKeyId\"",
                    ],
                ),
            ],
            others: OTHERS
                .into_iter()
                .map(|(key, format)| (Key::new(key), format))
                .collect(),
        }
    }

    /// The format of `document`, which is not empty.
    pub(crate) fn recognise(&self, document: &str) -> Option<Format> {
        let bytes = document.as_bytes();
        match bytes {
            // Envoy's text begins with a time in brackets, a list of objects does not.
            [b'[', b'0'..=b'9', ..] => Some(Format::Envoy),
            _ if krakend::is_text(document) => Some(Format::Krakend),
            [b'{' | b'[', ..] => self.recognise_json(bytes),
            _ if aws_alb::is_line(document) => Some(Format::AwsAlb),
            _ => recognise_text(document),
        }
    }

    fn recognise_json(&self, bytes: &[u8]) -> Option<Format> {
        let [started_at, latencies] = &self.kong;
        let [start_time, latency] = &self.apisix;
        if latencies.holds(bytes, is_object) && started_at.is_in(bytes) {
            Some(Format::Kong)
        } else if start_time.holds(bytes, is_number) && latency.holds(bytes, is_number) {
            Some(Format::Apisix)
        } else if self.is_ecs(bytes) {
            Some(Format::Ecs)
        } else if self.ocsf.holds(bytes, is_number) {
            Some(Format::Ocsf)
        } else if self.cloudtrail.iter().all(|key| key.is_in(bytes)) {
            Some(Format::Cloudtrail)
        } else if self
            .caddy
            .holds(bytes, |value| value.starts_with(b"\"http.log."))
        {
            Some(Format::Caddy)
        } else if self.envoy.is_in(bytes) {
            // Envoy Gateway writes the same keys as Istio but for the header-style ones.
            let is_istio = self.istio.is_in(bytes) && !self.gateway_authority.is_in(bytes);
            Some(if is_istio {
                Format::Istio
            } else {
                Format::Envoy
            })
        } else if self.nginx.iter().any(|key| key.is_in(bytes)) {
            // In other gateways' logs people like to keep nginx's names.
            let other = self.other(bytes);
            Some(match other {
                Some(format @ (Format::Haproxy | Format::Apisix)) => format,
                _ => Format::Nginx,
            })
        } else {
            let cloud = self.cloud.iter().find(|keys| keys.are_in(bytes));
            cloud.map(|keys| keys.format).or_else(|| self.other(bytes))
        }
    }

    /// The other formats whose keys are in `document` too. A client chooses the keys of some objects (tags of a resource,
    /// labels, parameters of a query), and then the first format is not the right one.
    pub(crate) fn others(&self, document: &str, first: Format) -> impl Iterator<Item = Format> {
        let bytes = document.as_bytes();
        let all = |keys: &[Key]| keys.iter().all(|key| key.is_in(bytes));
        let is_json = document.starts_with(['{', '[']);
        let own = [
            (Format::Apisix, all(&self.apisix)),
            (Format::Ecs, self.is_ecs(bytes)),
            (Format::Ocsf, self.ocsf.is_in(bytes)),
            (Format::Cloudtrail, all(&self.cloudtrail)),
            (Format::Caddy, self.caddy.is_in(bytes)),
            (Format::Envoy, self.envoy.is_in(bytes)),
            (Format::Nginx, self.nginx.iter().any(|key| key.is_in(bytes))),
        ];
        let cloud = self
            .cloud
            .iter()
            .map(move |keys| (keys.format, keys.are_in(bytes)));
        let single = self
            .others
            .iter()
            .map(move |(key, format)| (*format, key.is_in(bytes)));
        own.into_iter()
            .chain(cloud)
            .chain(single)
            .filter(move |(format, is_there)| is_json && *is_there && *format != first)
            .map(|(format, _)| format)
    }

    /// `"ecs":{"version":…}`, or `"ecs.version"`.
    fn is_ecs(&self, bytes: &[u8]) -> bool {
        self.ecs.find_iter(bytes).any(|at| {
            let rest = &bytes[at + self.ecs.needle().len()..];
            rest.starts_with(b".version\"") || value_behind(rest, b"\"").is_some_and(is_object)
        })
    }

    fn other(&self, bytes: &[u8]) -> Option<Format> {
        self.others
            .iter()
            .find(|(key, _)| key.is_in(bytes))
            .map(|(_, format)| *format)
    }
}

/// The keys of a format: all of the first, and any of the second if there are some.
#[derive(Clone, Debug)]
struct Keys {
    format: Format,
    all: Vec<Key>,
    any: Vec<Key>,
}

impl Keys {
    fn new(format: Format, all: &[&'static str], any: &[&'static str]) -> Self {
        let keys = |quoted: &[&'static str]| quoted.iter().map(|key| Key::new(key)).collect();
        Self {
            format,
            all: keys(all),
            any: keys(any),
        }
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        let has = |key: &Key| key.is_in(bytes);
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has))
    }
}

/// A key of an object, with its quotes.
#[derive(Clone, Debug)]
struct Key(Finder<'static>);

impl Key {
    fn new(quoted: &'static str) -> Self {
        Self(Finder::new(quoted))
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.holds(bytes, |_| true)
    }

    /// Whether it is in `bytes` with a value that begins like this.
    fn holds(&self, bytes: &[u8], is_value: impl Fn(&[u8]) -> bool) -> bool {
        self.0.find_iter(bytes).any(|at| {
            value_behind(&bytes[at + self.0.needle().len()..], b"").is_some_and(&is_value)
        })
    }
}

/// What follows the rest of a key and its colon.
fn value_behind<'b>(rest: &'b [u8], end_of_key: &[u8]) -> Option<&'b [u8]> {
    let rest = rest.strip_prefix(end_of_key)?.trim_ascii_start();
    rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start)
}

fn is_object(value: &[u8]) -> bool {
    value.starts_with(b"{")
}

fn is_number(value: &[u8]) -> bool {
    value
        .first()
        .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
}

fn recognise_text(document: &str) -> Option<Format> {
    if is_combined(document) {
        Some(if traefik::is_text(document) {
            Format::Traefik
        } else {
            Format::Nginx
        })
    } else {
        haproxy::is_text(document).then_some(Format::Haproxy)
    }
}

/// `203.0.113.7 - acme [22/Nov/2025:…] "`: an address or a host, and a time before the first quote.
fn is_combined(document: &str) -> bool {
    let before_request = document
        .split_once('"')
        .map_or(document, |(before, _)| before);
    before_request.ends_with("] ") && before_request.contains(" [")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, expected: Option<Format>) {
        assert_eq!(
            Recogniser::new().recognise(document),
            expected,
            "{document}"
        );
    }

    #[test]
    fn a_client_cannot_pretend_to_be_a_key() {
        for agent in [
            r#"\"started_at\": 1, \"latencies\": {}"#,
            "response_flags",
            "http.log.access",
            r#"\"logger\":\"http.log."#,
        ] {
            check(
                &format!(r#"{{"remote_addr":"1.2.3.4","ua":"{agent}","x":1}}"#),
                Some(Format::Nginx),
            );
        }
    }

    #[test]
    fn keys_that_a_client_chose_are_no_gateways() {
        let client = r#"{"started_at":"1","latencies":["1","2"],"response_flags":true,"logger":"http.log.x","remote_addr":"1"}"#;
        check(
            &format!(
                r#"{{"request":{{"querystring":{client},"headers":{client}}},"start_time":1,"latency":0.5,"client_ip":"1.2.3.4"}}"#
            ),
            Some(Format::Apisix),
        );
        check(
            &format!(r#"{{"ecs":{{"version":"8"}},"http":{{"request":{{"headers":{client}}}}}}}"#),
            Some(Format::Ecs),
        );
        let client = r#"{"start_time":"1","latency":"1","response_flags":true,"ecs.version":"8"}"#;
        check(
            &format!(r#"{{"request":{{"headers":{client}}},"started_at": 1,"latencies": {{}}}}"#),
            Some(Format::Kong),
        );
    }

    #[test]
    fn what_no_gateway_writes_is_not_guessed() {
        for document in [
            "{}",
            "[]",
            "[{}]",
            "hello",
            "{\"a\":1}",
            "<134>1 x",
            "\"started_at\"",
            "é",
            "1.2.3.4:1 [22/Nov/2025:06:40:00.12",
        ] {
            check(document, None);
        }
    }

    #[test]
    fn an_envoy_time_is_not_a_list() {
        check(
            "[2025-11-22T06:40:00.310Z] \"GET / HTTP/2\" 200",
            Some(Format::Envoy),
        );
        check(r#"[{"started_at":1,"latencies":{}}]"#, Some(Format::Kong));
    }

    #[test]
    fn combined_lines_and_those_like_it_are_told_apart() {
        let combined =
            r#"1.2.3.4 - x:1 [22/Nov/2025:06:40:00 +0000] "GET / HTTP/1.1" 200 1 "-" "x""#;
        check(combined, Some(Format::Nginx));
        check(
            &format!(r#"{combined} 1 "r" "u" 3ms"#),
            Some(Format::Traefik),
        );
        check(
            r#"1.2.3.4:1 [22/Nov/2025:06:40:00.123] fe be/s 0/0/0/0/0 200 1 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1""#,
            Some(Format::Haproxy),
        );
    }
}
