//! Traefik 2 and 3: the JSON access log, and the text format `common`, which is its default.
//!
//! Keys from pkg/middlewares/accesslog/logdata.go (3.7), which any of may be dropped by the operator. Traps: durations are
//! nanoseconds; `ClientHost` is not the peer but whatever X-Forwarded-For says, if there is one; `ServiceURL` is an object in
//! version 2; headers are `request_<Name>` and absent unless configured, the user agent too; `ClientUsername` is also who
//! failed to log in; older text formats write `-` as the status where Traefik itself answered; the text format escapes no
//! quotes, so a line that can be read in two ways is refused.

use serde::de::MapAccess;
use tokenwatch_model::Text;

use super::headers::Headers;
use crate::call::Call;
use crate::json::{self, Fields, Scalar};
use crate::names::CredentialNames;

const NANOS_PER_MILLI: f64 = 1e6;

/// One JSON record. Where two keys tell the same, the better one wins whichever stands first.
pub(crate) struct Traefik<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    time_rank: TimeRank,
    client_host: Option<Text<'a>>,
    request_addr: Option<Text<'a>>,
    certificate_subject: Option<Text<'a>>,
    origin_status: Option<u64>,
}

/// Which of the times was seen: that of writing is seconds, and after the call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TimeRank {
    Written,
    StartLocal,
    StartUtc,
}

impl<'n> Traefik<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            time_rank: TimeRank::Written,
            client_host: None,
            request_addr: None,
            certificate_subject: None,
            origin_status: None,
        }
    }
}

impl<'a> From<Traefik<'_, 'a>> for Call<'a> {
    fn from(traefik: Traefik<'_, 'a>) -> Self {
        let mut call = traefik.call;
        call.host = traefik.request_addr.or(call.host);
        call.status = call.status.or(traefik.origin_status);
        call.forwarded_for = call.forwarded_for.or(traefik.client_host);
        let credentials = &mut call.credentials;
        credentials.consumer = credentials.consumer.take().or(traefik.certificate_subject);
        call
    }
}

impl<'de> Fields<'de> for Traefik<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key {
            "StartUTC" => self.time(TimeRank::StartUtc, &map.next_value::<Scalar<'_>>()?),
            "StartLocal" => self.time(TimeRank::StartLocal, &map.next_value::<Scalar<'_>>()?),
            "time" => self.time(TimeRank::Written, &map.next_value::<Scalar<'_>>()?),
            "Duration" => {
                let nanos = map.next_value::<Scalar<'_>>()?.as_float();
                call.latency_ms = nanos.map(|nanos| nanos / NANOS_PER_MILLI);
            }
            "ClientAddr" => call.peer = json::text(map)?,
            "ClientHost" => self.client_host = json::text(map)?,
            "ClientUsername" => call.credentials.consumer = json::text(map)?,
            "TLSClientSubject" => self.certificate_subject = json::text(map)?,
            "RequestMethod" => call.method = json::text(map)?,
            "RequestPath" => call.target = json::text(map)?,
            "RequestHost" => call.host = json::text(map)?,
            "RequestAddr" => self.request_addr = json::text(map)?,
            "RequestScheme" => call.is_plaintext = json::text(map)?.as_deref() == Some("http"),
            "RequestContentSize" => call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "DownstreamStatus" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "OriginStatus" => self.origin_status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "DownstreamContentSize" => {
                call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned();
            }
            "RouterName" => call.route = json::text(map)?,
            "TLSVersion" => call.tls_version = json::text(map)?,
            _ => match key.strip_prefix("request_") {
                Some(name) => {
                    let names = self.names;
                    Headers { names, call }.field(name, map)?;
                }
                None => json::skip(map)?,
            },
        }
        Ok(())
    }
}

impl Traefik<'_, '_> {
    fn time(&mut self, rank: TimeRank, time: &Scalar<'_>) {
        if rank >= self.time_rank {
            self.call.time.set(time);
            self.time_rank = rank;
        }
    }
}

/// Whether a line is in Traefik's own text format: what it ends with no client can write.
pub(crate) fn is_text(line: &str) -> bool {
    line.strip_suffix("ms")
        .and_then(|line| line.rsplit_once("\" "))
        .is_some_and(|(_, millis)| is_number(millis))
}

/// Reads `host - user [time] "METHOD path protocol" status size "referer" "agent" count "router" "url" 34ms`.
pub(crate) fn read_text(line: &str) -> Option<Call<'_>> {
    let (line, millis) = line.strip_suffix("ms")?.rsplit_once(' ')?;
    let (line, _service_url) = last_quoted(line)?;
    let (line, router) = last_quoted(line)?;
    let (line, _count) = line.rsplit_once(' ')?;
    let (who, answer) = split_at_protocol(line)?;
    // A path holds no blank, and a method neither blank nor quote.
    let (who, target) = who.rsplit_once(' ')?;
    let (who, method) = who.rsplit_once(" \"")?;
    let (who, time) = who.strip_suffix(']')?.rsplit_once(" [")?;
    let (host, user) = who.split_once(" - ")?;
    let mut answer = answer.splitn(3, ' ');

    let mut call = Call::default();
    call.time.set(&Scalar::Text(time.into()));
    call.forwarded_for = present(host);
    call.credentials.consumer = present(user);
    call.method = present(method);
    call.target = present(target);
    call.status = answer.next()?.parse().ok();
    call.bytes_out = answer.next()?.parse().ok();
    call.user_agent = answer.next().and_then(agent);
    call.route = present(router);
    call.latency_ms = millis.parse().ok();
    Some(call)
}

/// The line before and after ` HTTP/1.1" `, which ends the request. A user's name and a user agent may hold the same, and
/// then nobody can tell which is the request.
fn split_at_protocol(line: &str) -> Option<(&str, &str)> {
    let mut splits = line.match_indices(" HTTP/").filter_map(|(at, protocol)| {
        let (version, answer) = line[at + protocol.len()..].split_once("\" ")?;
        let is_version = version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_version.then_some((&line[..at], answer))
    });
    splits.next().filter(|_| splits.next().is_none())
}

/// The agent of `"referer" "agent"`, unless quotes in them leave it open where it begins.
fn agent(texts: &str) -> Option<Text<'_>> {
    let (_referer, agent) = texts
        .strip_prefix('"')?
        .strip_suffix('"')?
        .split_once("\" \"")?;
    present(agent).filter(|agent| !agent.contains("\" \""))
}

/// Cuts ` "text"` off the end; Traefik's own names hold no quotes.
fn last_quoted(line: &str) -> Option<(&str, &str)> {
    line.strip_suffix('"')?.rsplit_once(" \"")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn present(text: &str) -> Option<Text<'_>> {
    (!json::is_missing(text)).then_some(Text::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"203.0.113.7 - acme [22/Nov/2025:06:40:00 +0000] "GET /v1/orders?limit=10 HTTP/2.0" 200 1873 "-" "acme-sdk/2.1" 190 "orders@docker" "http://10.0.3.7:8080" 34ms"#;

    #[test]
    fn a_line_is_read_from_both_ends() {
        let call = read_text(LINE).unwrap();
        assert_eq!(call.forwarded_for.as_deref(), Some("203.0.113.7"));
        assert_eq!(call.credentials.consumer.as_deref(), Some("acme"));
        assert_eq!(call.target.as_deref(), Some("/v1/orders?limit=10"));
        assert_eq!(call.user_agent.as_deref(), Some("acme-sdk/2.1"));
        assert_eq!(call.route.as_deref(), Some("orders@docker"));
        assert_eq!((call.status, call.latency_ms), (Some(200), Some(34.0)));
        assert!(is_text(LINE));
    }

    #[test]
    fn a_name_that_pretends_to_be_a_request_makes_no_call() {
        let forged =
            r#"acme [22/Nov/2025:06:40:00 +0000] "GET /fake HTTP/1.1" 200 5 "-" "-" 1 "r" "u" 1ms"#;
        assert!(read_text(&LINE.replace("acme", forged)).is_none());
        assert!(read_text(&LINE.replace("acme-sdk/2.1", forged)).is_none());
    }

    #[test]
    fn quotes_in_an_agent_leave_it_out() {
        let line = LINE.replace("acme-sdk/2.1", r#"a" "b"#);
        let call = read_text(&line).unwrap();
        assert_eq!(call.user_agent, None);
        assert_eq!(call.status, Some(200));
    }

    #[test]
    fn a_line_cut_anywhere_does_not_panic() {
        for end in 0..LINE.len() {
            assert!(read_text(&LINE[..end]).is_none(), "{}", &LINE[..end]);
        }
    }
}
