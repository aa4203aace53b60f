//! Recognises the format of one record by keys that only its gateway writes.
//!
//! Each record is looked at by itself, so the answer does not depend on what came before. A key is searched with its
//! quotes: inside a value that a client controls they would be escaped, so no user agent can pretend to be a key.

use memchr::memmem::Finder;
use tokenwatch_model::Format;

use super::aws_alb;

/// The keys to search for, prepared once.
#[derive(Clone, Debug)]
pub(crate) struct Recogniser {
    kong: [Finder<'static>; 2],
    caddy: Finder<'static>,
    cloudtrail: [Finder<'static>; 2],
    envoy: Finder<'static>,
    istio: Finder<'static>,
    gateway_authority: Finder<'static>,
    cloud: [Keys; 5],
    nginx: [Finder<'static>; 4],
}

/// The keys of a format: all of the first, and any of the second if there are some.
#[derive(Clone, Debug)]
struct Keys {
    format: Format,
    all: Vec<Finder<'static>>,
    any: Vec<Finder<'static>>,
}

impl Recogniser {
    pub(crate) fn new() -> Self {
        Self {
            kong: [Finder::new("\"started_at\""), Finder::new("\"latencies\"")],
            caddy: Finder::new("\"http.log."),
            cloudtrail: [Finder::new("\"eventSource\""), Finder::new("\"eventName\"")],
            envoy: Finder::new("\"response_flags\""),
            istio: Finder::new("\"upstream_transport_failure_reason\""),
            gateway_authority: Finder::new("\":authority\""),
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
            nginx: [
                Finder::new("\"remote_addr\""),
                Finder::new("\"request_time\""),
                Finder::new("\"body_bytes_sent\""),
                Finder::new("\"remote_ip\""),
            ],
        }
    }

    /// The format of `document`, which is not empty.
    pub(crate) fn recognise(&self, document: &str) -> Option<Format> {
        let bytes = document.as_bytes();
        match bytes {
            // Envoy's text begins with a time in brackets, a list of objects does not.
            [b'[', b'0'..=b'9', ..] => Some(Format::Envoy),
            [b'{' | b'[', ..] => self.recognise_json(bytes),
            _ if aws_alb::is_line(document) => Some(Format::AwsAlb),
            _ => is_combined(document).then_some(Format::Nginx),
        }
    }

    /// The other formats whose keys are in `document` too. A client chooses the keys of some objects (tags of a resource,
    /// labels, parameters of a query), and then the first format is not the right one.
    pub(crate) fn others(&self, document: &str, first: Format) -> impl Iterator<Item = Format> {
        let bytes = document.as_bytes();
        let has = |key: &Finder<'_>| key.find(bytes).is_some();
        let is_json = document.starts_with(['{', '[']);
        let own = [
            (Format::Caddy, has(&self.caddy)),
            (Format::Cloudtrail, self.cloudtrail.iter().all(has)),
            (Format::Envoy, has(&self.envoy)),
            (Format::Nginx, self.nginx.iter().any(has)),
        ];
        let cloud = self
            .cloud
            .iter()
            .map(move |keys| (keys.format, keys.are_in(bytes)));
        own.into_iter()
            .chain(cloud)
            .filter(move |(format, is_there)| is_json && *is_there && *format != first)
            .map(|(format, _)| format)
    }

    fn recognise_json(&self, bytes: &[u8]) -> Option<Format> {
        let has = |key: &Finder<'_>| key.find(bytes).is_some();
        if self.kong.iter().all(has) {
            Some(Format::Kong)
        } else if has(&self.caddy) {
            Some(Format::Caddy)
        } else if self.cloudtrail.iter().all(has) {
            Some(Format::Cloudtrail)
        } else if has(&self.envoy) {
            // Envoy Gateway writes the same keys as Istio but for the header-style ones.
            let is_istio = has(&self.istio) && !has(&self.gateway_authority);
            Some(if is_istio {
                Format::Istio
            } else {
                Format::Envoy
            })
        } else {
            let keys = self.cloud.iter().find(|keys| keys.are_in(bytes));
            match keys {
                Some(keys) => Some(keys.format),
                None => self.nginx.iter().any(has).then_some(Format::Nginx),
            }
        }
    }
}

impl Keys {
    fn new(format: Format, all: &[&'static str], any: &[&'static str]) -> Self {
        let finders = |keys: &[&'static str]| keys.iter().map(|key| Finder::new(*key)).collect();
        Self {
            format,
            all: finders(all),
            any: finders(any),
        }
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        let has = |key: &Finder<'_>| key.find(bytes).is_some();
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has))
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
        check(
            r#"{"remote_addr":"1.2.3.4","ua":"\"started_at\" \"latencies\""}"#,
            Some(Format::Nginx),
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
}
