//! Cloudflare Logpush: the data set `http_requests`.
//!
//! Fields from "HTTP requests" of Cloudflare's log fields. Traps: the operator chooses the fields and the times' notation
//! (nanoseconds by default, seconds, RFC 3339; also as text); `none` as TLS version means that there was none; status 0 means
//! that no answer was sent. There is no credential unless the job has a custom field for a header or a cookie, or
//! clients have certificates.

use serde::de::MapAccess;
use tokenwatch_model::{Text, Timestamp};

use super::headers::Headers;
use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};
use crate::names::CredentialNames;
use crate::time;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// One record.
pub(crate) struct Cloudflare<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    path: Option<Text<'a>>,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    first_byte_ms: Option<f64>,
}

impl<'n> Cloudflare<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            path: None,
            began: None,
            ended: None,
            first_byte_ms: None,
        }
    }
}

impl<'a> From<Cloudflare<'_, 'a>> for Call<'a> {
    fn from(record: Cloudflare<'_, 'a>) -> Self {
        let Cloudflare {
            mut call,
            path,
            began,
            ended,
            first_byte_ms,
            ..
        } = record;
        call.target = call.target.or(path);
        call.latency_ms = duration_ms(began, ended).or(first_byte_ms);
        call
    }
}

impl<'de> Fields<'de> for Cloudflare<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key {
            "EdgeStartTimestamp" => {
                let value = map.next_value::<Scalar<'_>>()?;
                self.began = time::read(&value);
                call.time.set(&value);
            }
            "EdgeEndTimestamp" => self.ended = time::read(&map.next_value()?),
            "EdgeTimeToFirstByteMs" => {
                self.first_byte_ms = map.next_value::<Scalar<'_>>()?.as_float();
            }
            "RayID" => call.request_id = json::text(map)?,
            "EdgeColoCode" => call.gateway = json::text(map)?,
            "ClientIP" => call.peer = json::text(map)?,
            "ClientRequestMethod" => call.method = json::text(map)?,
            "ClientRequestHost" => call.host = json::text(map)?,
            "ClientRequestURI" => call.target = json::text(map)?,
            "ClientRequestPath" => self.path = json::text(map)?,
            "ClientRequestUserAgent" => call.user_agent = json::text(map)?,
            "ClientRequestBytes" => call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "EdgeResponseBytes" => call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "EdgeResponseStatus" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "JA4" => call.ja4 = json::text(map)?,
            "ClientSSLProtocol" => match map.next_value::<Scalar<'_>>()? {
                Scalar::Text(none) if none == "none" => call.is_plaintext = true,
                version => call.tls_version = version.into_text(),
            },
            "ClientMTLSAuthCertFingerprint" => {
                call.credentials.credential_id = json::text(map)?;
            }
            "RequestHeaders" => map.next_value_seed(Object(&mut Headers {
                names: self.names,
                call,
            }))?,
            "Cookies" => map.next_value_seed(Object(&mut Cookies(self)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// The cookies that the job logs, by their names.
struct Cookies<'c, 'n, 'a>(&'c mut Cloudflare<'n, 'a>);

impl<'de> Fields<'de> for Cookies<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let Some(value) = json::text(map)? else {
            return Ok(());
        };
        let credentials = &mut self.0.call.credentials;
        if self.0.names.is_session_cookie(key) {
            credentials.session(value);
        } else {
            credentials.other(value);
        }
        Ok(())
    }
}

/// Milliseconds from the one to the other, unless both are whole seconds, as they are in two of three notations.
fn duration_ms(began: Option<Timestamp>, ended: Option<Timestamp>) -> Option<f64> {
    let (began, ended) = (began?.as_micros(), ended?.as_micros());
    let is_whole = |micros: i64| micros % MICROS_PER_SECOND == 0;
    (ended >= began && !(is_whole(began) && is_whole(ended))).then(|| (ended - began) as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_measure_nothing() {
        let at = |text: &str| time::read_text(text);
        assert_eq!(
            duration_ms(at("1763793600123000000"), at("1763793600157000000")),
            Some(34.0)
        );
        assert_eq!(duration_ms(at("1763793600"), at("1763793601")), None);
        assert_eq!(duration_ms(at("1763793601.5"), at("1763793600")), None);
        assert_eq!(duration_ms(None, at("1763793600")), None);
    }
}
