//! The headers of a request, as Kong and Caddy log them: an object of texts or lists.

use serde::de::MapAccess;

use crate::call::Call;
use crate::json::{self, Fields};
use crate::names::CredentialNames;

/// Takes from the headers what a call needs, whatever their case.
pub(super) struct Headers<'c, 'n, 'a> {
    pub(super) names: &'n CredentialNames,
    pub(super) call: &'c mut Call<'a>,
}

impl<'de> Fields<'de> for Headers<'_, '_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        let call = &mut *self.call;
        match key.len() {
            4 if is("host") => {
                let host = json::text(map)?;
                call.host = call.host.take().or(host);
            }
            10 if is("user-agent") => call.user_agent = json::text(map)?,
            12 if is("x-request-id") => {
                let id = json::text(map)?;
                call.request_id = call.request_id.take().or(id);
            }
            15 if is("x-forwarded-for") => call.forwarded_for = json::text(map)?,
            17 if is("x-forwarded-proto") => {
                let proto = json::text(map)?;
                call.is_forwarded_tls = proto.is_some_and(|proto| proto.starts_with("https"));
            }
            _ if self.names.is_sensitive(key) => {
                if let Some(value) = json::text(map)? {
                    call.credentials.header(self.names, key, value);
                }
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}
