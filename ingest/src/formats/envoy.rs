//! Envoy: the default text format, JSON with the keys that operators usually choose, and Envoy Gateway's header-style keys.
//!
//! From Envoy's access log documentation. Traps: Envoy's text does not escape quotes, so a client can write some into its
//! own header; numbers are text unless the format is typed; status 0 means that the client went away; the route name
//! `default` names no route; there is no credential unless the operator logs a header or a claim.

use serde::de::MapAccess;
use tokenwatch_model::Text;

use crate::call::Call;
use crate::json::{self, Fields, Scalar};
use crate::names::CredentialNames;
use crate::time;

/// One JSON record.
pub(crate) struct Envoy<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    original_path: Option<Text<'a>>,
    direct_peer: Option<Text<'a>>,
}

impl<'n> Envoy<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            original_path: None,
            direct_peer: None,
        }
    }
}

impl<'a> From<Envoy<'_, 'a>> for Call<'a> {
    fn from(envoy: Envoy<'_, 'a>) -> Self {
        let Envoy {
            mut call,
            original_path,
            direct_peer,
            ..
        } = envoy;
        call.target = original_path.or(call.target);
        call.peer = call.peer.or(direct_peer);
        call.route = call.route.filter(|route| route != "default");
        call
    }
}

impl<'de> Fields<'de> for Envoy<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key.as_bytes() {
            b"start_time" | b"@timestamp" | b"timestamp" | b"time" => {
                call.time.set(&map.next_value::<Scalar<'_>>()?);
            }
            b"method" | b":method" => call.method = json::text(map)?,
            b"path" | b":path" => call.target = json::text(map)?,
            b"x-envoy-original-path" | b"x-envoy-origin-path" | b"x_envoy_original_path" => {
                self.original_path = json::text(map)?;
            }
            b"response_code" | b"status" => {
                call.status = map.next_value::<Scalar<'_>>()?.as_unsigned();
            }
            b"bytes_received" => call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"bytes_sent" => call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"duration" => call.latency_ms = map.next_value::<Scalar<'_>>()?.as_float(),
            b"x_forwarded_for" | b"x-forwarded-for" => call.forwarded_for = json::text(map)?,
            b"user_agent" | b"user-agent" => call.user_agent = json::text(map)?,
            b"request_id" | b"x-request-id" | b"x_request_id" => call.request_id = json::text(map)?,
            b"authority" | b":authority" | b"host" => call.host = json::text(map)?,
            b"route_name" => call.route = json::text(map)?,
            b"downstream_remote_address" | b"downstream_remote_address_without_port" => {
                call.peer = json::text(map)?;
            }
            b"downstream_direct_remote_address" => self.direct_peer = json::text(map)?,
            b"tls_version" | b"downstream_tls_version" => call.tls_version = json::text(map)?,
            b"ja4" | b"tls_ja4_fingerprint" | b"ja4_fingerprint" => call.ja4 = json::text(map)?,
            b"downstream_peer_subject" => call.credentials.consumer = json::text(map)?,
            _ => call.credential_field(self.names, key, map)?,
        }
        Ok(())
    }
}

/// Whether `document`, which begins with `[` or `{`, is a line of the text format.
pub(crate) fn is_text(document: &str) -> bool {
    matches!(document.as_bytes(), [b'[', b'0'..=b'9', ..])
}

/// Reads `[time] "METHOD path protocol" status flags received sent duration upstream "forwarded" "agent" "id" "host"
/// "upstream host"`.
pub(crate) fn read_text(line: &str) -> Option<Call<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] \"")?;
    // A path holds no blank, so no client can write this.
    let (request, rest) = rest.split_once("\" ")?;
    let mut call = Call::default();
    call.time.set(
        &time::read_text(time).map_or(Scalar::Text(time.into()), |at| {
            Scalar::Unsigned(at.as_micros() as u64)
        }),
    );
    let mut parts = request.split(' ');
    call.method = present(parts.next()?);
    call.target = parts.next().and_then(present);
    let (figures, quoted) = rest.split_once(" \"")?;
    let mut figures = figures.split(' ');
    call.status = figures.next()?.parse().ok();
    let _flags = figures.next()?;
    call.bytes_in = figures.next()?.parse().ok();
    call.bytes_out = figures.next()?.parse().ok();
    call.latency_ms = figures.next()?.parse().ok();
    read_quoted(&mut call, quoted);
    Some(call)
}

/// Reads the texts at the end from the right, because the two at the left may hold the client's own quotes. If they do,
/// where the one ends and the other begins cannot be known, and an address must not be believed.
fn read_quoted<'a>(call: &mut Call<'a>, quoted: &'a str) {
    let mut parts = quoted.trim_end().trim_end_matches('"').rsplitn(4, "\" \"");
    let _upstream_host = parts.next();
    call.host = parts.next().and_then(present);
    call.request_id = parts.next().and_then(present);
    let Some(client) = parts.next() else { return };
    match client.split_once("\" \"") {
        Some((forwarded, agent)) if !agent.contains("\" \"") => {
            call.forwarded_for = present(forwarded);
            call.user_agent = present(agent);
        }
        _ => call.user_agent = present(client),
    }
}

fn present(text: &str) -> Option<Text<'_>> {
    (!json::is_missing(text)).then_some(Text::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_a_client_header_do_not_move_its_address() {
        let call = read_text(
            r#"[2025-11-22T06:40:00.310Z] "GET / HTTP/2" 200 - 0 0 1 - "1.2.3.4" "x,203.0.113.7" "agent" "id" "host" "-""#,
        )
        .unwrap();
        assert_eq!(call.forwarded_for, None);
        assert_eq!(call.request_id.as_deref(), Some("id"));
        assert_eq!(call.host.as_deref(), Some("host"));
    }

    #[test]
    fn a_line_cut_anywhere_does_not_panic() {
        let line = r#"[2025-11-22T06:40:00.310Z] "POST /a HTTP/2" 401 UAEX 154 21 3 - "203.0.113.7" "a" "i" "h" "-""#;
        for end in 0..line.len() {
            read_text(&line[..end]);
        }
        assert!(read_text(line).is_some());
    }
}
