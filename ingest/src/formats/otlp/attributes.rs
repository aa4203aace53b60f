//! What the attributes of a record say about a call: the semantic conventions, old and new, and the keys of Envoy's and
//! Istio's exporters, which send their own names.

use serde::de::{DeserializeSeed, Deserializer};
use tokenwatch_model::Text;

use super::value::{Any, Item, KeyValue};
use crate::call::{Call, CredentialField};
use crate::formats::headers::Headers;
use crate::json::{Object, Scalar};
use crate::names::CredentialNames;

const MILLIS_PER_SECOND: f64 = 1e3;

/// The attributes of one record.
pub(super) struct Attributes<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    /// Who the client is as a proxy in front says.
    client: Option<Text<'a>>,
    url: Option<Text<'a>>,
    query: Option<Text<'a>>,
    user_id: Option<Text<'a>>,
}

impl<'n> Attributes<'n, '_> {
    pub(super) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            client: None,
            url: None,
            query: None,
            user_id: None,
        }
    }
}

impl<'a> From<Attributes<'_, 'a>> for Call<'a> {
    fn from(attributes: Attributes<'_, 'a>) -> Self {
        let mut call = attributes.call;
        if call.peer.is_some() {
            call.forwarded_for = call.forwarded_for.or(attributes.client);
        } else {
            call.peer = attributes.client;
        }
        if let (None, Some(query)) = (&attributes.url, &attributes.query) {
            call.has_token_in_url |= call.credentials.parameters(attributes.names, query);
        }
        call.target = attributes.url.or(call.target);
        let credentials = &mut call.credentials;
        credentials.consumer = credentials.consumer.take().or(attributes.user_id);
        call
    }
}

impl<'de> Item<'de> for Attributes<'_, 'de> {
    fn item<D: Deserializer<'de>>(&mut self, element: D) -> Result<(), D::Error> {
        let mut attribute = KeyValue::default();
        Object(&mut attribute).deserialize(element)?;
        self.take(&attribute.key, attribute.value);
        Ok(())
    }
}

impl<'a> Attributes<'_, 'a> {
    /// Takes the attributes of a value that holds some.
    pub(super) fn take_all(&mut self, value: Any<'a>) {
        if let Any::Attributes(attributes) = value {
            for attribute in attributes {
                self.take(&attribute.key, attribute.value);
            }
        }
    }

    fn take(&mut self, key: &str, value: Any<'a>) {
        match value {
            Any::Scalar(value) => self.leaf(key, value),
            Any::Attributes(attributes) => {
                for attribute in attributes {
                    self.take(&format!("{key}.{}", attribute.key), attribute.value);
                }
            }
        }
    }

    fn leaf(&mut self, key: &str, value: Scalar<'a>) {
        let call = &mut self.call;
        match key {
            "http.request.method" | "http.method" | "method" | ":method" => {
                call.method = value.into_text().filter(|method| method != "_OTHER");
            }
            "http.response.status_code" | "http.status_code" | "response_code" => {
                call.status = value.as_unsigned();
            }
            "url.full" | "http.url" | "http.target" | "url.original" => {
                self.url = value.into_text();
            }
            "url.path" | "path" | ":path" | "x-envoy-origin-path" => {
                call.target = value.into_text().or(call.target.take());
            }
            "url.query" => self.query = value.into_text(),
            "http.route" | "route_name" => {
                call.route = value.into_text().filter(|route| route != "default");
            }
            "server.address" | "http.host" | "net.host.name" | "url.domain" | "authority"
            | ":authority" => call.host = value.into_text(),
            "client.address" | "http.client_ip" | "client.ip" | "source.address" => {
                self.client = value.into_text();
            }
            "network.peer.address"
            | "net.sock.peer.addr"
            | "net.peer.ip"
            | "downstream_remote_address" => call.peer = value.into_text(),
            "x_forwarded_for" | "x-forwarded-for" => call.forwarded_for = value.into_text(),
            "user_agent.original" | "http.user_agent" | "user_agent" | "user-agent" => {
                call.user_agent = value.into_text();
            }
            "http.request.id" | "request_id" | "x-request-id" => {
                call.request_id = value.into_text();
            }
            _ => self.rare_leaf(key, value),
        }
    }

    fn rare_leaf(&mut self, key: &str, value: Scalar<'a>) {
        let call = &mut self.call;
        match key {
            "http.request.size"
            | "http.request.body.size"
            | "http.request_content_length"
            | "bytes_received" => call.bytes_in = value.as_unsigned(),
            "http.response.size"
            | "http.response.body.size"
            | "http.response_content_length"
            | "bytes_sent" => call.bytes_out = value.as_unsigned(),
            "http.server.request.duration" => {
                call.latency_ms = value.as_float().map(|seconds| seconds * MILLIS_PER_SECOND);
            }
            "duration" | "duration_ms" => call.latency_ms = value.as_float(),
            "tls.protocol.version" | "tls.version" => call.tls_version = value.into_text(),
            "tls.client.ja4" => call.ja4 = value.into_text(),
            "url.scheme" | "http.scheme" => {
                call.is_plaintext = value.into_text().as_deref() == Some("http");
            }
            "enduser.id" | "user.id" => self.user_id = value.into_text(),
            "user.name" => call.credentials.consumer = value.into_text(),
            "enduser.scope" => call.credentials.grant.scopes = value.into_text(),
            "credential_id" | "api_key_id" => {
                call.credentials.credential_id = value.into_text();
            }
            _ => self.header(key, value),
        }
    }

    /// A header as the conventions name it (older ones with `_` for `-`), or a credential's as an operator does.
    fn header(&mut self, key: &str, value: Scalar<'a>) {
        let (names, call) = (self.names, &mut self.call);
        let Some(value) = value.into_text() else {
            return;
        };
        if let Some(name) = key.strip_prefix("http.request.header.") {
            Headers { names, call }.header(&name.replace('_', "-"), value);
        } else if let Some(field) = CredentialField::of(names, key) {
            call.credential(names, field, value);
        }
    }
}
