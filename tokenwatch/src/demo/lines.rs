//! The log lines that the simulated gateways write: Kong's kafka-log and nginx's JSON, as the real ones do.

use serde_json::json;

use super::fleet::{GatewayKind, Member};
use super::traffic::Call;

/// The line of `call`, with the status that the gateway gave it, and a line break.
pub(super) fn line(member: &Member, call: &Call, status: u16, request_id: u128) -> String {
    let line = match member.gateway {
        GatewayKind::Kong => kong(member, call, status, request_id),
        GatewayKind::Nginx => nginx(member, call, status, request_id),
    };
    format!("{line}\n")
}

/// Kong redacts `authorization`, but not the `apikey` header: the raw key stands in the line.
fn kong(member: &Member, call: &Call, status: u16, request_id: u128) -> serde_json::Value {
    let id = format!("{request_id:032x}");
    let mut line = json!({
        "request": {
            "id": id,
            "method": call.method,
            "uri": call.path,
            "url": format!("https://api.example.com:8443{}", call.path),
            "querystring": {},
            "size": call.bytes_in,
            "headers": {
                "host": "api.example.com",
                "user-agent": call.user_agent,
                "apikey": member.key,
                "accept": "application/json"
            },
            "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "client_verify": "NONE"}
        },
        "response": {
            "status": status,
            "size": call.bytes_out,
            "headers": {"content-type": "application/json", "x-kong-request-id": id}
        },
        "latencies": {"request": call.latency_ms, "kong": 1, "proxy": call.latency_ms - 1, "receive": 0},
        "route": {"id": "0f1a4101-3327-4274-b1e4-484a4ab0c030", "name": call.route},
        "service": {"id": "fb4eecf8-dec2-40ef-b779-16de7e2384c7", "name": "shop", "host": "shop.internal", "port": 8080},
        "client_ip": call.address,
        "started_at": call.at.as_millis(),
        "workspace_name": "default",
    });
    // Kong names the credential even when the call is refused later on, by its acl plugin or by the service.
    line["authenticated_entity"] =
        json!({"id": member.credential_id, "consumer_id": member.consumer});
    line["consumer"] = json!({"id": member.consumer, "username": member.consumer});
    line
}

/// nginx with the recommended `log_format`: every value a string, the key in a header field of its own.
fn nginx(member: &Member, call: &Call, status: u16, request_id: u128) -> serde_json::Value {
    let millis = call.at.as_millis();
    json!({
        "time_iso8601": call.at.to_string(),
        "msec": format!("{}.{:03}", millis.div_euclid(1_000), millis.rem_euclid(1_000)),
        "remote_addr": call.address,
        "remote_user": "",
        "request_id": format!("{request_id:032x}"),
        "request_method": call.method,
        "request_uri": call.path,
        "server_protocol": "HTTP/2.0",
        "host": "api.example.com",
        "status": status.to_string(),
        "bytes_sent": call.bytes_out.to_string(),
        "request_length": call.bytes_in.to_string(),
        "request_time": format!("0.{:03}", call.latency_ms),
        "ssl_protocol": "TLSv1.3",
        "http_user_agent": call.user_agent,
        "http_x_api_key": member.key,
        "http_referer": "",
    })
}
