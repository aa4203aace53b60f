//! Google Cloud Logging's `LogEntry`: API Gateway and load balancers, Cloud Endpoints, and Cloud Audit Logs.
//!
//! Fields from the references of `LogEntry`, `HttpRequest` and `AuditLog`, and from "Endpoints logs". Traps: 64-bit numbers
//! are texts; latency is a text with its unit, `0.048180s`; an audit entry has a gRPC code, `{}` for success; `granted` is
//! absent when it is false; `callerIp` may be `private` or `gce-internal-ip`; Endpoints logs the raw API key, no client
//! address, and for calls that it rejects no API fields; a long operation has an entry for its beginning and one for its end.
//!
//! Audit entries have no URL: the route is `storage.googleapis.com/storage.objects.get`, and the method says by
//! `permissionType` whether the call only reads: `GET` or `POST`.

mod audit;

use serde::de::MapAccess;
use tokenwatch_model::Text;

use super::url;
use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};
use audit::AuditLog;

/// One entry.
#[derive(Default)]
pub(crate) struct Gcp<'a> {
    call: Call<'a>,
    audit: Option<AuditLog<'a>>,
    /// The gateway that the entry is about.
    service: Option<Text<'a>>,
}

impl<'a> From<Gcp<'a>> for Call<'a> {
    fn from(entry: Gcp<'a>) -> Self {
        let Gcp {
            mut call,
            audit,
            service,
        } = entry;
        if let Some(target) = &call.target {
            call.is_plaintext = target.starts_with("http://");
            call.host = url::host_of(target).or(call.host);
        }
        call.host = call.host.or(service);
        if let Some(audit) = audit {
            audit.tell(&mut call);
        }
        call
    }
}

impl<'de> Fields<'de> for Gcp<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key {
            "timestamp" => call.time.set(&map.next_value::<Scalar<'_>>()?),
            "insertId" => call.request_id = json::text(map)?,
            "httpRequest" => map.next_value_seed(Object(&mut HttpRequest(call)))?,
            "jsonPayload" => map.next_value_seed(Object(&mut Endpoints(self)))?,
            "protoPayload" => {
                map.next_value_seed(Object(self.audit.insert(AuditLog::default())))?;
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// `google.logging.type.HttpRequest`.
struct HttpRequest<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for HttpRequest<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut *self.0;
        match key {
            "requestMethod" => call.method = json::text(map)?,
            "requestUrl" => call.target = json::text(map)?,
            "requestSize" => call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "responseSize" => call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "status" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "userAgent" => call.user_agent = json::text(map)?,
            "remoteIp" => call.peer = json::text(map)?,
            "latency" => call.latency_ms = json::text(map)?.and_then(|text| seconds_ms(&text)),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// What the proxies of Cloud Endpoints log. Other payloads have other keys.
struct Endpoints<'e, 'a>(&'e mut Gcp<'a>);

impl<'de> Fields<'de> for Endpoints<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.0.call;
        match key {
            "url" => call.target = json::text(map)?,
            "api_method" => call.route = json::text(map)?,
            "api_name" => self.0.service = json::text(map)?,
            "api_key" => {
                if let Some(key) = json::text(map)? {
                    call.credentials.key(key);
                }
            }
            "http_method" => call.method = json::text(map)?,
            "http_response_code" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "request_size_in_bytes" => {
                call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned();
            }
            "response_size_in_bytes" => {
                call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned();
            }
            "request_latency_in_ms" => {
                call.latency_ms = map.next_value::<Scalar<'_>>()?.as_float();
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// `0.048180s` in milliseconds.
fn seconds_ms(text: &str) -> Option<f64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(seconds_ms("0.5s"), Some(500.0));
        for text in ["0.5", "s", "", "-1s", "NaNs", "infs"] {
            assert_eq!(seconds_ms(text), None, "{text}");
        }
    }
}
