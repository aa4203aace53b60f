//! Tyk: what Tyk Pump sends to Kafka, and the analytics record that its other pumps write.
//!
//! Keys from pumps/kafka.go and analytics/analytics.go (tyk-pump 1.9). Traps: `api_key` is the key itself where `hash_keys` is
//! off, its hash where it is on, `00000000` for a call without one, and `****` with four last characters where the pump
//! obfuscates, which names no key; an OAuth token is replaced all the time, its client (`oauth_id`) is not; `raw_request` is
//! the whole request in base64, Authorization included, and is never looked at; `path` may be shortened to what is tracked.

use serde::de::MapAccess;
use tokenwatch_model::{Text, TokenKind};

use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};

/// One record.
#[derive(Default)]
pub(crate) struct Tyk<'a> {
    call: Call<'a>,
    raw_path: Option<Text<'a>>,
    api_key: Option<Text<'a>>,
}

impl<'a> From<Tyk<'a>> for Call<'a> {
    fn from(tyk: Tyk<'a>) -> Self {
        let mut call = tyk.call;
        call.target = tyk.raw_path.or(call.target);
        if call.credentials.grant.client.is_some() {
            call.credentials.kind = Some(TokenKind::Session);
        }
        if let Some(key) = tyk.api_key.filter(|key| is_key(key)) {
            call.credentials.key(key);
        }
        call
    }
}

/// Whether it tells one key from another.
fn is_key(text: &str) -> bool {
    !text.starts_with("****") && !text.bytes().all(|byte| byte == b'0')
}

impl<'de> Fields<'de> for Tyk<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key {
            "timestamp" => call.time.set(&map.next_value::<Scalar<'_>>()?),
            "method" => call.method = json::text(map)?,
            "path" => call.target = json::text(map)?,
            "raw_path" => self.raw_path = json::text(map)?,
            "host" => call.host = json::text(map)?,
            "response_code" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "request_time_ms" | "request_time" => {
                call.latency_ms = map.next_value::<Scalar<'_>>()?.as_float();
            }
            "content_length" => {
                let length = map.next_value::<Scalar<'_>>()?.as_unsigned();
                call.bytes_in = call.bytes_in.or(length);
            }
            "network" => map.next_value_seed(Object(&mut Network(call)))?,
            "ip_address" => call.peer = json::text(map)?,
            "user_agent" => call.user_agent = json::text(map)?,
            "api_key" => self.api_key = json::text(map)?,
            "oauth_id" => call.credentials.grant.client = json::text(map)?,
            "alias" => call.credentials.consumer = json::text(map)?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// What went over the wire, headers included; zero where nobody counted.
struct Network<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for Network<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let field = match key {
            "bytes_in" => &mut self.0.bytes_in,
            "bytes_out" => &mut self.0.bytes_out,
            _ => return json::skip(map),
        };
        let bytes = map.next_value::<Scalar<'_>>()?.as_unsigned();
        *field = bytes.filter(|bytes| *bytes > 0).or(*field);
        Ok(())
    }
}
