//! Kong: file-log, http-log, tcp-log, udp-log and kafka-log, which all write `kong.log.serialize`.
//!
//! Fields from kong/pdk/log.lua (3.9). Traps: `started_at` is in milliseconds but other writers of the same shape use
//! seconds; an empty Lua table is `[]`; `consumer_id` may be an object; only `authorization` is redacted, so `apikey`
//! headers and parameters arrive raw; a record with `session` instead of `request` is a TCP stream.

use std::borrow::Cow;

use serde::de::MapAccess;
use tokenwatch_model::Text;

use super::headers::Headers;
use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};
use crate::names::CredentialNames;

/// One record.
pub(crate) struct Kong<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    consumer: Consumer<'a>,
    has_request: bool,
    has_session: bool,
    has_tls: bool,
    is_http: bool,
}

/// The names of a consumer, the best for people first.
#[derive(Default)]
struct Consumer<'a> {
    username: Option<Text<'a>>,
    custom_id: Option<Text<'a>>,
    id: Option<Text<'a>>,
}

impl<'n> Kong<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            consumer: Consumer::default(),
            has_request: false,
            has_session: false,
            has_tls: false,
            is_http: false,
        }
    }
}

impl<'a> From<Kong<'_, 'a>> for Call<'a> {
    fn from(kong: Kong<'_, 'a>) -> Self {
        let Kong {
            mut call, consumer, ..
        } = kong;
        call.credentials.consumer = consumer.username.or(consumer.custom_id).or(consumer.id);
        call.is_plaintext = kong.is_http && !kong.has_tls;
        call.is_unsupported = kong.has_session && !kong.has_request;
        call
    }
}

impl<'de> Fields<'de> for Kong<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key.as_bytes() {
            b"request" => {
                self.has_request = true;
                map.next_value_seed(Object(&mut Request(self)))?;
            }
            b"response" => map.next_value_seed(Object(&mut Response(&mut self.call)))?,
            b"latencies" => map.next_value_seed(Object(&mut Latencies(&mut self.call)))?,
            b"authenticated_entity" => map.next_value_seed(Object(&mut Entity(self)))?,
            b"consumer" => map.next_value_seed(Object(&mut self.consumer))?,
            b"route" => map.next_value_seed(Object(&mut Route(&mut self.call)))?,
            b"client_ip" => self.call.peer = json::text(map)?,
            b"started_at" => self.call.time.set(&map.next_value::<Scalar<'_>>()?),
            b"session" => {
                self.has_session = true;
                json::skip(map)?;
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Request<'k, 'n, 'a>(&'k mut Kong<'n, 'a>);

impl<'de> Fields<'de> for Request<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let kong = &mut *self.0;
        match key.as_bytes() {
            b"method" => kong.call.method = json::text(map)?,
            b"uri" => kong.call.target = json::text(map)?,
            b"url" => kong.is_http = json::text(map)?.is_some_and(|url| url.starts_with("http://")),
            b"size" => kong.call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"id" => kong.call.request_id = json::text(map)?,
            b"headers" => {
                map.next_value_seed(Object(&mut Headers {
                    names: kong.names,
                    call: &mut kong.call,
                }))?;
            }
            b"tls" => map.next_value_seed(Object(&mut Tls(kong)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Tls<'k, 'n, 'a>(&'k mut Kong<'n, 'a>);

impl<'de> Fields<'de> for Tls<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "version" {
            return json::skip(map);
        }
        self.0.call.tls_version = json::text(map)?;
        self.0.has_tls = self.0.call.tls_version.is_some();
        Ok(())
    }
}

struct Response<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for Response<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key.as_bytes() {
            b"status" => self.0.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"size" => self.0.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Latencies<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for Latencies<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "request" {
            return json::skip(map);
        }
        self.0.latency_ms = map.next_value::<Scalar<'_>>()?.as_float();
        Ok(())
    }
}

/// Whoever was authenticated: `id` names the credential, without being it.
struct Entity<'k, 'n, 'a>(&'k mut Kong<'n, 'a>);

impl<'de> Fields<'de> for Entity<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key.as_bytes() {
            b"id" => self.0.call.credentials.credential_id = json::text(map)?,
            b"consumer_id" => map.next_value_seed(Object(&mut ConsumerId(&mut self.0.consumer)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// The consumer's id, as text or as `{"uuid": …}`; the consumer itself knows better.
struct ConsumerId<'c, 'a>(&'c mut Consumer<'a>);

impl<'de> Fields<'de> for ConsumerId<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "uuid" && key != "id" {
            return json::skip(map);
        }
        let id = json::text(map)?;
        self.0.id = self.0.id.take().or(id);
        Ok(())
    }

    fn text(&mut self, id: Cow<'de, str>) {
        if self.0.id.is_none() && !json::is_missing(&id) {
            self.0.id = Some(id);
        }
    }
}

impl<'de> Fields<'de> for Consumer<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key.as_bytes() {
            b"username" => self.username = json::text(map)?,
            b"custom_id" => self.custom_id = json::text(map)?,
            b"id" => self.id = json::text(map)?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// The route's name; its id where it has none.
struct Route<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for Route<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key.as_bytes() {
            b"name" => {
                let name = json::text(map)?;
                self.0.route = name.or(self.0.route.take());
            }
            b"id" => {
                let id = json::text(map)?;
                self.0.route = self.0.route.take().or(id);
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}
