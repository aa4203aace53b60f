//! nginx: the `combined` format and JSON written by a `log_format`, under the names that operators usually choose.
//!
//! Traps: JSON is hand-written, so everything may be text; without `escape=json` it holds `\xHH`, which is not JSON and
//! which the decoder repairs, because a client can cause it at will; `$upstream_*` are lists; the time is when the answer
//! was sent; a malformed request has neither method nor path; 499 means that the client went away.

use std::borrow::Cow;

use serde::de::MapAccess;
use tokenwatch_model::Text;

use crate::address;
use crate::call::Call;
use crate::json::{self, Fields, Scalar};
use crate::names::CredentialNames;

/// One JSON record. Where two variables tell the same, the better one wins whichever stands first.
pub(crate) struct Nginx<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    has_millis: bool,
    request_uri: Option<Text<'a>>,
    request_line: Option<Text<'a>>,
    http_host: Option<Text<'a>>,
    server_name: Option<Text<'a>>,
    all_bytes_sent: Option<u64>,
}

impl<'n> Nginx<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            has_millis: false,
            request_uri: None,
            request_line: None,
            http_host: None,
            server_name: None,
            all_bytes_sent: None,
        }
    }
}

impl<'a> From<Nginx<'_, 'a>> for Call<'a> {
    fn from(nginx: Nginx<'_, 'a>) -> Self {
        let mut call = nginx.call;
        let (method, target) = nginx
            .request_line
            .as_ref()
            .map_or((None, None), split_request);
        call.method = call.method.or(method);
        call.target = nginx.request_uri.or(call.target).or(target);
        call.host = call
            .host
            .or(nginx.http_host)
            .or(nginx.server_name.filter(|name| name != "_"));
        call.bytes_out = call.bytes_out.or(nginx.all_bytes_sent);
        call
    }
}

impl<'de> Fields<'de> for Nginx<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key.as_bytes() {
            b"msec" => {
                call.time.set(&map.next_value::<Scalar<'_>>()?);
                self.has_millis = true;
            }
            b"time_iso8601" | b"time_local" | b"time" | b"timestamp" | b"@timestamp" | b"ts" => {
                let time = map.next_value::<Scalar<'_>>()?;
                if !self.has_millis {
                    call.time.set(&time);
                }
            }
            b"remote_addr" | b"remote_ip" | b"client_ip" | b"clientip" => {
                call.peer = json::text(map)?;
            }
            b"http_x_forwarded_for" | b"x_forwarded_for" => call.forwarded_for = json::text(map)?,
            b"remote_user" | b"user" => call.credentials.consumer = json::text(map)?,
            b"request_method" | b"method" => call.method = json::text(map)?,
            b"request_uri" => self.request_uri = json::text(map)?,
            b"uri" | b"path" | b"url" => call.target = json::text(map)?,
            b"request" => self.request_line = json::text(map)?,
            b"status" | b"response" | b"status_code" => {
                call.status = map.next_value::<Scalar<'_>>()?.as_unsigned();
            }
            b"body_bytes_sent" | b"bytes" => {
                call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned();
            }
            b"bytes_sent" => self.all_bytes_sent = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"request_length" => call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"http_user_agent" | b"user_agent" | b"agent" => call.user_agent = json::text(map)?,
            b"request_id" => call.request_id = json::text(map)?,
            _ => self.rare_field(key, map)?,
        }
        Ok(())
    }
}

impl<'de> Nginx<'_, 'de> {
    fn rare_field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key.as_bytes() {
            b"request_time" => {
                call.latency_ms = map
                    .next_value::<Scalar<'_>>()?
                    .as_float()
                    .map(|seconds| seconds * 1e3);
            }
            b"http_x_request_id" | b"x_request_id" => {
                let id = json::text(map)?;
                call.request_id = call.request_id.take().or(id);
            }
            b"host" => call.host = json::text(map)?,
            b"http_host" => self.http_host = json::text(map)?,
            b"server_name" => self.server_name = json::text(map)?,
            b"hostname" => call.gateway = json::text(map)?,
            b"route" => call.route = json::text(map)?,
            b"ssl_protocol" => {
                call.tls_version = json::text(map)?;
                call.is_plaintext |= call.tls_version.is_none();
            }
            b"scheme" => call.is_plaintext |= json::text(map)?.as_deref() == Some("http"),
            b"http_x_forwarded_proto" => {
                call.is_forwarded_tls =
                    json::text(map)?.is_some_and(|proto| proto.starts_with("https"));
            }
            b"args" | b"query_string" => {
                if let Some(query) = json::text(map)? {
                    call.has_token_in_url |= call.credentials.parameters(self.names, &query);
                }
            }
            b"credential_id" | b"api_key_id" => call.credentials.credential_id = json::text(map)?,
            _ => call.credential_field(self.names, key, map)?,
        }
        Ok(())
    }
}

/// Reads `address - user [time] "request" status bytes "referer" "agent"`, and X-Forwarded-For if that is the next text,
/// as in nginx's own `main`.
///
/// nginx writes a `"` within a text as `\x22`, so the first real one opens the request whatever the user is called.
pub(crate) fn read_combined(line: &str) -> Option<Call<'_>> {
    let (before, rest) = line.split_once('"')?;
    let (who, time) = before.strip_suffix("] ")?.rsplit_once(" [")?;
    let (address, who) = who.split_once(' ')?;
    let (_ident, user) = who.split_once(' ')?;
    let (request, rest) = split_quoted(rest)?;
    let mut figures = rest.trim_start().splitn(3, ' ');
    let mut call = Call::default();
    call.time.set(&Scalar::Text(Cow::Borrowed(time)));
    call.peer = present(address);
    call.credentials.consumer = present(user).map(unescape);
    call.status = figures.next()?.parse().ok();
    call.bytes_out = figures.next()?.parse().ok();
    (call.method, call.target) = split_request(&unescape(Cow::Borrowed(request)));
    // The referer is never kept: it is another site's URL, with that site's secrets.
    let texts = figures
        .next()
        .and_then(|rest| rest.strip_prefix('"'))
        .and_then(split_quoted);
    if let Some((_referer, rest)) = texts
        && let Some((agent, rest)) = rest.strip_prefix(" \"").and_then(split_quoted)
    {
        call.user_agent = present(agent).map(unescape);
        let forwarded = rest
            .strip_prefix(" \"")
            .and_then(split_quoted)
            .map(|(forwarded, _)| forwarded);
        call.forwarded_for = forwarded
            .filter(|list| list.split(',').next().and_then(address::parse).is_some())
            .and_then(present);
    }
    Some(call)
}

/// The text up to the quote that ends it, and what follows; a quote behind a backslash (Apache) is part of the text.
fn split_quoted(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let end = memchr::memchr_iter(b'"', bytes).find(|at| {
        let backslashes = bytes[..*at]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        backslashes % 2 == 0
    })?;
    Some((&text[..end], &text[end + 1..]))
}

/// `GET /path HTTP/1.1`; a request that is not like that has neither method nor target.
fn split_request<'a>(request: &Text<'a>) -> (Option<Text<'a>>, Option<Text<'a>>) {
    let part = |range: std::ops::Range<usize>| match request {
        Cow::Borrowed(request) => Cow::Borrowed(&request[range]),
        Cow::Owned(request) => Cow::Owned(request[range].to_owned()),
    };
    let Some(method_end) = request.find(' ').filter(|end| is_method(&request[..*end])) else {
        return (None, None);
    };
    let end = match request.rfind(" HTTP/") {
        Some(end) if end > method_end => end,
        _ => request.len(),
    };
    (Some(part(0..method_end)), Some(part(method_end + 1..end)))
}

fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

/// nginx's `\xHH` as the bytes they are.
fn unescape(text: Text<'_>) -> Text<'_> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return text;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        bytes.extend_from_slice(&rest[..at]);
        if let [_, b'x', high, low, tail @ ..] = &rest[at..]
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            bytes.push(high << 4 | low);
            rest = tail;
        } else {
            bytes.push(b'\\');
            rest = &rest[at + 1..];
        }
    }
    bytes.extend_from_slice(rest);
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Makes JSON of a record that was written without `escape=json`: `\xHH` becomes the byte, escaped where JSON wants it.
/// `None` if it holds none.
pub(crate) fn repair_json(document: &str) -> Option<String> {
    let mut rest = document.as_bytes();
    memchr::memmem::find(rest, b"\\x")?;
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(at) = memchr::memmem::find(rest, b"\\x") {
        bytes.extend_from_slice(&rest[..at]);
        rest = &rest[at + 2..];
        let Some((Some(high), Some(low))) =
            rest.first_chunk::<2>().map(|[a, b]| (digit(*a), digit(*b)))
        else {
            bytes.extend_from_slice(b"\\x");
            continue;
        };
        match high << 4 | low {
            byte @ (0..0x20 | b'"' | b'\\') => {
                bytes.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            }
            byte => bytes.push(byte),
        }
        rest = &rest[2..];
    }
    bytes.extend_from_slice(rest);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn present(text: &str) -> Option<Text<'_>> {
    (!json::is_missing(text)).then_some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_user_name_cannot_pretend_to_be_the_rest_of_the_line() {
        let call = read_combined(
            r#"203.0.113.7 - x [01/Jan/2000:00:00:00 +0000] \x22GET / HTTP/1.1\x22 200 [22/Nov/2025:06:40:00 +0000] "GET /real HTTP/1.1" 401 0 "-" "-""#,
        )
        .unwrap();
        assert_eq!(call.target.as_deref(), Some("/real"));
        assert_eq!(call.status, Some(401));
    }

    #[test]
    fn malformed_requests_are_calls_without_a_path() {
        let call = read_combined(
            r#"203.0.113.7 - - [22/Nov/2025:06:40:00 +0000] "\x16\x03\x01" 400 166 "-" "-""#,
        )
        .unwrap();
        assert_eq!(
            (call.method, call.target, call.status),
            (None, None, Some(400))
        );
        let call =
            read_combined(r#"203.0.113.7 - - [22/Nov/2025:06:40:00 +0000] "" 408 0 "-" "-""#)
                .unwrap();
        assert_eq!(call.method, None);
    }

    #[test]
    fn apache_escapes_quotes_with_a_backslash() {
        let call = read_combined(
            r#"203.0.113.7 - - [22/Nov/2025:06:40:00 +0000] "GET /a HTTP/1.1" 200 1 "-" "a \"b\" c" "198.51.100.1""#,
        )
        .unwrap();
        assert_eq!(call.user_agent.as_deref(), Some(r#"a \"b\" c"#));
        assert_eq!(call.forwarded_for.as_deref(), Some("198.51.100.1"));
    }

    #[test]
    fn escaped_bytes_are_read() {
        assert_eq!(unescape("a\\x22b\\xC3\\xBC\\n\\x".into()), "a\"bü\\n\\x");
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "[ \\[\\]\"\\\\x0-9a-f/:-]{0,60}") {
            read_combined(&line);
        }
    }
}
