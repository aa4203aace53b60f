//! What a gateway knows of one call, and the log lines that gateways write of it: Kong's kafka-log, nginx's and Envoy's JSON.
//!
//! For simulated traffic only: the lines are as the real gateways write them, with the fields that Tokenwatch reads.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use tokenwatch_model::{Format, Timestamp};

/// One call, as a gateway logs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoggedCall<'a> {
    /// When.
    pub(crate) at: Timestamp,
    /// The gateway's id of the call.
    pub(crate) request_id: &'a str,
    /// Where from.
    pub(crate) address: Ipv4Addr,
    /// With what.
    pub(crate) user_agent: &'a str,
    /// How that program's TLS looks.
    pub(crate) ja4: Option<&'a str>,
    /// The raw key, as it came in a header.
    pub(crate) key: &'a str,
    /// The gateway's id of the credential, if it knows the key.
    pub(crate) credential_id: Option<&'a str>,
    /// The consumer, if it knows the key.
    pub(crate) consumer: Option<&'a str>,
    /// The method.
    pub(crate) method: &'a str,
    /// The path.
    pub(crate) path: &'a str,
    /// The gateway's name of the route, if one took the call.
    pub(crate) route: Option<&'a str>,
    /// The answer.
    pub(crate) status: u16,
    /// Bytes received.
    pub(crate) bytes_in: u64,
    /// Bytes sent.
    pub(crate) bytes_out: u64,
    /// How long it took.
    pub(crate) latency_ms: u64,
    /// The gateway's node.
    pub(crate) node: Option<&'a str>,
}

/// The host that every call asks for.
pub(crate) const HOST: &str = "api.example.com";

impl LoggedCall<'_> {
    /// The line of the gateway that logs in `format`, without a line break; Kong's for those that are not simulated.
    pub(crate) fn line(&self, format: Format) -> String {
        let line = match format {
            Format::Nginx => self.nginx(),
            Format::Envoy => self.envoy(),
            _ => self.kong(),
        };
        line.to_string()
    }

    /// Kong redacts `authorization`, but not the `apikey` header: the raw key stands in the line.
    fn kong(&self) -> Value {
        let id = self.request_id;
        let mut line = json!({
            "request": {
                "id": id,
                "method": self.method,
                "uri": self.path,
                "url": format!("https://{HOST}:8443{}", self.path),
                "querystring": {},
                "size": self.bytes_in,
                "headers": {
                    "host": HOST,
                    "user-agent": self.user_agent,
                    "apikey": self.key,
                    "accept": "application/json"
                },
                "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "client_verify": "NONE"}
            },
            "response": {
                "status": self.status,
                "size": self.bytes_out,
                "headers": {"content-type": "application/json", "x-kong-request-id": id}
            },
            "latencies": {
                "request": self.latency_ms,
                "kong": 1,
                "proxy": self.latency_ms.saturating_sub(1),
                "receive": 0
            },
            "service": {
                "id": "fb4eecf8-dec2-40ef-b779-16de7e2384c7",
                "name": "shop",
                "host": "shop.internal",
                "port": 8080
            },
            "client_ip": self.address,
            "started_at": self.at.as_millis(),
            "workspace_name": "default",
        });
        if let Some(route) = self.route {
            line["route"] = json!({"id": "0f1a4101-3327-4274-b1e4-484a4ab0c030", "name": route});
        }
        // Kong names the credential even when the call is refused later on, by its acl plugin or by the service.
        if let (Some(credential), Some(consumer)) = (self.credential_id, self.consumer) {
            line["authenticated_entity"] = json!({"id": credential, "consumer_id": consumer});
            line["consumer"] = json!({"id": consumer, "username": consumer});
        }
        line
    }

    /// nginx with the recommended `log_format`: every value a string, the key in a header field of its own.
    fn nginx(&self) -> Value {
        let millis = self.at.as_millis();
        json!({
            "time_iso8601": self.at.to_string(),
            "msec": format!("{}.{:03}", millis.div_euclid(1_000), millis.rem_euclid(1_000)),
            "remote_addr": self.address,
            "remote_user": self.consumer.unwrap_or(""),
            "request_id": self.request_id,
            "request_method": self.method,
            "request_uri": self.path,
            "server_protocol": "HTTP/2.0",
            "host": HOST,
            "hostname": self.node.unwrap_or(""),
            "route": self.route.unwrap_or(""),
            "status": self.status.to_string(),
            "bytes_sent": self.bytes_out.to_string(),
            "request_length": self.bytes_in.to_string(),
            "request_time": format!("{}.{:03}", self.latency_ms / 1_000, self.latency_ms % 1_000),
            "ssl_protocol": "TLSv1.3",
            "http_user_agent": self.user_agent,
            "http_x_api_key": self.key,
            "http_referer": "",
        })
    }

    /// Envoy with a typed JSON format that logs the key's header and the TLS fingerprint.
    fn envoy(&self) -> Value {
        json!({
            "start_time": self.at.to_string(),
            "method": self.method,
            "path": self.path,
            "protocol": "HTTP/2",
            "response_code": self.status,
            "response_flags": "-",
            "bytes_received": self.bytes_in,
            "bytes_sent": self.bytes_out,
            "duration": self.latency_ms,
            "user_agent": self.user_agent,
            "request_id": self.request_id,
            "authority": HOST,
            "route_name": self.route.unwrap_or("default"),
            "downstream_remote_address_without_port": self.address,
            "downstream_tls_version": "TLSv1.3",
            "ja4": self.ja4,
            "x-api-key": self.key,
        })
    }
}
