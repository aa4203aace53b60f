//! Azure API Management: the category `GatewayLogs` of the diagnostic settings, from Event Hubs or Log Analytics.
//!
//! Fields from "API Management resource log schema" and the table `ApiManagementGatewayLogs`. Traps: Event Hubs carry
//! `{"records":[…]}` with the call under `properties`, Log Analytics exports one flat object with the same names in Pascal
//! case; other categories may share the hub; the URL holds the subscription key if the client sent it there; status 0
//! means that the client went away; `callerIpAddress` may be a front door's. The subscription `master` is the built-in
//! all-access one. There is no user agent unless the diagnostic setting logs that header.

use serde::de::MapAccess;
use tokenwatch_model::{Text, TokenKind};

use super::headers::Headers;
use super::url;
use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};
use crate::names::CredentialNames;

/// What Event Hubs put records into.
pub(crate) const ENVELOPES: [&str; 1] = ["records"];
/// The longest key that is looked at.
const KEY_MAX_BYTES: usize = 32;

/// One record.
pub(crate) struct AzureApim<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    api: Option<Text<'a>>,
    operation: Option<Text<'a>>,
}

impl<'n> AzureApim<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            api: None,
            operation: None,
        }
    }

    /// Whether a record of this category is no call.
    fn is_other(category: Option<&str>) -> bool {
        category.is_some_and(|category| {
            category != "GatewayLogs" && category != "ApiManagementGatewayLogs"
        })
    }
}

impl<'a> From<AzureApim<'_, 'a>> for Call<'a> {
    fn from(record: AzureApim<'_, 'a>) -> Self {
        let AzureApim {
            mut call,
            api,
            operation,
            ..
        } = record;
        if let Some(target) = &call.target {
            call.is_plaintext = target.starts_with("http://");
            call.host = url::host_of(target).or(call.host);
        }
        call.route = match (api, operation) {
            (Some(api), Some(operation)) => Some(format!("{api}/{operation}").into()),
            (_, operation) => operation,
        };
        if call.credentials.credential_id.is_some() {
            call.credentials.kind = Some(TokenKind::ApiKey);
        }
        call
    }
}

impl<'de> Fields<'de> for AzureApim<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let mut folded = [0; KEY_MAX_BYTES];
        let Some(folded) = folded.get_mut(..key.len()) else {
            return json::skip(map);
        };
        folded.copy_from_slice(key.as_bytes());
        folded.make_ascii_lowercase();
        let call = &mut self.call;
        match &*folded {
            b"time" | b"timegenerated" => call.time.set(&map.next_value::<Scalar<'_>>()?),
            b"category" => {
                call.is_unsupported |= Self::is_other(json::text(map)?.as_deref());
            }
            b"properties" => map.next_value_seed(Object(self))?,
            b"correlationid" => call.request_id = json::text(map)?,
            b"location" | b"region" => call.gateway = json::text(map)?,
            b"calleripaddress" => call.peer = json::text(map)?,
            b"durationms" | b"totaltime" => {
                call.latency_ms = map.next_value::<Scalar<'_>>()?.as_float();
            }
            b"method" => call.method = json::text(map)?,
            b"url" => call.target = json::text(map)?,
            b"responsecode" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"requestsize" => call.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"responsesize" => call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"clienttlsversion" => call.tls_version = json::text(map)?,
            b"apiid" => self.api = json::text(map)?,
            b"operationid" => self.operation = json::text(map)?,
            b"apimsubscriptionid" => call.credentials.credential_id = json::text(map)?,
            b"userid" => call.credentials.consumer = json::text(map)?,
            b"requestheaders" => map.next_value_seed(Object(&mut Headers {
                names: self.names,
                call,
            }))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}
