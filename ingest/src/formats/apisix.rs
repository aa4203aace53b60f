//! Apache APISIX: kafka-logger, http-logger, file-logger and the other loggers, which all write the same object or, with a
//! `log_format`, one that the operator chose.
//!
//! Fields from apisix/utils/log-util.lua (3.11). Traps: with `batch_max_size` over 1, the default, one message is a list;
//! `start_time` is milliseconds, often a float; an empty Lua table is `[]`, a repeated header a list, a parameter without a
//! value `true`; all headers are there, keys among them; `X-Credential-Identifier` is APISIX's own only since 3.11 and only
//! after authentication, before that it is the client's; `service_id` of a call without a route is the host; a
//! `log_format` has no milliseconds; `meta_format = "origin"` has no time at all and cannot be read.

use serde::de::MapAccess;
use tokenwatch_model::Text;

use super::headers::Headers;
use super::nginx::Nginx;
use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};
use crate::names::CredentialNames;

/// The first version that sets `X-Credential-Identifier` itself.
const CREDENTIALS_SINCE: (u32, u32) = (3, 11);

/// One record.
pub(crate) struct Apisix<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    /// A `log_format` has nginx's variables, under the names that people give them.
    chosen: Nginx<'n, 'a>,
    is_full: bool,
    is_http: bool,
    consumer: Option<Text<'a>>,
    credential: Option<Text<'a>>,
    names_credentials: bool,
}

impl<'n> Apisix<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            chosen: Nginx::new(names),
            is_full: false,
            is_http: false,
            consumer: None,
            credential: None,
            names_credentials: false,
        }
    }
}

impl<'a> From<Apisix<'_, 'a>> for Call<'a> {
    fn from(apisix: Apisix<'_, 'a>) -> Self {
        let Apisix { call: full, .. } = apisix;
        let mut call = if apisix.is_full {
            full
        } else {
            let mut call = Call::from(apisix.chosen);
            call.peer = full.peer.or(call.peer);
            call.route = full.route.or(call.route);
            call
        };
        call.is_plaintext |= apisix.is_http;
        if apisix.consumer.is_some() {
            call.credentials.consumer = apisix.consumer;
            if apisix.names_credentials {
                call.credentials.credential_id = apisix.credential;
            }
        }
        call
    }
}

impl<'de> Fields<'de> for Apisix<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "request" => map.next_value_seed(Object(&mut Request(self)))?,
            "response" => map.next_value_seed(Object(&mut Response(&mut self.call)))?,
            "consumer" => map.next_value_seed(Object(&mut Consumer(&mut self.consumer)))?,
            "consumer_name" => self.consumer = json::text(map)?,
            "server" => map.next_value_seed(Object(&mut Server(self)))?,
            "client_ip" => self.call.peer = json::text(map)?,
            "start_time" => self.call.time.set(&map.next_value::<Scalar<'_>>()?),
            "latency" => self.call.latency_ms = map.next_value::<Scalar<'_>>()?.as_float(),
            "route_id" => {
                let id = json::text(map)?;
                self.call.route = self.call.route.take().or(id);
            }
            "route_name" => {
                let name = json::text(map)?;
                self.call.route = name.or(self.call.route.take());
            }
            _ => self.chosen.field(key, map)?,
        }
        Ok(())
    }
}

struct Request<'k, 'n, 'a>(&'k mut Apisix<'n, 'a>);

impl<'de> Fields<'de> for Request<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let apisix = &mut *self.0;
        apisix.is_full = true;
        match key {
            "method" => apisix.call.method = json::text(map)?,
            "uri" => apisix.call.target = json::text(map)?,
            "url" => {
                apisix.is_http = json::text(map)?.is_some_and(|url| url.starts_with("http://"));
            }
            "size" => apisix.call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "headers" => map.next_value_seed(Object(&mut RequestHeaders(apisix)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct RequestHeaders<'k, 'n, 'a>(&'k mut Apisix<'n, 'a>);

impl<'de> Fields<'de> for RequestHeaders<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let apisix = &mut *self.0;
        if key.eq_ignore_ascii_case("x-credential-identifier") {
            apisix.credential = json::text(map)?;
            return Ok(());
        }
        let (names, call) = (apisix.names, &mut apisix.call);
        Headers { names, call }.field(key, map)
    }
}

struct Response<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for Response<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "status" => self.0.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "size" => self.0.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Consumer<'c, 'a>(&'c mut Option<Text<'a>>);

impl<'de> Fields<'de> for Consumer<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "username" {
            return json::skip(map);
        }
        *self.0 = json::text(map)?;
        Ok(())
    }
}

struct Server<'k, 'n, 'a>(&'k mut Apisix<'n, 'a>);

impl<'de> Fields<'de> for Server<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "hostname" => self.0.call.gateway = json::text(map)?,
            "version" => {
                self.0.names_credentials =
                    json::text(map)?.is_some_and(|version| is_since(&version, CREDENTIALS_SINCE));
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// Whether `version` (`3.11.0`) is `since` or later.
fn is_since(version: &str, since: (u32, u32)) -> bool {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= since,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for version in ["3.11.0", "3.12", "4.0.0", "3.100.1"] {
            assert!(is_since(version, CREDENTIALS_SINCE), "{version}");
        }
        for version in ["3.9.1", "2.15.3", "", "3", "x.y"] {
            assert!(!is_since(version, CREDENTIALS_SINCE), "{version}");
        }
    }
}
