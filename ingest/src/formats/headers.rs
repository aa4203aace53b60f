//! The headers of a request: an object of texts or lists, as Kong and Caddy log them, or one by one.

use serde::de::MapAccess;
use tokenwatch_model::Text;

use crate::call::Call;
use crate::json::{self, Fields};
use crate::names::CredentialNames;

/// What gateways write in the place of a header's value.
const REDACTED: &str = "REDACTED";

/// Takes from the headers what a call needs, whatever their case.
pub(super) struct Headers<'c, 'n, 'a> {
    pub(super) names: &'n CredentialNames,
    pub(super) call: &'c mut Call<'a>,
}

impl<'a> Headers<'_, '_, 'a> {
    /// Takes the value of one header.
    pub(super) fn header(&mut self, name: &str, value: Text<'a>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let call = &mut *self.call;
        match name.len() {
            _ if value == REDACTED || json::is_missing(&value) => {}
            4 if is("host") => {
                call.host.get_or_insert(value);
            }
            10 if is("user-agent") => call.user_agent = Some(value),
            12 if is("x-request-id") => {
                call.request_id.get_or_insert(value);
            }
            15 if is("x-forwarded-for") => call.forwarded_for = Some(value),
            17 if is("x-forwarded-proto") => call.is_forwarded_tls = value.starts_with("https"),
            _ => call.credentials.header(self.names, name, value),
        }
    }

    /// Whether anything is taken from this header.
    fn is_wanted(&self, name: &str) -> bool {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is("host") => true,
            10 if is("user-agent") => true,
            12 if is("x-request-id") => true,
            15 if is("x-forwarded-for") => true,
            17 if is("x-forwarded-proto") => true,
            _ => self.names.is_sensitive(name),
        }
    }
}

impl<'de> Fields<'de> for Headers<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if !self.is_wanted(key) {
            return json::skip(map);
        }
        if let Some(value) = json::text(map)? {
            self.header(key, value);
        }
        Ok(())
    }
}
