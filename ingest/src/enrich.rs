//! Turns what a record says into an access event: time, outcome, client, identity, and no secrets.
//!
//! The one step that all formats share, so that they agree on what a missing value, a client or a credential is.

use std::borrow::Cow;

use tokenwatch_model::{
    AccessEvent, Client, ConnectionTls, EventFlag, EventFlags, Format, Http, Origin, Outcome, Text,
    Timestamp, TokenUse,
};

use crate::address;
use crate::call::{Call, CallTime};
use crate::decoder_config::DecoderSettings;
use crate::geo::Geo;
use crate::identity::identify;
use crate::record::RawRecord;
use crate::reject::RejectReason;
use crate::scrub::{Cuts, Scrubber, TextKind, truncate};
use crate::token_key::TokenKey;

/// No access log is older: an earlier time is a broken one.
const EARLIEST: Timestamp = Timestamp::from_secs(946_684_800);
/// 2100-01-01, for records whose time of arrival is not known.
const LATEST: Timestamp = Timestamp::from_secs(4_102_444_800);
/// The longest method that is a method: `VERSION-CONTROL` has 15.
const METHOD_MAX_BYTES: usize = 20;

/// What every event of a decoder is made with.
#[derive(Debug)]
pub(crate) struct Enricher {
    /// Names, limits, proxies.
    pub(crate) settings: DecoderSettings,
    /// Makes ids of tokens.
    pub(crate) key: TokenKey,
    /// Knows where addresses are.
    pub(crate) geo: Geo,
}

impl Enricher {
    /// The event of one call, which happened at `ts`. What the call says is taken out of it, so that it need not be moved.
    pub(crate) fn event<'a>(
        &'a self,
        call: &mut Call<'a>,
        ts: Timestamp,
        format: Format,
        record: RawRecord<'a>,
        index: u32,
    ) -> AccessEvent<'a> {
        let mut flags = EventFlags::default();
        if call.is_plaintext && !call.is_forwarded_tls {
            flags.insert(EventFlag::InsecureTransport);
        }
        let in_target = match &call.target {
            Some(target) => call.credentials.query(&self.settings.names, target),
            None => false,
        };
        if in_target || call.has_token_in_url {
            flags.insert(EventFlag::TokenInUrl);
        }
        let token = identify(
            &self.key,
            format,
            &mut call.credentials,
            &self.settings.identity,
            &self.settings.jwt,
            ts,
        );
        let secrets = call.credentials.take_secrets();
        let scrubber = Scrubber::new(&self.settings.names, secrets.needles());
        let mut texts = Texts {
            scrubber,
            cuts: Cuts::default(),
        };

        let path = call.target.take().and_then(path_of);
        let path = texts.clean(path, TextKind::Path, self.settings.limits.path_bytes);
        if texts.cuts.credential {
            flags.insert(EventFlag::TokenInUrl);
        }
        AccessEvent {
            ts,
            format,
            token: token.map(|token| self.clean_token(token, &mut texts)),
            client: self.client(call, &mut texts),
            tls: call
                .tls_version
                .take()
                .and_then(|version| tls_version(&version))
                .map(|version| ConnectionTls {
                    version: Some(version),
                }),
            outcome: Outcome::of_status(call.status.and_then(|status| u16::try_from(status).ok())),
            request_id: texts.clean(
                call.request_id.take(),
                TextKind::Identifier,
                self.settings.limits.id_bytes,
            ),
            origin: Origin {
                gateway: texts.clean(
                    call.gateway.take(),
                    TextKind::Identifier,
                    self.settings.limits.name_bytes,
                ),
                topic: Some(Cow::Borrowed(&record.stream.topic)),
                partition: Some(record.stream.partition),
                offset: Some(record.offset),
                index,
            },
            http: self.http(call, path, &mut texts),
            // The last, when all texts have been looked at.
            flags: with_scrubbed(flags, texts.cuts),
        }
    }

    /// The time of a call, if it is one that can become an event.
    pub(crate) fn time_of(
        &self,
        call: &Call<'_>,
        record: RawRecord<'_>,
    ) -> Result<Timestamp, RejectReason> {
        if call.is_unsupported {
            return Err(RejectReason::UnsupportedRecord);
        }
        let ts = match call.time {
            CallTime::At(ts) => ts,
            CallTime::Missing => return Err(RejectReason::MissingTimestamp),
            CallTime::Unreadable => return Err(RejectReason::UnreadableTimestamp),
        };
        let latest = record
            .appended_at
            .map_or(LATEST, |appended| appended + self.settings.future_limit);
        if ts < EARLIEST || ts > latest {
            return Err(RejectReason::TimestampOutOfRange);
        }
        if call.status.is_none() && call.method.is_none() && call.target.is_none() {
            return Err(RejectReason::MissingRequiredField);
        }
        Ok(ts)
    }

    fn clean_token<'a>(&self, token: TokenUse<'a>, texts: &mut Texts<'_>) -> TokenUse<'a> {
        let limits = &self.settings.limits;
        let mut scopes = token.scopes;
        scopes.truncate(limits.scopes);
        TokenUse {
            credential_id: texts.clean(token.credential_id, TextKind::Identifier, limits.id_bytes),
            instance: texts.clean(token.instance, TextKind::Identifier, limits.id_bytes),
            consumer: texts.clean(token.consumer, TextKind::Identifier, limits.name_bytes),
            scopes: scopes
                .into_iter()
                .filter_map(|scope| {
                    texts.clean(Some(scope), TextKind::Identifier, limits.name_bytes)
                })
                .collect(),
            ..token
        }
    }

    fn client<'a>(&'a self, call: &mut Call<'a>, texts: &mut Texts<'_>) -> Client<'a> {
        let ip = address::client(
            call.peer.as_deref(),
            call.forwarded_for.as_deref(),
            &self.settings.trusted_proxies,
        );
        let place = ip.map(|ip| self.geo.place(ip)).unwrap_or_default();
        Client {
            ip,
            country: place.country,
            city: place.city.map(Cow::Borrowed),
            latitude: place.latitude,
            longitude: place.longitude,
            asn: place.asn,
            as_org: place.as_org.map(Cow::Borrowed),
            user_agent: texts.clean(
                call.user_agent.take(),
                TextKind::Prose,
                self.settings.limits.user_agent_bytes,
            ),
            ja4: texts.clean(
                call.ja4.take(),
                TextKind::Identifier,
                self.settings.limits.id_bytes,
            ),
        }
    }

    fn http<'a>(
        &self,
        call: &mut Call<'a>,
        path: Option<Text<'a>>,
        texts: &mut Texts<'_>,
    ) -> Http<'a> {
        let limits = &self.settings.limits;
        Http {
            method: call.method.take().and_then(method_of),
            host: texts.clean(
                call.host.take().map(without_port),
                TextKind::Path,
                limits.name_bytes,
            ),
            path,
            route: texts.clean(call.route.take(), TextKind::Path, limits.path_bytes),
            status: call
                .status
                .and_then(|status| u16::try_from(status).ok())
                .filter(|status| (100..=599).contains(status)),
            bytes_in: call.bytes_in,
            bytes_out: call.bytes_out,
            // Seconds times a thousand are not whole nanoseconds in binary.
            latency_ms: call.latency_ms.map(|latency| (latency * 1e6).round() / 1e6),
        }
    }
}

/// Scrubs and bounds the texts of one event.
struct Texts<'s> {
    scrubber: Scrubber<'s>,
    cuts: Cuts,
}

impl Texts<'_> {
    fn clean<'a>(
        &mut self,
        text: Option<Text<'a>>,
        kind: TextKind,
        limit_bytes: usize,
    ) -> Option<Text<'a>> {
        // What is unknown is absent: a host that was nothing but a port is none.
        let text = text.filter(|text| !text.is_empty())?;
        let text = self.scrubber.scrub(text, kind, &mut self.cuts);
        Some(if text.len() <= limit_bytes {
            text
        } else {
            bounded(text, limit_bytes)
        })
    }
}

/// The beginning of `text`, whole characters.
fn bounded(text: Text<'_>, limit_bytes: usize) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..text.floor_char_boundary(limit_bytes)]),
        Cow::Owned(mut text) => {
            truncate(&mut text, limit_bytes);
            Cow::Owned(text)
        }
    }
}

fn with_scrubbed(mut flags: EventFlags, cuts: Cuts) -> EventFlags {
    if cuts.any {
        flags.insert(EventFlag::Scrubbed);
    }
    flags
}

/// The path of a target: without scheme, host, query and fragment.
fn path_of(target: Text<'_>) -> Option<Text<'_>> {
    let scheme = match target.as_bytes() {
        [b'/', ..] => None,
        _ => target.find("://"),
    };
    let start = match scheme {
        Some(scheme) if !target[..scheme].contains(['?', '#']) => {
            let host = scheme + 3;
            host + target[host..].find(['/', '?', '#'])?
        }
        _ => 0,
    };
    let end = memchr::memchr2(b'?', b'#', &target.as_bytes()[start..])
        .map_or(target.len(), |at| start + at);
    if start == end {
        return None;
    }
    Some(match target {
        Cow::Borrowed(target) => Cow::Borrowed(&target[start..end]),
        Cow::Owned(target) => Cow::Owned(target[start..end].to_owned()),
    })
}

/// The method in upper case; what does not look like one is dropped, because a client may send anything there.
fn method_of(method: Text<'_>) -> Option<Text<'_>> {
    let is_method = (1..=METHOD_MAX_BYTES).contains(&method.len())
        && method
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    if !is_method {
        return None;
    }
    Some(if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Cow::Owned(method.to_ascii_uppercase())
    } else {
        method
    })
}

/// `api.example.com:8443` is the host `api.example.com`.
fn without_port(host: Text<'_>) -> Text<'_> {
    let Some((name, port)) = host.rsplit_once(':') else {
        return host;
    };
    if port.is_empty()
        || !port.bytes().all(|byte| byte.is_ascii_digit())
        || (name.contains(':') && !name.ends_with(']'))
    {
        return host;
    }
    let end = name.len();
    match host {
        Cow::Borrowed(host) => Cow::Borrowed(&host[..end]),
        Cow::Owned(host) => Cow::Owned(host[..end].to_owned()),
    }
}

/// `TLSv1.3`, `1.3` and Caddy's 772 are all 1.3.
fn tls_version(version: &str) -> Option<Text<'static>> {
    let number = version
        .strip_prefix("TLSv")
        .or_else(|| version.strip_prefix("TLS "))
        .unwrap_or(version);
    let name = match number {
        "1.3" | "772" => "1.3",
        "1.2" | "771" => "1.2",
        "1.1" | "770" => "1.1",
        "1" | "1.0" | "769" => "1.0",
        "SSLv3" | "768" => "SSLv3",
        _ => return None,
    };
    Some(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_path(target: &'static str, expected: Option<&str>) {
        assert_eq!(path_of(target.into()).as_deref(), expected, "{target}");
    }

    #[test]
    fn a_path_has_no_host_query_or_fragment() {
        check_path("/v1/orders?limit=10", Some("/v1/orders"));
        check_path("/v1/orders#top", Some("/v1/orders"));
        check_path("https://user:pass@api.example.com:8443/v1?x=y", Some("/v1"));
        check_path("https://api.example.com", None);
        check_path("https://api.example.com?key=x", None);
        check_path(
            "/redirect/https://other/x",
            Some("/redirect/https://other/x"),
        );
        check_path("?api_key=x", None);
        check_path("*", Some("*"));
    }

    #[test]
    fn what_is_no_method_is_dropped() {
        assert_eq!(method_of("get".into()).as_deref(), Some("GET"));
        assert_eq!(
            method_of("VERSION-CONTROL".into()).as_deref(),
            Some("VERSION-CONTROL")
        );
        assert_eq!(method_of("".into()), None);
        assert_eq!(method_of("sk_live_1".into()), None);
        assert_eq!(method_of("\u{16}\u{3}".into()), None);
    }

    #[test]
    fn a_host_has_no_port() {
        for (host, expected) in [
            ("a.b:80", "a.b"),
            ("a.b", "a.b"),
            ("[::1]:80", "[::1]"),
            ("::1", "::1"),
            ("a:", "a:"),
        ] {
            assert_eq!(without_port(host.into()), expected);
        }
    }

    #[test]
    fn tls_versions_have_one_spelling() {
        for (version, expected) in [
            ("TLSv1.3", Some("1.3")),
            ("772", Some("1.3")),
            ("TLSv1", Some("1.0")),
            ("x", None),
        ] {
            assert_eq!(tls_version(version).as_deref(), expected);
        }
    }
}
