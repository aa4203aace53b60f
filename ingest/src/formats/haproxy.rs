//! HAProxy: `option httplog`, `option httpslog`, and JSON from a `log-format` under the names that people usually choose.
//!
//! From HAProxy's configuration manual, and lines of HAProxy 2.6. Traps: `%tr` has no zone and is the machine's local time,
//! which is taken for UTC; a timer or status of -1 was not reached; `"`, `#`, `{`, `}`, `|` and what is not ASCII are `#XX`;
//! `<BADREQ>` is a request that was none; JSON is hand-written and `-` is missing. There is no credential unless a header
//! is captured.

mod text;

use tokenwatch_model::Text;

use crate::call::{Call, CallTime, CredentialField};
use crate::flat::Leaves;
use crate::json::{self, Scalar};
use crate::names::CredentialNames;

pub(crate) use text::{is_text, read_text};

/// One JSON record. Its keys may be nested as the operator likes, so only the last part of a path counts.
pub(crate) struct Haproxy<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    request_line: Option<Text<'a>>,
    uri: Option<Text<'a>>,
    query: Option<Text<'a>>,
    header_host: Option<Text<'a>>,
    frontend: Option<Text<'a>>,
    is_abandoned: bool,
}

impl<'n> Haproxy<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            request_line: None,
            uri: None,
            query: None,
            header_host: None,
            frontend: None,
            is_abandoned: false,
        }
    }
}

impl<'a> From<Haproxy<'_, 'a>> for Call<'a> {
    fn from(haproxy: Haproxy<'_, 'a>) -> Self {
        let Haproxy {
            names, mut call, ..
        } = haproxy;
        let line = haproxy.request_line.map(text::unescape);
        let (method, target) = line.as_ref().map_or((None, None), text::split_request);
        call.method = call.method.or(method);
        if haproxy.uri.is_none()
            && target.is_none()
            && let Some(query) = haproxy.query
        {
            call.has_token_in_url |= call.credentials.parameters(names, &query);
        }
        call.target = haproxy
            .uri
            .or(call.target)
            .map(text::unescape)
            .or(target)
            .filter(|target| target != text::BAD_REQUEST);
        call.host = haproxy.header_host.or(call.host);
        call.status = call.status.filter(|_| !haproxy.is_abandoned);
        let is_tls = haproxy
            .frontend
            .is_some_and(|frontend| frontend.ends_with('~'));
        call.is_plaintext &= !is_tls && call.tls_version.is_none();
        call
    }
}

impl<'de> Leaves<'de> for Haproxy<'_, 'de> {
    fn leaf(&mut self, path: &str, value: Scalar<'de>) {
        let (outer, name) = path.rsplit_once('.').unwrap_or(("", path));
        let call = &mut self.call;
        match name {
            "ts" => call.time.set(&value),
            "timestamp" | "@timestamp" | "time" | "time_local" | "accept_date" | "request_date"
            | "date" => {
                if !matches!(call.time, CallTime::At(_)) {
                    call.time.set(&value);
                }
            }
            "client_ip" | "client_addr" | "clientip" | "remote_addr" | "src" | "ci" => {
                call.peer = value.into_text();
            }
            "x_forwarded_for" | "http_x_forwarded_for" | "xforwardfor" => {
                call.forwarded_for = value.into_text();
            }
            "status_code" | "status" | "http_status" | "response_code" => {
                call.status = value.as_unsigned();
            }
            "bytes_read" | "bytes_sent" | "read" => call.bytes_out = value.as_unsigned(),
            "bytes_uploaded" | "bytes_in" | "uploaded" => call.bytes_in = value.as_unsigned(),
            "time_active" | "time_active_ms" | "time_total" | "time_duration"
            | "session_duration" | "ta" | "tt" => call.latency_ms = value.as_float(),
            "host" if outer.ends_with("header") => self.header_host = value.into_text(),
            "host" | "http_host" => call.host = value.into_text(),
            "user_agent" | "http_user_agent" => call.user_agent = value.into_text(),
            "request_id" | "unique_id" | "x_request_id" => call.request_id = value.into_text(),
            "hostname" => call.gateway = value.into_text(),
            "ssl_version" | "tls_version" | "sslv" => self.tls_version(value),
            "version" if matches!(outer, "ssl" | "tls") => self.tls_version(value),
            "credential_id" | "api_key_id" => {
                call.credentials.credential_id = value.into_text();
            }
            "consumer" | "user" | "username" => call.credentials.consumer = value.into_text(),
            _ => self.rare_leaf(name, value),
        }
    }
}

impl<'a> Haproxy<'_, 'a> {
    fn rare_leaf(&mut self, name: &str, value: Scalar<'a>) {
        let call = &mut self.call;
        match name {
            "method" | "http_method" | "request_method" => call.method = value.into_text(),
            "uri" | "request_uri" | "http_uri" | "url" | "hu" => self.uri = value.into_text(),
            "path" | "http_path" | "request_path" | "hp" => call.target = value.into_text(),
            "query" | "query_string" | "http_query" | "hq" => {
                self.query = value.into_text().map(without_mark);
            }
            "request_line" | "http_request" | "request" => self.request_line = value.into_text(),
            "fe_name_transport" | "frontend_name_transport" | "ft" => {
                self.frontend = value.into_text();
                call.is_plaintext |= self.frontend.is_some();
            }
            "termination_state" | "tsc" => {
                self.is_abandoned = value
                    .into_text()
                    .is_some_and(|state| text::is_abandoned(&state));
            }
            name => {
                if let Some(field) = CredentialField::of(self.names, name)
                    && let Some(value) = value.into_text()
                {
                    call.credential(self.names, field, value);
                }
            }
        }
    }

    fn tls_version(&mut self, value: Scalar<'a>) {
        self.call.tls_version = value.into_text();
        self.call.is_plaintext |= self.call.tls_version.is_none();
    }
}

/// `?a=b`, as `%HQ` is written.
fn without_mark(query: Text<'_>) -> Text<'_> {
    match query {
        Text::Borrowed(query) => Text::Borrowed(query.strip_prefix('?').unwrap_or(query)),
        Text::Owned(query) => Text::Owned(query.strip_prefix('?').unwrap_or(&query).to_owned()),
    }
}

fn present(text: &str) -> Option<Text<'_>> {
    (!json::is_missing(text)).then_some(Text::Borrowed(text))
}
