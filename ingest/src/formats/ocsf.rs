//! Open Cybersecurity Schema Framework: API Activity (6003) and HTTP Activity (4002), as security lakes keep them.
//!
//! Fields from the OCSF schema (1.1 to 1.4). Traps: there may be no HTTP at all, then the operation is the route, with the
//! service before it, and the activity says whether it only reads; `status_id` 99 is neither success nor failure, and an
//! absent error is success; URLs are objects, taken apart; fingerprints are lists of objects. Other classes are no calls.
//! Temporary AWS keys (`ASIA…`) change every hour, so the role behind them is the credential, and the key an instance.

use tokenwatch_model::{Text, TokenKind};

use super::cloudtrail;
use super::headers::Headers;
use crate::call::{Call, CallTime};
use crate::flat::Leaves;
use crate::json::Scalar;
use crate::names::CredentialNames;

const API_ACTIVITY: u64 = 6_003;
const HTTP_ACTIVITY: u64 = 4_002;
const FAILURE: u64 = 2;
/// One event.
pub(crate) struct Ocsf<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    class: Option<u64>,
    activity: Option<u64>,
    status: Option<u64>,
    error: Option<Text<'a>>,
    service: Option<Text<'a>>,
    operation: Option<Text<'a>>,
    whole_url: Option<Text<'a>>,
    query: Option<Text<'a>>,
    header_name: Option<Text<'a>>,
    endpoint_host: Option<Text<'a>>,
    event_id: Option<Text<'a>>,
    credential: Option<Text<'a>>,
    issuer: Option<Text<'a>>,
    user_id: Option<Text<'a>>,
}

impl<'n> Ocsf<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            class: None,
            activity: None,
            status: None,
            error: None,
            service: None,
            operation: None,
            whole_url: None,
            query: None,
            header_name: None,
            endpoint_host: None,
            event_id: None,
            credential: None,
            issuer: None,
            user_id: None,
        }
    }

    /// The status of a call that no HTTP status is told of.
    fn status(&self) -> Option<u64> {
        match &self.error {
            Some(error) => Some(cloudtrail::status_of_error(error)),
            None if self.status == Some(FAILURE) => None,
            None => Some(200),
        }
    }
}

impl<'a> From<Ocsf<'_, 'a>> for Call<'a> {
    fn from(ocsf: Ocsf<'_, 'a>) -> Self {
        let is_api = ocsf.class == Some(API_ACTIVITY) && ocsf.operation.is_some();
        let status = ocsf.status();
        let mut call = ocsf.call;
        call.is_unsupported = !matches!(ocsf.class, Some(API_ACTIVITY | HTTP_ACTIVITY) | None);
        if is_api {
            call.status = call.status.or(status);
            let read_or_write = |activity| if activity == 2 { "GET" } else { "POST" };
            let method = ocsf.activity.filter(|activity| (1..=4).contains(activity));
            call.method = call
                .method
                .or(method.map(|method| read_or_write(method).into()));
        }
        if let (None, Some(query)) = (&ocsf.whole_url, &ocsf.query) {
            call.has_token_in_url |= call.credentials.parameters(ocsf.names, query);
        }
        call.target = call.target.or(ocsf.whole_url);
        call.host = call.host.or(ocsf.endpoint_host).or(ocsf.service.clone());
        call.route = match (ocsf.service, ocsf.operation) {
            (Some(service), Some(operation)) => Some(format!("{service}/{operation}").into()),
            (_, operation) => operation,
        };
        call.request_id = call.request_id.or(ocsf.event_id);
        let credentials = &mut call.credentials;
        credentials.consumer = credentials.consumer.take().or(ocsf.user_id.clone());
        let is_temporary = |key: &Text<'_>| key.starts_with("ASIA");
        if ocsf.credential.as_ref().is_some_and(is_temporary) {
            credentials.kind = Some(TokenKind::Session);
            credentials.credential_id = ocsf.issuer.or(ocsf.user_id);
            credentials.grant.instance = ocsf.credential;
        } else {
            credentials.credential_id = ocsf.credential;
        }
        call
    }
}

impl<'de> Leaves<'de> for Ocsf<'_, 'de> {
    fn leaf(&mut self, path: &str, value: Scalar<'de>) {
        let call = &mut self.call;
        match path {
            "class_uid" => self.class = value.as_unsigned(),
            "activity_id" => self.activity = value.as_unsigned(),
            "status_id" => self.status = value.as_unsigned(),
            "time" => call.time.set(&value),
            "time_dt" if !matches!(call.time, CallTime::At(_)) => call.time.set(&value),
            "duration" => call.latency_ms = value.as_float(),
            "src_endpoint.ip" => call.peer = value.into_text(),
            "dst_endpoint.hostname" => self.endpoint_host = value.into_text(),
            "actor.user.credential_uid" | "actor.session.credential_uid" => {
                self.credential = value.into_text().or(self.credential.take());
            }
            "actor.session.issuer" => self.issuer = value.into_text(),
            "actor.user.uid" => self.user_id = value.into_text(),
            "actor.user.name" => call.credentials.consumer = value.into_text(),
            "api.operation" => self.operation = value.into_text(),
            "api.service.name" => self.service = value.into_text(),
            "api.request.uid" => call.request_id = value.into_text(),
            "api.response.error" => self.error = value.into_text(),
            "api.response.code" => {
                let code = value
                    .as_unsigned()
                    .filter(|code| (100..=599).contains(code));
                call.status = call.status.or(code);
            }
            "metadata.uid" => self.event_id = value.into_text(),
            "device.hostname" => call.gateway = value.into_text(),
            "traffic.bytes_in" => call.bytes_in = value.as_unsigned(),
            "traffic.bytes_out" => call.bytes_out = value.as_unsigned(),
            "tls.version" => call.tls_version = value.into_text(),
            "tls.ja4_fingerprint_list.value" => {
                let ja4 = value.into_text();
                call.ja4 = call.ja4.take().or(ja4);
            }
            _ => self.http(path, value),
        }
    }
}

impl<'a> Ocsf<'_, 'a> {
    fn http(&mut self, path: &str, value: Scalar<'a>) {
        let call = &mut self.call;
        match path {
            "http_request.http_method" => call.method = value.into_text(),
            "http_request.url.path" => call.target = value.into_text(),
            "http_request.url.query_string" => self.query = value.into_text(),
            "http_request.url.url_string" | "http_request.url.text" => {
                self.whole_url = value.into_text();
            }
            "http_request.url.hostname" => call.host = value.into_text(),
            "http_request.url.scheme" => {
                call.is_plaintext = value.into_text().as_deref() == Some("http");
            }
            "http_request.user_agent" => call.user_agent = value.into_text(),
            "http_request.uid" => {
                let id = value.into_text();
                call.request_id = call.request_id.take().or(id);
            }
            "http_request.x_forwarded_for" => {
                let Some(hop) = value.into_text() else { return };
                call.forwarded_for = Some(match call.forwarded_for.take() {
                    Some(list) => format!("{list}, {hop}").into(),
                    None => hop,
                });
            }
            "http_request.http_headers.name" => self.header_name = value.into_text(),
            "http_request.http_headers.value" => {
                if let (Some(name), Some(value)) = (self.header_name.take(), value.into_text()) {
                    let names = self.names;
                    Headers { names, call }.header(&name, value);
                }
            }
            "http_response.code" | "http_status" => {
                call.status = value.as_unsigned().or(call.status);
            }
            "http_response.length" => {
                let length = value.as_unsigned();
                call.bytes_out = call.bytes_out.or(length);
            }
            "http_response.latency" => {
                let latency = value.as_float();
                call.latency_ms = call.latency_ms.or(latency);
            }
            _ => {}
        }
    }
}
