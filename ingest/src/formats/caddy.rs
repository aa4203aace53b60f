//! Caddy 2: the structured access log.
//!
//! Fields from modules/caddyhttp/marshalers.go. Traps: `ts` is seconds as a float; header names are in canonical case and
//! their values lists; Cookie and Authorization are redacted, `X-Api-Key` is not; TLS versions are decimal (772 is 1.3);
//! before 2.5 there is `remote_addr` and no `client_ip`; status 0 means that nothing was sent.

use serde::de::MapAccess;
use tokenwatch_model::Text;

use super::headers::Headers;
use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};
use crate::names::CredentialNames;

/// One record.
pub(crate) struct Caddy<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    remote: Option<Text<'a>>,
    has_request: bool,
    has_tls: bool,
}

impl<'n> Caddy<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            remote: None,
            has_request: false,
            has_tls: false,
        }
    }
}

impl<'a> From<Caddy<'_, 'a>> for Call<'a> {
    fn from(caddy: Caddy<'_, 'a>) -> Self {
        let Caddy {
            mut call, remote, ..
        } = caddy;
        call.peer = call.peer.or(remote);
        call.is_plaintext = caddy.has_request && !caddy.has_tls;
        call
    }
}

impl<'de> Fields<'de> for Caddy<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key {
            "ts" => call.time.set(&map.next_value::<Scalar<'_>>()?),
            "request" => {
                self.has_request = true;
                map.next_value_seed(Object(&mut Request(self)))?;
            }
            "user_id" => call.credentials.consumer = json::text(map)?,
            "status" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "bytes_read" => call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "size" => call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "duration" => {
                call.latency_ms = map
                    .next_value::<Scalar<'_>>()?
                    .as_float()
                    .map(|seconds| seconds * 1e3);
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Request<'k, 'n, 'a>(&'k mut Caddy<'n, 'a>);

impl<'de> Fields<'de> for Request<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let caddy = &mut *self.0;
        let call = &mut caddy.call;
        match key {
            "client_ip" => call.peer = json::text(map)?,
            "remote_ip" | "remote_addr" => caddy.remote = json::text(map)?,
            "method" => call.method = json::text(map)?,
            "host" => call.host = json::text(map)?,
            "uri" => call.target = json::text(map)?,
            "headers" => map.next_value_seed(Object(&mut Headers {
                names: caddy.names,
                call,
            }))?,
            "tls" => map.next_value_seed(Object(&mut Tls(caddy)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Tls<'k, 'n, 'a>(&'k mut Caddy<'n, 'a>);

impl<'de> Fields<'de> for Tls<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.0.has_tls = true;
        if key != "version" {
            return json::skip(map);
        }
        self.0.call.tls_version = json::text(map)?;
        Ok(())
    }
}
