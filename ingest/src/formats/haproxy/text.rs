//! `option httplog` and `option httpslog`.
//!
//! Everything that a client sends stands in captures or in the request, where HAProxy writes `"`, `{`, `}` and `|` as `#XX`, so
//! no client can end them. Captures have no names; what they are is told by their looks.

use tokenwatch_model::Text;

use super::present;
use crate::call::Call;
use crate::formats::nginx;
use crate::json::Scalar;
use crate::names::CredentialNames;
use crate::scrub::shapes;

/// A request that HAProxy could not read.
pub(super) const BAD_REQUEST: &str = "<BADREQ>";
/// `22/Nov/2025:06:40:00.123`
const DATE_BYTES: usize = 24;

/// Whether `line` is one of HAProxy's: an address, and a time with milliseconds in brackets.
pub(crate) fn is_text(line: &str) -> bool {
    split_date(line).is_some()
}

/// Reads `address [time] frontend~ backend/server timers status bytes cookie cookie state counts queues {captures}
/// {captures} "request"`, with `option httpslog` also ` errors sni/version/cipher`; with `option httplog clf` the combined
/// format.
pub(crate) fn read_text<'a>(line: &'a str, names: &CredentialNames) -> Option<Call<'a>> {
    let Some((address, date, rest)) = split_date(line) else {
        return nginx::read_combined(line);
    };
    let mut call = Call::default();
    call.time.set(&Scalar::Text(date.into()));
    call.peer = present(address);
    let mut words = rest.splitn(11, ' ');
    let frontend = words.next()?;
    let (_backend, timers) = (words.next()?, words.next()?);
    if frontend.ends_with(':') || timers.split('/').count() != 5 {
        // A connection that carried no request: a failed handshake, or TCP.
        call.is_unsupported = true;
        return Some(call);
    }
    call.is_plaintext = !frontend.ends_with('~');
    call.latency_ms = timers.rsplit('/').next()?.parse().ok();
    call.latency_ms = call.latency_ms.filter(|millis| *millis >= 0.0);
    call.status = words.next()?.parse().ok();
    call.bytes_out = words.next()?.parse().ok();
    for cookie in [words.next()?, words.next()?] {
        if let Some(cookie) = present(cookie) {
            call.credentials.cookies(names, &cookie);
        }
    }
    let (state, _counts, _queues) = (words.next()?, words.next()?, words.next()?);
    if is_abandoned(state) {
        call.status = None;
    }
    let request = read_captures(&mut call, names, words.next()?);
    let (request, rest) = request.strip_prefix('"').map(|request| {
        // A line longer than HAProxy's limit ends within the request.
        request.split_once('"').unwrap_or((request, ""))
    })?;
    if request != BAD_REQUEST {
        (call.method, call.target) = split_request(&unescape(request.into()));
    }
    if let Some((server_name, rest)) = rest.rsplit(' ').next().and_then(|tls| tls.split_once('/')) {
        call.tls_version = rest
            .split_once('/')
            .and_then(|(version, _)| present(version));
        call.host = call.host.or(present(server_name));
    }
    Some(call)
}

/// Whether the client left before a server answered, by the state at termination: `C` for the client, and where the call was.
/// The status beside it is one that HAProxy had no one to send to.
pub(super) fn is_abandoned(state: &str) -> bool {
    matches!(state.as_bytes(), [b'C', b'C' | b'H' | b'Q', ..])
}

/// The address, the time, and what follows.
fn split_date(line: &str) -> Option<(&str, &str, &str)> {
    let (address, rest) = line.split_once(" [")?;
    let date = rest.get(..DATE_BYTES)?;
    let is_date = date.as_bytes()[20] == b'.' && date.as_bytes()[2] == b'/';
    let rest = rest[DATE_BYTES..].strip_prefix("] ")?;
    (is_date && !address.contains(' ')).then_some((address, date, rest))
}

/// Reads the captures of the request, and skips those of the response; returns what follows.
fn read_captures<'a>(call: &mut Call<'a>, names: &CredentialNames, text: &'a str) -> &'a str {
    let Some((captures, mut rest)) = text
        .strip_prefix('{')
        .and_then(|text| text.split_once("} "))
    else {
        return text;
    };
    for capture in captures.split('|').filter_map(present) {
        take_capture(call, names, unescape(capture));
    }
    if let Some((_, request)) = rest
        .strip_prefix('{')
        .and_then(|rest| rest.split_once("} "))
    {
        rest = request;
    }
    rest
}

/// A capture by its looks: a credential, `name/version` as user agents begin, or a host. Anything else is not kept.
fn take_capture<'a>(call: &mut Call<'a>, names: &CredentialNames, capture: Text<'a>) {
    let scheme = capture.split(' ').next().unwrap_or_default();
    let is_scheme = ["bearer", "basic", "apikey", "token", "aws4-hmac-sha256"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    if is_scheme && scheme.len() < capture.len() {
        call.credentials.header(names, "authorization", capture);
    } else if shapes::is_key(&capture) {
        call.credentials.key(capture);
    } else if call.host.is_none() && is_host(&capture) {
        call.host = Some(capture);
    } else if call.user_agent.is_none() && is_agent(&capture) {
        call.user_agent = Some(capture);
    }
}

/// `name/1.2 …`
fn is_agent(text: &str) -> bool {
    text.split_once('/').is_some_and(|(name, version)| {
        !name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit())
    })
}

fn is_host(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    text.contains(['.', ':']) && text.bytes().all(is_name)
}

/// `GET /path HTTP/1.1`; a long one may be cut.
pub(super) fn split_request<'a>(request: &Text<'a>) -> (Option<Text<'a>>, Option<Text<'a>>) {
    let part = |range: std::ops::Range<usize>| match request {
        Text::Borrowed(request) => Text::Borrowed(&request[range]),
        Text::Owned(request) => Text::Owned(request[range].to_owned()),
    };
    let Some(method) = request.find(' ') else {
        return (None, None);
    };
    let end = request.rfind(" HTTP/").filter(|end| *end > method);
    let end = end.unwrap_or(request.len());
    (Some(part(0..method)), Some(part(method + 1..end)))
}

/// HAProxy's `#XX` as the bytes they are.
pub(super) fn unescape(text: Text<'_>) -> Text<'_> {
    if memchr::memchr(b'#', text.as_bytes()).is_none() {
        return text;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr(b'#', rest) {
        bytes.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        match rest {
            [high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
                bytes.push(digit(*high) << 4 | digit(*low));
                rest = tail;
            }
            _ => bytes.push(b'#'),
        }
    }
    bytes.extend_from_slice(rest);
    Text::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"203.0.113.7:51244 [22/Nov/2025:06:40:00.123] https-in~ orders/srv1 0/0/1/31/34 200 1873 - - ---- 12/10/3/1/0 0/0 {api.example.com|acme-sdk/2.1|Bearer abc} {text/plain} "GET /a#22b?x=1 HTTP/1.1" 0/0/0/0/0 -/TLSv1.3/TLS_AES"#;

    fn read(line: &str) -> Option<Call<'_>> {
        read_text(line, &CredentialNames::default())
    }

    #[test]
    fn captures_are_told_by_their_looks() {
        let call = read(LINE).unwrap();
        assert_eq!(call.host.as_deref(), Some("api.example.com"));
        assert_eq!(call.user_agent.as_deref(), Some("acme-sdk/2.1"));
        assert_eq!(call.credentials.token().unwrap().0, "abc");
        assert_eq!(call.target.as_deref(), Some("/a\"b?x=1"));
        assert_eq!(call.tls_version.as_deref(), Some("TLSv1.3"));
        assert_eq!(call.latency_ms, Some(34.0));
        assert!(!call.is_plaintext);
    }

    #[test]
    fn what_is_no_request_is_no_call() {
        for line in [
            "127.0.0.1:1 [22/Nov/2025:06:40:00.123] tcp torders/srv1 1/0/0 69 -- 1/1/0/0/0 0/0",
            "127.0.0.1:1 [22/Nov/2025:06:40:00.123] tls/1: SSL handshake failure",
        ] {
            assert!(read(line).unwrap().is_unsupported, "{line}");
        }
    }

    #[test]
    fn the_combined_format_is_read_too() {
        let call = read(
            r#"127.0.0.1 - - [22/Nov/2026:11:44:21 +0000] "GET /v1/orders HTTP/1.1" 200 76 "" "" 35190 207 "clf" "orders" "srv1" 0 0 0 0 0 ---- 4 1 0 0 0 0 0 "" "" "#,
        );
        assert_eq!(call.unwrap().target.as_deref(), Some("/v1/orders"));
    }

    #[test]
    fn a_long_request_may_be_cut() {
        let call = read(&LINE[..LINE.find("?x=1").unwrap()]).unwrap();
        assert_eq!(call.target.as_deref(), Some("/a\"b"));
    }

    #[test]
    fn a_line_cut_anywhere_does_not_panic() {
        for end in 0..LINE.len() {
            read(&LINE[..end]);
        }
    }

    #[test]
    fn escapes_are_the_bytes_they_are() {
        for (text, expected) in [
            ("a#22b", "a\"b"),
            ("#C3#BC", "ü"),
            ("#", "#"),
            ("#2", "#2"),
            ("#zz#", "#zz#"),
        ] {
            assert_eq!(unescape(text.into()), expected, "{text}");
        }
    }
}
