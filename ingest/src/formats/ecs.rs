//! Elastic Common Schema: any gateway's access log that Beats, Elastic Agent, Logstash or the gateway itself put into ECS.
//!
//! Fields from the ECS reference (8.11). Traps: keys are nested, dotted, or both; `event.duration` is nanoseconds;
//! `event.outcome` says how it ended where there is no status; `client.ip` is better than `source.ip`, which may be the
//! proxy's; whoever writes ECS decides which of `url.original`, `url.full` and `url.path` there is. ECS has no field for a
//! credential: headers kept as `http.request.headers.<name>` are read, and `labels.credential_id` as the gateway's name of it.

use tokenwatch_model::Text;

use super::headers::Headers;
use crate::call::{Call, CallTime};
use crate::flat::Leaves;
use crate::json::Scalar;
use crate::names::CredentialNames;

const NANOS_PER_MILLI: f64 = 1e6;

/// One record.
pub(crate) struct Ecs<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    start: CallTime,
    /// The target from the best source to the worst: original, full, path.
    targets: [Option<Text<'a>>; 3],
    query: Option<Text<'a>>,
    source: Option<Text<'a>>,
    user_id: Option<Text<'a>>,
    host_name: Option<Text<'a>>,
    event_id: Option<Text<'a>>,
    /// Bytes of the body, in and out, where there is no count of all.
    body_bytes: [Option<u64>; 2],
    has_succeeded: bool,
}

impl<'n> Ecs<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            start: CallTime::Missing,
            targets: [None, None, None],
            query: None,
            source: None,
            user_id: None,
            host_name: None,
            event_id: None,
            body_bytes: [None, None],
            has_succeeded: false,
        }
    }
}

impl<'a> From<Ecs<'_, 'a>> for Call<'a> {
    fn from(ecs: Ecs<'_, 'a>) -> Self {
        let mut call = ecs.call;
        if let start @ CallTime::At(_) = ecs.start {
            call.time = start;
        }
        let [original, full, path] = ecs.targets;
        if let (None, None, Some(query)) = (&original, &full, &ecs.query) {
            call.has_token_in_url |= call.credentials.parameters(ecs.names, query);
        }
        call.target = original.or(full).or(path);
        call.peer = call.peer.or(ecs.source);
        call.gateway = call.gateway.or(ecs.host_name);
        call.request_id = call.request_id.or(ecs.event_id);
        let [bytes_in, bytes_out] = ecs.body_bytes;
        call.bytes_in = call.bytes_in.or(bytes_in);
        call.bytes_out = call.bytes_out.or(bytes_out);
        if call.method.is_some() && ecs.has_succeeded {
            call.status = call.status.or(Some(200));
        }
        let credentials = &mut call.credentials;
        credentials.consumer = credentials.consumer.take().or(ecs.user_id);
        call
    }
}

impl<'de> Leaves<'de> for Ecs<'_, 'de> {
    fn leaf(&mut self, path: &str, value: Scalar<'de>) {
        let call = &mut self.call;
        match path {
            "@timestamp" => call.time.set(&value),
            "event.start" => self.start.set(&value),
            "event.duration" => {
                call.latency_ms = value.as_float().map(|nanos| nanos / NANOS_PER_MILLI);
            }
            "event.outcome" => {
                self.has_succeeded = value.into_text().as_deref() == Some("success");
            }
            "event.id" => self.event_id = value.into_text(),
            "http.request.id" => call.request_id = value.into_text(),
            "http.request.method" => call.method = value.into_text(),
            "http.request.bytes" => call.bytes_in = value.as_unsigned(),
            "http.request.body.bytes" => self.body_bytes[0] = value.as_unsigned(),
            "http.response.status_code" => call.status = value.as_unsigned(),
            "http.response.bytes" => call.bytes_out = value.as_unsigned(),
            "http.response.body.bytes" => self.body_bytes[1] = value.as_unsigned(),
            "http.route" => call.route = value.into_text(),
            "url.original" => self.targets[0] = value.into_text(),
            "url.full" => self.targets[1] = value.into_text(),
            "url.path" => self.targets[2] = value.into_text(),
            "url.query" => self.query = value.into_text(),
            "url.domain" => call.host = value.into_text(),
            "url.scheme" => call.is_plaintext = value.into_text().as_deref() == Some("http"),
            "client.ip" => call.peer = value.into_text(),
            "source.ip" => self.source = value.into_text(),
            "user_agent.original" => call.user_agent = value.into_text(),
            "tls.version" => call.tls_version = value.into_text(),
            "tls.client.ja4" => call.ja4 = value.into_text(),
            "observer.hostname" | "observer.name" => call.gateway = value.into_text(),
            "host.hostname" | "host.name" => self.host_name = value.into_text(),
            _ => self.who(path, value),
        }
    }
}

impl<'a> Ecs<'_, 'a> {
    fn who(&mut self, path: &str, value: Scalar<'a>) {
        let Some(text) = value.into_text() else {
            return;
        };
        let credentials = &mut self.call.credentials;
        match path {
            "user.id" | "client.user.id" => self.user_id = Some(text),
            "user.name" | "client.user.name" => credentials.consumer = Some(text),
            "labels.credential_id" => credentials.credential_id = Some(text),
            _ => {
                if let Some(name) = path.strip_prefix("http.request.headers.") {
                    let (names, call) = (self.names, &mut self.call);
                    Headers { names, call }.header(name, text);
                }
            }
        }
    }
}
